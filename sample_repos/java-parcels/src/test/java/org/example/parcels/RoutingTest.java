package org.example.parcels;

import static org.example.parcels.TestRunner.assertEquals;
import static org.example.parcels.TestRunner.assertFails;

import java.util.List;
import org.example.parcels.TestRunner.Test;
import org.example.parcels.routing.Network;
import org.example.parcels.routing.RouteFinder;
import org.example.parcels.routing.Service;

final class RoutingTest {
    private static final RouteFinder ROUTES = new RouteFinder(Network.parse(List.of(
            "# a triangle and a hub apart",
            "hub A Aachen", "hub B Bonn", "hub C Celle", "hub D Dresden",
            "link A B 10 9", "link B C 10 9", "link A C 50 3 7")));

    @Test
    static void economySavesKilometresAndExpressHours() {
        assertEquals("A > B > C", ROUTES.find("A", "C", Service.ECONOMY).toString());
        assertEquals(3, ROUTES.find("A", "C", Service.EXPRESS).hours());
        assertEquals(7, ROUTES.find("C", "A", Service.EXPRESS).hours());
        assertEquals(0, ROUTES.find("B", "B", Service.EXPRESS).km());
    }

    @Test
    static void whatDoesNotExistIsRefused() {
        assertFails(ParcelsException.Unknown.class, "hub X", () -> ROUTES.find("A", "X", Service.ECONOMY));
        assertFails(ParcelsException.Unknown.class, "route A > D", () -> ROUTES.find("A", "D", Service.ECONOMY));
        assertFails(
                ParcelsException.Malformed.class, "network line 2", () -> Network.parse(List.of("hub A Aachen", "road")));
    }
}
