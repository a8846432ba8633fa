package org.example.parcels.pricing;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.example.parcels.model.Dimensions;
import org.example.parcels.routing.Route;
import org.example.parcels.routing.RouteFinder;
import org.example.parcels.routing.Service;

/** Says what it would cost to send a parcel. */
public final class QuoteDesk {
    /** What a customer asks a price for; the weight is that of the scale, in kilograms. */
    public record Request(
            String from, String to, Service service, BigDecimal weight, Dimensions size, boolean fragile) {}

    /** One part of a price. */
    public record Line(String label, Money amount) {}

    /** The answer: the carriage first, then the surcharges that apply. */
    public record Quote(BigDecimal weight, Route route, List<Line> lines) {
        public Money total() {
            return lines.stream().map(Line::amount).reduce(Money.ZERO, Money::plus);
        }
    }

    private final RouteFinder routes;
    private final Map<Service, Tariff> tariffs;
    private final List<Surcharge> surcharges;

    public QuoteDesk(RouteFinder routes, Map<Service, Tariff> tariffs, List<Surcharge> surcharges) {
        this.routes = routes;
        this.tariffs = Map.copyOf(tariffs);
        this.surcharges = List.copyOf(surcharges);
    }

    public Quote quote(Request request) {
        Route route = routes.find(request.from(), request.to(), request.service());
        BigDecimal weight = Tariff.chargeableWeight(request.weight(), request.size());
        Money carriage = tariffs.get(request.service()).carriage(weight, route);
        List<Line> lines = new ArrayList<>();
        lines.add(new Line("carriage", carriage));
        for (Surcharge surcharge : surcharges) {
            Money amount = surcharge.amount(request, carriage);
            if (!amount.equals(Money.ZERO)) {
                lines.add(new Line(surcharge.label(), amount));
            }
        }
        return new Quote(weight, route, List.copyOf(lines));
    }
}
