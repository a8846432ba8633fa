package org.example.parcels.notify;

import java.time.Instant;
import java.util.List;
import java.util.Set;
import org.example.parcels.feed.Feed.Scan;
import org.example.parcels.model.EventKind;

/** Decides who is told about a scan, and when. */
public final class Notifier {
    /** An address that wants to hear of some kinds of events. */
    public record Subscription(String address, Set<EventKind> kinds) {}

    /** What is sent, to whom, and not before when. */
    public record Message(String address, Instant sendAt, String text) {}

    private final List<Subscription> subscriptions;
    private final QuietHours quiet;

    public Notifier(List<Subscription> subscriptions, QuietHours quiet) {
        this.subscriptions = List.copyOf(subscriptions);
        this.quiet = quiet;
    }

    /** The messages that scans cause: in the order of the scans, then of the subscriptions. */
    public List<Message> messages(List<Scan> scans) {
        return scans.stream()
                .flatMap(scan -> subscriptions.stream()
                        .filter(subscription -> subscription.kinds().contains(scan.event().kind()))
                        .map(subscription -> new Message(
                                subscription.address(),
                                quiet.nextAllowed(scan.event().at()),
                                scan.number() + ": " + scan.event())))
                .toList();
    }
}
