/** How much is it? Whole cents, so that sums are exact. */

export class Money {
  static readonly ZERO = new Money(0);

  private constructor(readonly cents: number) {}

  static ofCents(cents: number): Money {
    return new Money(Math.round(cents));
  }

  plus(other: Money): Money {
    return new Money(this.cents + other.cents);
  }

  /** A multiple, rounded to the nearest cent. */
  times(factor: number): Money {
    return Money.ofCents(this.cents * factor);
  }

  get isZero(): boolean {
    return this.cents === 0;
  }

  toString(): string {
    return (this.cents / 100).toFixed(2);
  }
}
