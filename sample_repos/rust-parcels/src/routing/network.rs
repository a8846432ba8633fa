//! Which hubs are there, and which links lead from one to the next?

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::error::{Error, Result};

/// One link, in the direction of travel.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Leg {
    pub from: String,
    pub to: String,
    pub km: u32,
    pub hours: u32,
}

/// What a customer pays for, and so what a route is chosen by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// The fewest kilometres.
    Economy,
    /// The fewest hours.
    Express,
}

impl Service {
    /// What a leg adds to the cost of a route.
    pub fn cost(self, leg: &Leg) -> u32 {
        match self {
            Service::Economy => leg.km,
            Service::Express => leg.hours,
        }
    }
}

impl FromStr for Service {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "economy" => Ok(Service::Economy),
            "express" => Ok(Service::Express),
            _ => Err(Error::invalid("a service (economy, express)", text)),
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Hub {
    city: String,
    departures: Vec<Leg>,
}

/// A directed graph of hubs.
#[derive(Debug, Clone, Default)]
pub struct Network {
    hubs: BTreeMap<String, Hub>,
}

impl Network {
    /// The city of a hub.
    pub fn city(&self, code: &str) -> Result<&str> {
        self.hub(code).map(|hub| hub.city.as_str())
    }

    /// The legs that leave a hub.
    pub fn departures(&self, code: &str) -> Result<&[Leg]> {
        self.hub(code).map(|hub| hub.departures.as_slice())
    }

    fn hub(&self, code: &str) -> Result<&Hub> {
        self.hubs.get(code).ok_or_else(|| Error::UnknownHub(code.to_owned()))
    }

    fn connect(&mut self, from: &str, to: &str, km: u32, hours: u32) -> Result<()> {
        self.hub(to)?;
        let hub = self.hubs.get_mut(from).ok_or_else(|| Error::UnknownHub(from.to_owned()))?;
        hub.departures.push(Leg { from: from.to_owned(), to: to.to_owned(), km, hours });
        Ok(())
    }

    fn add_line(&mut self, line: &str) -> Result<()> {
        let number = |text: &str| text.parse().map_err(|_| Error::invalid("a whole number", text));
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["hub", code, city] => {
                self.hubs.insert(code.to_owned(), Hub { city: city.to_owned(), ..Hub::default() });
                Ok(())
            }
            ["link", from, to, km, hours] => {
                self.connect(from, to, number(km)?, number(hours)?)?;
                self.connect(to, from, number(km)?, number(hours)?)
            }
            ["link", from, to, km, hours, hours_back] => {
                self.connect(from, to, number(km)?, number(hours)?)?;
                self.connect(to, from, number(km)?, number(hours_back)?)
            }
            _ => Err(Error::invalid("a hub or a link", line)),
        }
    }
}

impl FromStr for Network {
    type Err = Error;

    /// Reads lines like `hub HAM Hamburg` and `link BER PRG 350 5 9`: kilometres, hours, and the
    /// hours on the way back where they differ.
    fn from_str(text: &str) -> Result<Self> {
        let mut network = Network::default();
        for (index, line) in text.lines().enumerate() {
            network.add_line(line).map_err(|cause| cause.at_line(index + 1))?;
        }
        Ok(network)
    }
}
