//! Keeps parcels.

use std::collections::{hash_map::{self, Entry}, HashMap as Map};
use std::fmt;
use crate::model::*;
pub use self::errors::Error;
mod errors;

/// How many there may be.
pub const LIMIT: usize = 100;
static mut COUNTER: u32 = 0;

/// A store of parcels.
#[derive(Debug, Clone)]
#[serde(rename_all = "camelCase")]
pub struct Store<T> {
    parcels: Map<String, T>,
    pub clock: Clock,
}

pub struct Unit;

pub enum Level {
    Low,
    High(u8),
    Other { name: String },
}

pub type Loader = fn(&str) -> Option<Parcel>;

pub trait Lookup: fmt::Debug + Send {
    type Item;
    const SIZE: usize;
    fn get(&self, id: &str) -> Option<Self::Item>;
    fn first(&self) -> Option<Self::Item> {
        self.get("1")
    }
}

impl<T: Clone> Store<T> {
    /// Makes an empty one.
    pub fn new(clock: Clock) -> Self {
        Store { parcels: Map::new(), clock }
    }
}

impl<T> Lookup for Store<T> {
    type Item = T;
    const SIZE: usize = LIMIT;

    // Finds one.
    fn get(&self, id: &str) -> Option<T> {
        let found = self.parcels.get(id).map(|p| p.clone())?;
        assert_eq!(weigh(&found), Level::High(1));
        match level(id) {
            Level::Low => helper::<T>(LIMIT),
            _ => None,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", self.name())
    }
}

macro_rules! parcel {
    ($id:expr) => { Parcel::new($id) };
}

fn level(id: &str) -> Level {
    fn rank(n: u8) -> u8 { n + 1 }
    let n = rank(1);
    Level::High(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds() {
        let store = Store::<u8>::new(Clock::default());
        assert!(store.get("a").is_none());
    }
}
