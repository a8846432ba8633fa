package org.example.parcels.routing;

import java.util.function.ToIntFunction;

/** What a customer pays for, and so what a route is chosen by. */
public enum Service {
    ECONOMY(Leg::km),
    EXPRESS(Leg::hours);

    private final ToIntFunction<Leg> cost;

    Service(ToIntFunction<Leg> cost) {
        this.cost = cost;
    }

    /** What a leg adds to the cost of a route. */
    public int cost(Leg leg) {
        return cost.applyAsInt(leg);
    }
}
