package org.example.parcels.routing;

import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import org.example.parcels.ParcelsException;

/** Finds the cheapest way through a network by Dijkstra's algorithm. */
public final class RouteFinder {
    private record Visit(String hub, int cost, Leg by) {}

    private static final Comparator<Visit> CHEAPEST =
            Comparator.comparingInt(Visit::cost).thenComparing(Visit::hub);

    private final Network network;

    public RouteFinder(Network network) {
        this.network = network;
    }

    /** The route of least cost; fails where no legs connect the two hubs. */
    public Route find(String from, String to, Service service) {
        network.city(to);
        Map<String, Leg> arrivedBy = new HashMap<>();
        PriorityQueue<Visit> frontier = new PriorityQueue<>(CHEAPEST);
        frontier.add(new Visit(from, 0, null));
        while (!frontier.isEmpty()) {
            Visit here = frontier.remove();
            if (arrivedBy.containsKey(here.hub())) {
                continue;
            }
            arrivedBy.put(here.hub(), here.by());
            if (here.hub().equals(to)) {
                return new Route(from, trace(arrivedBy, to));
            }
            for (Leg leg : network.departures(here.hub())) {
                frontier.add(new Visit(leg.to(), here.cost() + service.cost(leg), leg));
            }
        }
        throw new ParcelsException.Unknown("route", from + " > " + to);
    }

    private static List<Leg> trace(Map<String, Leg> arrivedBy, String to) {
        Deque<Leg> legs = new ArrayDeque<>();
        for (Leg leg = arrivedBy.get(to); leg != null; leg = arrivedBy.get(leg.from())) {
            legs.addFirst(leg);
        }
        return List.copyOf(legs);
    }
}
