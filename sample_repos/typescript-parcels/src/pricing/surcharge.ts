/** What is added to the carriage, and why? */

import type { QuoteRequest } from "./desk.js";
import { Money } from "./money.js";

/** The surcharges of an installation: percentages of the carriage, and amounts in cents. */
export interface SurchargeRates {
  readonly fuelPercent: number;
  readonly handling: number;
  readonly fragile: number;
}

export interface Surcharge {
  readonly name: string;
  amount(request: QuoteRequest, carriage: Money): Money;
}

class Share implements Surcharge {
  constructor(
    readonly name: string,
    private readonly percent: number,
  ) {}

  amount(_request: QuoteRequest, carriage: Money): Money {
    return carriage.times(this.percent / 100);
  }
}

class Flat implements Surcharge {
  constructor(
    readonly name: string,
    private readonly cents: number,
    private readonly applies: (request: QuoteRequest) => boolean = () => true,
  ) {}

  amount(request: QuoteRequest): Money {
    return this.applies(request) ? Money.ofCents(this.cents) : Money.ZERO;
  }
}

/** The surcharges in the order in which a quote lists them. */
export function surchargesFrom(rates: SurchargeRates): readonly Surcharge[] {
  return [
    new Share("fuel", rates.fuelPercent),
    new Flat("handling", rates.handling),
    new Flat("fragile", rates.fragile, (request) => request.fragile),
  ];
}
