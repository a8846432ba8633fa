package org.example.parcels.model;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.example.parcels.ParcelsException;

/** The outside of a box, in centimetres. */
public record Dimensions(int length, int width, int height) {
    private static final Pattern TEXT = Pattern.compile("([1-9]\\d{0,3})x([1-9]\\d{0,3})x([1-9]\\d{0,3})");

    /** Reads {@code 40x30x20}. */
    public static Dimensions parse(String text) {
        Matcher matcher = TEXT.matcher(text);
        if (!matcher.matches()) {
            throw new ParcelsException(text + " is not a size like 40x30x20");
        }
        return new Dimensions(
                Integer.parseInt(matcher.group(1)),
                Integer.parseInt(matcher.group(2)),
                Integer.parseInt(matcher.group(3)));
    }

    /** Cubic centimetres. */
    public long volume() {
        return (long) length * width * height;
    }
}
