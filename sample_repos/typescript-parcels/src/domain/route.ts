/** Which hubs does a parcel pass, and how long does that take? */

export interface Leg {
  readonly from: string;
  readonly to: string;
  readonly km: number;
  readonly hours: number;
}

/** A chain of legs. A route without legs stays at its only hub. */
export class Route implements Iterable<Leg> {
  constructor(
    readonly start: string,
    readonly legs: readonly Leg[],
  ) {}

  [Symbol.iterator](): Iterator<Leg> {
    return this.legs[Symbol.iterator]();
  }

  get hubs(): string[] {
    return [this.start, ...this.legs.map((leg) => leg.to)];
  }

  get km(): number {
    return this.#sum((leg) => leg.km);
  }

  get hours(): number {
    return this.#sum((leg) => leg.hours);
  }

  #sum(measure: (leg: Leg) => number): number {
    return this.legs.reduce((total, leg) => total + measure(leg), 0);
  }
}
