/** Where are parcels kept? In memory, built from the feed. */

import { Parcel } from "./domain/index.js";
import type { Scan } from "./feed.js";
import { type Result, fail, ok } from "./result.js";

export class ParcelStore implements Iterable<Parcel> {
  readonly #parcels = new Map<string, Parcel>();

  get(number: string): Result<Parcel> {
    const parcel = this.#parcels.get(number);
    return parcel === undefined ? fail({ kind: "unknown parcel", number }) : ok(parcel);
  }

  /** Records scans, creating parcels on their first one; returns the scans that were news. */
  ingest(scans: Iterable<Scan>): Scan[] {
    return [...scans].filter(({ number, event }) => this.#parcelOf(number).record(event));
  }

  /** Iterates by number. */
  *[Symbol.iterator](): Iterator<Parcel> {
    const numbers = [...this.#parcels.keys()].sort();
    for (const number of numbers) yield this.#parcelOf(number);
  }

  #parcelOf(number: string): Parcel {
    const known = this.#parcels.get(number);
    if (known !== undefined) return known;
    const parcel = new Parcel(number);
    this.#parcels.set(number, parcel);
    return parcel;
  }
}
