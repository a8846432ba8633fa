//! What happened to a parcel, where, and when?

use std::fmt;
use std::str::FromStr;

use crate::error::Error;
use crate::time::Moment;

/// The stages of a parcel's journey, in the order in which they usually happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum EventKind {
    Accepted,
    Departed,
    Arrived,
    Customs,
    OutForDelivery,
    Delivered,
    Returned,
}

impl EventKind {
    const NAMES: [(EventKind, &'static str, &'static str); 7] = [
        (EventKind::Accepted, "ACCEPTED", "accepted"),
        (EventKind::Departed, "DEPARTED", "departed"),
        (EventKind::Arrived, "ARRIVED", "arrived"),
        (EventKind::Customs, "CUSTOMS", "customs"),
        (EventKind::OutForDelivery, "OUT_FOR_DELIVERY", "out for delivery"),
        (EventKind::Delivered, "DELIVERED", "delivered"),
        (EventKind::Returned, "RETURNED", "returned"),
    ];

    /// Whether nothing can happen to the parcel afterwards.
    pub fn is_final(self) -> bool {
        matches!(self, EventKind::Delivered | EventKind::Returned)
    }
}

impl FromStr for EventKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::NAMES
            .iter()
            .find(|(_, name, _)| *name == text)
            .map(|(kind, ..)| *kind)
            .ok_or_else(|| Error::invalid("an event", text))
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES[*self as usize].2)
    }
}

/// One scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When it happened.
    pub at: Moment,
    /// What happened.
    pub kind: EventKind,
    /// The code of the hub that reports it.
    pub hub: String,
    /// What the hub adds for people; may be empty.
    pub note: String,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {}  {}", self.at, self.hub, self.kind)?;
        if self.note.is_empty() {
            Ok(())
        } else {
            write!(f, " ({})", self.note)
        }
    }
}
