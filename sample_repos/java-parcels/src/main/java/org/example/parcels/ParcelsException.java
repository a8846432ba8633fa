package org.example.parcels;

/** The root of what the user, not this program, has to put right. */
public class ParcelsException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public ParcelsException(String message) {
        super(message);
    }

    /** Something that does not exist was asked for by its name. */
    public static final class Unknown extends ParcelsException {
        private static final long serialVersionUID = 1L;

        public Unknown(String what, String name) {
            super("there is no %s %s".formatted(what, name));
        }
    }

    /** A line of an input file cannot be read. */
    public static final class Malformed extends ParcelsException {
        private static final long serialVersionUID = 1L;

        public Malformed(String file, int line, String reason) {
            super("%s line %d: %s".formatted(file, line, reason));
        }
    }
}
