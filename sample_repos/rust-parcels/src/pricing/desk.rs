//! What would it cost to send this parcel, and how long would it take?

use std::collections::BTreeMap;

use super::money::Money;
use super::weight::chargeable;
use crate::domain::{Dimensions, Grams};
use crate::error::{Error, Result};
use crate::routing::{Network, Route, Service};

/// The prices of one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Tariff {
    pub base: Money,
    pub per_kg: Money,
    pub per_100_km: Money,
}

impl Tariff {
    /// The price of a weight over a route, before surcharges.
    pub fn carriage(&self, Grams(weight): Grams, route: &Route) -> Money {
        self.base + self.per_kg.share(weight.into(), 1000) + self.per_100_km.share(route.km().into(), 100)
    }
}

/// What is added to the carriage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surcharge {
    /// A share of the carriage, in thousandths.
    Fuel(u64),
    /// For parcels with an edge of more than `over_cm`.
    Bulky {
        /// Centimetres that go without it.
        over_cm: u32,
        /// What it costs.
        price: Money,
    },
}

impl Surcharge {
    /// The amount with its name; none where the surcharge does not apply.
    fn apply(&self, request: &Request, carriage: Money) -> Option<(&'static str, Money)> {
        match *self {
            Surcharge::Fuel(permille) => Some(("fuel", carriage.share(permille, 1000))),
            Surcharge::Bulky { over_cm, price } => {
                (request.size.longest() > over_cm).then_some(("bulky", price))
            }
        }
    }
}

/// What a customer asks a price for.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Request {
    pub from: String,
    pub to: String,
    pub service: Service,
    pub size: Dimensions,
    pub scale: Grams,
}

/// The answer, line by line: the carriage first.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Quote {
    pub weight: Grams,
    pub hours: u32,
    pub lines: Vec<(&'static str, Money)>,
}

impl Quote {
    /// The sum of all lines.
    pub fn total(&self) -> Money {
        self.lines.iter().map(|(_, amount)| *amount).sum()
    }
}

/// Quotes requests over a network.
#[derive(Debug)]
pub struct QuoteDesk<'a> {
    network: &'a Network,
    tariffs: &'a BTreeMap<Service, Tariff>,
    surcharges: &'a [Surcharge],
}

impl<'a> QuoteDesk<'a> {
    /// A desk with these prices.
    pub fn new(
        network: &'a Network,
        tariffs: &'a BTreeMap<Service, Tariff>,
        surcharges: &'a [Surcharge],
    ) -> Self {
        QuoteDesk { network, tariffs, surcharges }
    }

    /// The price of one request.
    pub fn quote(&self, request: &Request) -> Result<Quote> {
        let route = self.network.shortest(&request.from, &request.to, request.service)?;
        let tariff = self
            .tariffs
            .get(&request.service)
            .ok_or_else(|| Error::Usage(format!("{:?} has no tariff", request.service)))?;
        let weight = chargeable(request.scale, &request.size);
        let carriage = tariff.carriage(weight, &route);
        let extras = self.surcharges.iter().filter_map(|extra| extra.apply(request, carriage));
        let lines = std::iter::once(("carriage", carriage)).chain(extras).collect();
        Ok(Quote { weight, hours: route.hours(), lines })
    }
}
