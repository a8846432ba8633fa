package org.example.parcels.pricing;

import java.math.BigDecimal;
import java.math.RoundingMode;
import org.example.parcels.model.Dimensions;
import org.example.parcels.routing.Route;

/** The prices of one service. */
public record Tariff(Money base, Money perKg, Money per100Km) {
    /** Cubic centimetres that are charged like one kilogram: the usual divisor of road freight. */
    private static final BigDecimal VOLUMETRIC_DIVISOR = BigDecimal.valueOf(5000);

    /** Weights are charged by the started half kilogram. */
    private static final BigDecimal STEP = new BigDecimal("0.5");

    /** The larger of scale and volumetric weight in kilograms, up to the next half kilogram. */
    public static BigDecimal chargeableWeight(BigDecimal scale, Dimensions size) {
        BigDecimal volumetric = BigDecimal.valueOf(size.volume()).divide(VOLUMETRIC_DIVISOR);
        return scale.max(volumetric).divide(STEP, 0, RoundingMode.CEILING).multiply(STEP);
    }

    /** The price of a weight over a route, before surcharges. */
    public Money carriage(BigDecimal weight, Route route) {
        BigDecimal hundreds = BigDecimal.valueOf(route.km(), 2);
        return base.plus(perKg.times(weight)).plus(per100Km.times(hundreds));
    }
}
