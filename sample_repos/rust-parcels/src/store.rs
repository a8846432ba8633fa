//! Where are parcels kept?

use std::collections::BTreeMap;

use crate::domain::Parcel;
use crate::error::{Error, Result};
use crate::feed::Scan;

/// The parcels of this process, by number.
#[derive(Debug, Default)]
pub struct Store {
    parcels: BTreeMap<String, Parcel>,
}

impl Store {
    /// The parcel of that number.
    pub fn get(&self, number: &str) -> Result<&Parcel> {
        self.parcels.get(number).ok_or_else(|| Error::UnknownParcel(number.to_owned()))
    }

    /// All parcels by number.
    pub fn iter(&self) -> impl Iterator<Item = &Parcel> {
        self.parcels.values()
    }

    /// Records a scan, creating the parcel on its first one; false if the scan is known already.
    pub fn ingest(&mut self, scan: &Scan) -> bool {
        self.parcels
            .entry(scan.number.clone())
            .or_insert_with(|| Parcel::new(&scan.number))
            .record(scan.event.clone())
    }
}
