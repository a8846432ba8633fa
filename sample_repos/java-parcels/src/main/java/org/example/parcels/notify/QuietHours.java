package org.example.parcels.notify;

import java.time.Instant;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;

/** A daily span in UTC in which nobody is disturbed: from start, up to but without end. */
public record QuietHours(LocalTime start, LocalTime end) {
    public boolean covers(LocalTime time) {
        boolean afterStart = !time.isBefore(start);
        boolean beforeEnd = time.isBefore(end);
        return start.isAfter(end) ? afterStart || beforeEnd : afterStart && beforeEnd;
    }

    /** The moment itself, or the end of the quiet span that it falls into. */
    public Instant nextAllowed(Instant moment) {
        OffsetDateTime local = moment.atOffset(ZoneOffset.UTC);
        if (!covers(local.toLocalTime())) {
            return moment;
        }
        OffsetDateTime sameDay = local.with(end);
        return (sameDay.isAfter(local) ? sameDay : sameDay.plusDays(1)).toInstant();
    }
}
