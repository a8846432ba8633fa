package org.example.parcels.store;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.example.parcels.model.Event;
import org.example.parcels.model.EventKind;
import org.example.parcels.model.Parcel;

/** Keeps parcels whose journey has ended. */
public final class Archive {
    /** What remains of a parcel: its number, how it ended, and how long that took. */
    public record Entry(String number, EventKind ending, Duration journey) {}

    private final List<Entry> entries = new ArrayList<>();

    /**
     * Moves the parcels of a manifest out of a store.
     *
     * @throws IllegalStateException if one of them is still travelling: the hub says it is closed,
     *     so either a scan or the parcel is lost
     */
    public void close(ParcelStore store, List<String> manifest) {
        for (String number : manifest) {
            Parcel parcel = store.get(number);
            if (!parcel.isFinished()) {
                throw new IllegalStateException("parcel %s is on the manifest, but its last scan is: %s"
                        .formatted(number, parcel.latest().map(Event::toString).orElse("none")));
            }
            store.remove(number);
            Event first = parcel.events().first();
            Event last = parcel.events().last();
            entries.add(new Entry(number, last.kind(), Duration.between(first.at(), last.at())));
        }
    }

    public List<Entry> entries() {
        return List.copyOf(entries);
    }
}
