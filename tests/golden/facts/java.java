package com.acme.parcels;

import java.util.List;
import java.util.function.*;
import static java.util.Objects.requireNonNull;
import com.acme.model.Parcel;

/**
 * Keeps parcels.
 *
 * @param <T> kind of parcel
 */
@Deprecated(since = "2")
public abstract class Store<T extends Parcel> extends BaseStore<T> implements Closeable, Iterable<T> {
    /** How many there may be. */
    public static final int LIMIT = 100;
    private final List<T> parcels = new ArrayList<>();
    protected int first, second = LIMIT;

    // Makes an empty one.
    public Store(Clock clock) {
        super(clock);
        this.first = requireNonNull(clock).now();
    }

    @Override
    public T get(String id) throws NotFoundException {
        for (T parcel : parcels) {
            if (parcel.id().equals(id)) return parcel;
        }
        Function<String, T> loader = this::load;
        Supplier<Parcel> made = () -> Parcel.of(id, LIMIT);
        throw new NotFoundException(id, Level.HIGH);
    }

    abstract T load(String id);

    static <R> R apply(Supplier<R> supplier) { return supplier.get(); }

    enum Level {
        LOW(1), HIGH(2);

        private final int rank;

        Level(int rank) { this.rank = rank; }
    }

    interface Listener extends java.util.EventListener {
        int VERSION = 1;
        void changed(Parcel parcel);
        default void closed() { changed(null); }
    }

    record Point(int x, int y) implements Comparable<Point> {
        Point {
            if (x < 0) throw new IllegalArgumentException();
        }
    }

    @interface Audited { String value() default "all"; }

    class Inner extends Store<Parcel>.Base { }
}
