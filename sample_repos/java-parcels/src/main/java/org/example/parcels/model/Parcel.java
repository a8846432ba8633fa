package org.example.parcels.model;

import java.util.Collections;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.TreeSet;

/** A parcel and everything that is known to have happened to it. */
public final class Parcel {
    private final String number;
    private final NavigableSet<Event> events = new TreeSet<>();

    public Parcel(String number) {
        this.number = number;
    }

    public String number() {
        return number;
    }

    /** Adds a scan in its place; false if it is known already. */
    public boolean record(Event event) {
        return events.add(event);
    }

    /** All scans, the earliest first. */
    public NavigableSet<Event> events() {
        return Collections.unmodifiableNavigableSet(events);
    }

    public Optional<Event> latest() {
        return events.isEmpty() ? Optional.empty() : Optional.of(events.last());
    }

    /** Whether the journey has ended, at the receiver or back at the sender. */
    public boolean isFinished() {
        return latest().map(Event::kind).filter(EventKind::endsJourney).isPresent();
    }
}
