package org.example.parcels.pricing;

import java.math.BigDecimal;

/** What is added to the carriage, and why. */
public sealed interface Surcharge {
    /** The amount for a request, zero where the surcharge does not apply. */
    Money amount(QuoteDesk.Request request, Money carriage);

    String label();

    /** A share of the carriage, for fuel. */
    record Fuel(BigDecimal percent) implements Surcharge {
        @Override
        public Money amount(QuoteDesk.Request request, Money carriage) {
            return carriage.times(percent.movePointLeft(2));
        }

        @Override
        public String label() {
            return "fuel";
        }
    }

    /** A fixed price for parcels that are carried by hand. */
    record Fragile(Money price) implements Surcharge {
        @Override
        public Money amount(QuoteDesk.Request request, Money carriage) {
            return request.fragile() ? price : Money.ZERO;
        }

        @Override
        public String label() {
            return "fragile";
        }
    }
}
