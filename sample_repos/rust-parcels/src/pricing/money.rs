//! How much is it? Whole cents, so that sums are exact.

use std::fmt;
use std::iter::Sum;
use std::ops::Add;

/// An amount of money in cents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Money(pub u64);

impl Money {
    /// A fraction of the amount, rounded half up to the cent.
    #[must_use]
    pub fn share(self, numerator: u64, denominator: u64) -> Money {
        Money((self.0 * numerator + denominator / 2) / denominator)
    }
}

impl Add for Money {
    type Output = Money;

    fn add(self, other: Money) -> Money {
        Money(self.0 + other.0)
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Money>>(amounts: I) -> Money {
        amounts.fold(Money::default(), Add::add)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{:02}", self.0 / 100, self.0 % 100))
    }
}
