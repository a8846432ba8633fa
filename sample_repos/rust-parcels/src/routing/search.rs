//! Which way through the network is the shortest? Dijkstra's algorithm.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt;

use super::network::{Leg, Network, Service};
use crate::error::{Error, Result};

/// A chain of legs; without legs it stays at its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    start: String,
    legs: Vec<Leg>,
}

impl Route {
    /// The legs in the order of travel.
    pub fn legs(&self) -> &[Leg] {
        &self.legs
    }

    /// The length in kilometres.
    pub fn km(&self) -> u32 {
        self.legs.iter().map(|leg| leg.km).sum()
    }

    /// The time that it takes.
    pub fn hours(&self) -> u32 {
        self.legs.iter().map(|leg| leg.hours).sum()
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.start)?;
        self.legs.iter().try_for_each(|leg| write!(f, " > {}", leg.to))
    }
}

impl Network {
    /// The route of least cost; among equals, the one that reaches hubs of smaller code first.
    pub fn shortest(&self, from: &str, to: &str, service: Service) -> Result<Route> {
        self.city(to)?;
        let mut arrived_by: BTreeMap<&str, Option<&Leg>> = BTreeMap::new();
        let mut best: BTreeMap<&str, (u32, Option<&Leg>)> = BTreeMap::from([(from, (0, None))]);
        let mut frontier = BinaryHeap::from([Reverse((0, from))]);
        while let Some(Reverse((cost, here))) = frontier.pop() {
            if arrived_by.contains_key(here) {
                continue;
            }
            arrived_by.insert(here, best[here].1);
            if here == to {
                return Ok(Route { start: from.to_owned(), legs: trace(&arrived_by, to) });
            }
            for leg in self.departures(here)? {
                let offer = cost + service.cost(leg);
                if best.get(leg.to.as_str()).map_or(true, |(known, _)| offer < *known) {
                    best.insert(&leg.to, (offer, Some(leg)));
                    frontier.push(Reverse((offer, &leg.to)));
                }
            }
        }
        Err(Error::NoRoute(from.to_owned(), to.to_owned()))
    }
}

fn trace(arrived_by: &BTreeMap<&str, Option<&Leg>>, to: &str) -> Vec<Leg> {
    let arrival = |hub: &str| arrived_by.get(hub).copied().flatten();
    let mut legs: Vec<Leg> =
        std::iter::successors(arrival(to), |leg| arrival(&leg.from)).cloned().collect();
    legs.reverse();
    legs
}
