package org.example.parcels.pricing;

import java.math.BigDecimal;
import java.math.RoundingMode;

/** An amount in whole cents, so that sums are exact. */
public record Money(long cents) {
    public static final Money ZERO = new Money(0);

    /** From a decimal amount, half a cent rounded up. */
    public static Money of(String amount) {
        return rounded(new BigDecimal(amount).movePointRight(2));
    }

    public Money plus(Money other) {
        return new Money(Math.addExact(cents, other.cents));
    }

    /** A multiple, rounded half up to the cent. */
    public Money times(BigDecimal factor) {
        return rounded(BigDecimal.valueOf(cents).multiply(factor));
    }

    private static Money rounded(BigDecimal cents) {
        return new Money(cents.setScale(0, RoundingMode.HALF_UP).longValueExact());
    }

    @Override
    public String toString() {
        return BigDecimal.valueOf(cents, 2).toPlainString();
    }
}
