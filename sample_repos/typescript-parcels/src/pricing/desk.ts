/** What would it cost to send this parcel, and how long would it take? */

import type { Route, Size } from "../domain/index.js";
import { type Result, map } from "../result.js";
import { type Network, type Service } from "../routing/network.js";
import { shortestRoute } from "../routing/shortest.js";
import { Money } from "./money.js";
import { type SurchargeRates, surchargesFrom } from "./surcharge.js";
import { type Tariff, carriage, chargeableWeight } from "./tariff.js";

export interface QuoteRequest {
  readonly from: string;
  readonly to: string;
  readonly service: Service;
  readonly scaleKg: number;
  readonly size: Size;
  readonly fragile: boolean;
}

export interface QuoteLine {
  readonly name: string;
  readonly amount: Money;
}

/** The answer, line by line: the carriage first; surcharges of zero are left out. */
export interface Quote {
  readonly weightKg: number;
  readonly hours: number;
  readonly lines: readonly QuoteLine[];
  readonly total: Money;
}

/** The part of the configuration that prices come from. */
export interface PriceList {
  readonly tariffs: Readonly<Record<Service, Tariff>>;
  readonly surcharges: SurchargeRates;
}

export class QuoteDesk {
  constructor(
    private readonly network: Network,
    private readonly prices: PriceList,
  ) {}

  quote(request: QuoteRequest): Result<Quote> {
    const route = shortestRoute(this.network, request.from, request.to, request.service);
    return map(route, (found) => this.#price(request, found));
  }

  #price(request: QuoteRequest, route: Route): Quote {
    const weightKg = chargeableWeight(request.scaleKg, request.size);
    const plain = carriage(this.prices.tariffs[request.service], weightKg, route);
    const extras = surchargesFrom(this.prices.surcharges)
      .map((extra) => ({ name: extra.name, amount: extra.amount(request, plain) }))
      .filter((line) => !line.amount.isZero);
    const lines = [{ name: "carriage", amount: plain }, ...extras];
    const total = lines.reduce((sum, line) => sum.plus(line.amount), Money.ZERO);
    return { weightKg, hours: route.hours, lines, total };
  }
}
