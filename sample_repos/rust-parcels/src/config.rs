//! What did the operator decide? Lines of `name = value` over the defaults.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::notify::{QuietHours, Subscription};
use crate::pricing::{Money, Surcharge, Tariff};
use crate::routing::Service;

/// The decisions of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Config {
    pub tariffs: BTreeMap<Service, Tariff>,
    pub surcharges: Vec<Surcharge>,
    pub quiet: QuietHours,
    pub subscriptions: Vec<Subscription>,
}

impl Default for Config {
    fn default() -> Self {
        let tariff = |base, per_kg, per_100_km| Tariff {
            base: Money(base),
            per_kg: Money(per_kg),
            per_100_km: Money(per_100_km),
        };
        Config {
            tariffs: BTreeMap::from([
                (Service::Economy, tariff(390, 55, 80)),
                (Service::Express, tariff(890, 120, 145)),
            ]),
            surcharges: vec![
                Surcharge::Fuel(75),
                Surcharge::Bulky { over_cm: 120, price: Money(950) },
            ],
            quiet: QuietHours { from: 21 * 60 + 30, to: 7 * 60 },
            subscriptions: Vec::new(),
        }
    }
}

impl FromStr for Config {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut config = Config::default();
        for (index, line) in text.lines().enumerate() {
            config.set(line).map_err(|cause| cause.at_line(index + 1))?;
        }
        Ok(config)
    }
}

impl Config {
    fn set(&mut self, line: &str) -> Result<()> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let (name, value) = line.split_once('=').ok_or_else(|| Error::invalid("a setting", line))?;
        let value = value.trim();
        match name.trim() {
            "quiet.from" => self.quiet.from = minute_of_day(value)?,
            "quiet.to" => self.quiet.to = minute_of_day(value)?,
            other => {
                let address = other
                    .strip_prefix("subscriber.")
                    .ok_or_else(|| Error::invalid("the name of a setting", other))?;
                let kinds = value.split(',').map(|kind| kind.trim().parse()).collect::<Result<_>>()?;
                self.subscriptions.push(Subscription { address: address.to_owned(), kinds });
            }
        }
        Ok(())
    }
}

/// Reads `21:30`.
fn minute_of_day(text: &str) -> Result<u32> {
    let invalid = || Error::invalid("a time of day like 21:30", text);
    let (hour, minute) = text.split_once(':').ok_or_else(invalid)?;
    match (hour.parse(), minute.parse()) {
        (Ok(hour @ 0..=23u32), Ok(minute @ 0..=59u32)) => Ok(hour * 60 + minute),
        _ => Err(invalid()),
    }
}
