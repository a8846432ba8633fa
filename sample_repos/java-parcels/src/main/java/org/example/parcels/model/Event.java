package org.example.parcels.model;

import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;

/** One scan of a parcel. Events order by the time at which they happened. */
public record Event(Instant at, EventKind kind, String hub, String note) implements Comparable<Event> {
    private static final DateTimeFormatter MINUTE =
            DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm").withZone(ZoneOffset.UTC);

    @Override
    public int compareTo(Event other) {
        return at.compareTo(other.at);
    }

    /** One line for people, in UTC. */
    @Override
    public String toString() {
        String line = "%s  %s  %s".formatted(MINUTE.format(at), hub, kind.label());
        return note.isEmpty() ? line : line + " (" + note + ")";
    }
}
