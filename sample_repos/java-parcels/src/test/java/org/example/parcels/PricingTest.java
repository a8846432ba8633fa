package org.example.parcels;

import static org.example.parcels.TestRunner.assertEquals;

import java.math.BigDecimal;
import java.util.List;
import java.util.Properties;
import org.example.parcels.TestRunner.Test;
import org.example.parcels.model.Dimensions;
import org.example.parcels.pricing.Money;
import org.example.parcels.pricing.QuoteDesk;
import org.example.parcels.pricing.Tariff;
import org.example.parcels.routing.Network;
import org.example.parcels.routing.RouteFinder;
import org.example.parcels.routing.Service;

final class PricingTest {
    private static final Dimensions SMALL = new Dimensions(10, 10, 10);

    @Test
    static void halfACentIsRoundedUp() {
        assertEquals(new Money(1235), Money.of("12.345"));
        assertEquals("1.67", new Money(333).times(new BigDecimal("0.5")).toString());
    }

    @Test
    static void theLargerWeightCountsByTheStartedHalfKilogram() {
        Dimensions box = new Dimensions(40, 30, 20);
        assertEquals(new BigDecimal("5.0"), Tariff.chargeableWeight(new BigDecimal("4.2"), box));
        assertEquals(new BigDecimal("6.5"), Tariff.chargeableWeight(new BigDecimal("6.01"), box));
    }

    @Test
    static void aQuoteListsWhatApplies() {
        Properties properties = new Properties();
        properties.setProperty("fuel.percent", "10");
        Settings settings = new Settings(properties);
        Network network = Network.parse(List.of("hub A Aachen", "hub B Bonn", "link A B 200 3"));
        QuoteDesk desk = new QuoteDesk(new RouteFinder(network), settings.tariffs(), settings.surcharges());
        QuoteDesk.Request request =
                new QuoteDesk.Request("A", "B", Service.EXPRESS, BigDecimal.valueOf(2), SMALL, false);
        QuoteDesk.Quote quote = desk.quote(request);
        // 8.90 + 2 x 1.20 + 2 x 1.45 = 14.20
        assertEquals(
                List.of(new QuoteDesk.Line("carriage", new Money(1420)), new QuoteDesk.Line("fuel", new Money(142))),
                quote.lines());
        assertEquals("15.62", quote.total().toString());
    }
}
