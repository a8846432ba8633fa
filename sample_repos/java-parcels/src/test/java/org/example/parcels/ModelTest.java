package org.example.parcels;

import static org.example.parcels.TestRunner.assertEquals;
import static org.example.parcels.TestRunner.assertFails;

import java.time.Instant;
import java.util.List;
import org.example.parcels.TestRunner.Test;
import org.example.parcels.model.Dimensions;
import org.example.parcels.model.Event;
import org.example.parcels.model.EventKind;
import org.example.parcels.model.Parcel;

final class ModelTest {
    private static Event event(int hour, EventKind kind) {
        return new Event(Instant.parse("2024-03-05T%02d:00:00Z".formatted(hour)), kind, "HAM", "");
    }

    @Test
    static void lateScansAreSortedIn() {
        Parcel parcel = new Parcel("PX1");
        parcel.record(event(12, EventKind.DELIVERED));
        parcel.record(event(8, EventKind.ACCEPTED));
        assertEquals(
                List.of(EventKind.ACCEPTED, EventKind.DELIVERED),
                parcel.events().stream().map(Event::kind).toList());
        assertEquals(true, parcel.isFinished());
    }

    @Test
    static void aRepeatedScanIsNotNews() {
        Parcel parcel = new Parcel("PX1");
        assertEquals(true, parcel.record(event(8, EventKind.ACCEPTED)));
        assertEquals(false, parcel.record(event(8, EventKind.ACCEPTED)));
        assertEquals(false, parcel.isFinished());
    }

    @Test
    static void sizesAreThreePositiveNumbers() {
        assertEquals(24_000L, Dimensions.parse("40x30x20").volume());
        assertFails(ParcelsException.class, "40x30 is not", () -> Dimensions.parse("40x30"));
        assertFails(ParcelsException.class, "0x1x1 is not", () -> Dimensions.parse("0x1x1"));
    }
}
