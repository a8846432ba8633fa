package org.example.parcels.routing;

import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** A chain of legs; without legs it stays at its start. */
public record Route(String start, List<Leg> legs) {
    public Route {
        legs = List.copyOf(legs);
    }

    public int km() {
        return legs.stream().mapToInt(Leg::km).sum();
    }

    public int hours() {
        return legs.stream().mapToInt(Leg::hours).sum();
    }

    @Override
    public String toString() {
        return Stream.concat(Stream.of(start), legs.stream().map(Leg::to)).collect(Collectors.joining(" > "));
    }
}
