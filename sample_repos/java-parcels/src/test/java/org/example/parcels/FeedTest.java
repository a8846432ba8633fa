package org.example.parcels;

import static org.example.parcels.TestRunner.assertEquals;
import static org.example.parcels.TestRunner.assertFails;

import java.time.Instant;
import java.time.LocalTime;
import java.util.List;
import java.util.Set;
import org.example.parcels.TestRunner.Test;
import org.example.parcels.feed.Feed;
import org.example.parcels.feed.FeedParser;
import org.example.parcels.model.EventKind;
import org.example.parcels.notify.Notifier;
import org.example.parcels.notify.QuietHours;
import org.example.parcels.store.Archive;
import org.example.parcels.store.ParcelStore;

final class FeedTest {
    private static final QuietHours NIGHT = new QuietHours(LocalTime.of(21, 30), LocalTime.of(7, 0));
    private static final Feed FEED = FeedParser.parse(List.of(
            "# a parcel that arrives, and one that does not",
            "2024-03-05T08:00:00Z|PX1|ACCEPTED|HAM",
            "2024-03-05T22:15:00Z|PX1|DELIVERED|HAM|door 3 \\| left",
            "2024-03-05T09:00:00Z|PX2|ACCEPTED|HAM",
            "manifest|PX1"));

    @Test
    static void escapesAreResolved() {
        assertEquals("door 3 | left", FEED.scans().get(1).event().note());
    }

    @Test
    static void malformedLinesAreNamed() {
        for (String line : List.of("a|b", "noon|PX1|ARRIVED|HAM", "2024-03-05T08:00:00Z|PX1|EATEN|HAM")) {
            assertFails(
                    ParcelsException.Malformed.class, "feed line 2", () -> FeedParser.parse(List.of("#", line)));
        }
    }

    @Test
    static void theArchiveTakesWhatTheManifestNames() {
        ParcelStore store = new ParcelStore();
        assertEquals(3, store.ingest(FEED.scans()).size());
        assertEquals(List.of(), store.ingest(FEED.scans()));
        Archive archive = new Archive();
        archive.close(store, FEED.manifest());
        assertEquals(14L, archive.entries().get(0).journey().toHours());
        assertEquals(List.of("PX2"), store.all().stream().map(parcel -> parcel.number()).toList());
        assertFails(IllegalStateException.class, "PX2 is on the manifest", () -> archive.close(store, List.of("PX2")));
    }

    @Test
    static void messagesWaitForTheMorning() {
        Notifier notifier =
                new Notifier(List.of(new Notifier.Subscription("a@example.org", Set.of(EventKind.DELIVERED))), NIGHT);
        List<Notifier.Message> messages = notifier.messages(FEED.scans());
        assertEquals(1, messages.size());
        assertEquals(Instant.parse("2024-03-06T07:00:00Z"), messages.get(0).sendAt());
    }

    @Test
    static void theEndOfTheQuietHoursIsNotQuiet() {
        assertEquals(true, NIGHT.covers(LocalTime.of(21, 30)));
        assertEquals(false, NIGHT.covers(LocalTime.of(7, 0)));
    }
}
