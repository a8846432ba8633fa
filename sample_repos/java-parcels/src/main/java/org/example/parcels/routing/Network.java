package org.example.parcels.routing;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.example.parcels.ParcelsException;

/**
 * A directed graph of hubs, read from lines such as
 *
 * <pre>
 * hub HAM Hamburg
 * link HAM BER 290 4      both ways alike: kilometres, hours
 * link BER PRG 350 5 9    nine hours on the way back
 * </pre>
 */
public final class Network {
    private final Map<String, String> cities = new LinkedHashMap<>();
    private final Map<String, List<Leg>> departures = new LinkedHashMap<>();

    public static Network parse(List<String> lines) {
        Network network = new Network();
        int number = 0;
        for (String line : lines) {
            number++;
            if (!line.isBlank() && !line.startsWith("#")) {
                network.add(number, line.strip().split("\\s+"));
            }
        }
        return network;
    }

    private void add(int number, String[] words) {
        if (words[0].equals("hub") && words.length == 3) {
            cities.put(words[1], words[2]);
            departures.put(words[1], new ArrayList<>());
        } else if (words[0].equals("link") && (words.length == 5 || words.length == 6)) {
            int km = Integer.parseInt(words[3]);
            int hours = Integer.parseInt(words[4]);
            connect(new Leg(words[1], words[2], km, hours));
            connect(new Leg(words[2], words[1], km, Integer.parseInt(words[words.length - 1])));
        } else {
            throw new ParcelsException.Malformed("network", number, "expected a hub or a link");
        }
    }

    private void connect(Leg leg) {
        city(leg.to());
        city(leg.from());
        departures.get(leg.from()).add(leg);
    }

    /** The city of a hub. */
    public String city(String code) {
        String city = cities.get(code);
        if (city == null) {
            throw new ParcelsException.Unknown("hub", code);
        }
        return city;
    }

    /** The legs that leave a hub. */
    public List<Leg> departures(String code) {
        city(code);
        return List.copyOf(departures.get(code));
    }
}
