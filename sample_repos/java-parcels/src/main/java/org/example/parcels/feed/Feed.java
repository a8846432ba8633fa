package org.example.parcels.feed;

import java.util.List;
import org.example.parcels.model.Event;

/** What the hubs report: scans, and the numbers of the parcels that they have closed. */
public record Feed(List<Scan> scans, List<String> manifest) {
    /** One event and the parcel that it happened to. */
    public record Scan(String number, Event event) {}

    public Feed {
        scans = List.copyOf(scans);
        manifest = List.copyOf(manifest);
    }
}
