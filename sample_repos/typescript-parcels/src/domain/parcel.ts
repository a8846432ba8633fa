/** Which parcel is it, and how far has it come? */

import { type ParcelEvent, isFinal } from "./event.js";

export class Parcel {
  readonly #events: ParcelEvent[] = [];

  constructor(readonly number: string) {}

  /** Everything that is known to have happened, by time. */
  get events(): readonly ParcelEvent[] {
    return this.#events;
  }

  get latest(): ParcelEvent | undefined {
    return this.#events.at(-1);
  }

  get finished(): boolean {
    return this.latest !== undefined && isFinal(this.latest.kind);
  }

  /** Inserts an event behind all that are not later; false if that very scan is known already. */
  record(event: ParcelEvent): boolean {
    if (this.#events.some((known) => sameScan(known, event))) return false;
    const later = this.#events.findIndex((known) => known.at > event.at);
    this.#events.splice(later < 0 ? this.#events.length : later, 0, event);
    return true;
  }
}

function sameScan(one: ParcelEvent, other: ParcelEvent): boolean {
  return +one.at === +other.at && one.kind === other.kind && one.hub === other.hub;
}
