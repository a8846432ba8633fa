/** Which hubs are there, and which links lead from one to the next? */

import { readFileSync } from "node:fs";
import type { Leg } from "../domain/index.js";
import { type Result, fail, ok } from "../result.js";

/** What a customer pays for, and so what a route is chosen by. */
export type Service = "economy" | "express";

export const SERVICES: Readonly<Record<Service, (leg: Leg) => number>> = {
  economy: (leg) => leg.km,
  express: (leg) => leg.hours,
};

export function isService(text: string): text is Service {
  return Object.hasOwn(SERVICES, text);
}

interface NetworkFile {
  readonly hubs: Readonly<Record<string, string>>;
  readonly links: readonly (Leg & { readonly hoursBack?: number })[];
}

/** A directed graph of hubs. */
export class Network {
  readonly #cities: ReadonlyMap<string, string>;
  readonly #departures = new Map<string, Leg[]>();

  constructor(file: NetworkFile) {
    this.#cities = new Map(Object.entries(file.hubs));
    for (const { from, to, km, hours, hoursBack = hours } of file.links) {
      this.#add({ from, to, km, hours });
      this.#add({ from: to, to: from, km, hours: hoursBack });
    }
  }

  static read(path: string): Network {
    return new Network(JSON.parse(readFileSync(path, "utf8")) as NetworkFile);
  }

  city(code: string): Result<string> {
    const city = this.#cities.get(code);
    return city === undefined ? fail({ kind: "unknown hub", code }) : ok(city);
  }

  departures(code: string): readonly Leg[] {
    return this.#departures.get(code) ?? [];
  }

  #add(leg: Leg): void {
    const legs = this.#departures.get(leg.from);
    if (legs === undefined) this.#departures.set(leg.from, [leg]);
    else legs.push(leg);
  }
}
