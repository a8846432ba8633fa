package org.example.parcels.feed;

import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.List;
import org.example.parcels.ParcelsException;
import org.example.parcels.model.Event;
import org.example.parcels.model.EventKind;

/**
 * Reads a feed of two kinds of lines:
 *
 * <pre>
 * 2024-03-05T08:15:00Z|PX1001|ARRIVED|HAM|left at the north gate
 * manifest|PX1001
 * </pre>
 *
 * The note may be missing. A backslash takes the character after it literally. Empty lines and
 * lines that begin with {@code #} say nothing.
 */
public final class FeedParser {
    private final List<Feed.Scan> scans = new ArrayList<>();
    private final List<String> manifest = new ArrayList<>();
    private int line;

    private FeedParser() {}

    public static Feed parse(List<String> lines) {
        FeedParser parser = new FeedParser();
        lines.forEach(parser::accept);
        return new Feed(parser.scans, parser.manifest);
    }

    private void accept(String text) {
        line++;
        if (text.isBlank() || text.startsWith("#")) {
            return;
        }
        List<String> fields = split(text);
        if (fields.get(0).equals("manifest") && fields.size() == 2) {
            manifest.add(fields.get(1));
        } else if (fields.size() == 4 || fields.size() == 5) {
            scans.add(new Feed.Scan(fields.get(1), event(fields)));
        } else {
            throw malformed("expected 4 or 5 fields, found " + fields.size());
        }
    }

    private Event event(List<String> fields) {
        String note = fields.size() == 5 ? fields.get(4) : "";
        try {
            Instant at = Instant.parse(fields.get(0));
            return new Event(at, EventKind.valueOf(fields.get(2)), fields.get(3), note);
        } catch (DateTimeParseException wrong) {
            throw malformed(fields.get(0) + " is not a time");
        } catch (IllegalArgumentException wrong) {
            throw malformed(fields.get(2) + " is not an event");
        }
    }

    private ParcelsException malformed(String reason) {
        return new ParcelsException.Malformed("feed", line, reason);
    }

    /** Splits at unescaped bars and resolves the escapes. */
    static List<String> split(String text) {
        List<String> fields = new ArrayList<>();
        StringBuilder field = new StringBuilder();
        for (int place = 0; place < text.length(); place++) {
            char character = text.charAt(place);
            if (character == '|') {
                fields.add(field.toString().strip());
                field.setLength(0);
            } else if (character == '\\' && place + 1 < text.length()) {
                field.append(text.charAt(++place));
            } else {
                field.append(character);
            }
        }
        fields.add(field.toString().strip());
        return fields;
    }
}
