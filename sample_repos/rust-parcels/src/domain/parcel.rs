//! Which parcel is it, and how far has it come?

use super::event::Event;

/// A parcel and everything that is known to have happened to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    number: String,
    events: Vec<Event>,
}

impl Parcel {
    /// A parcel that nothing has happened to yet.
    pub fn new(number: impl Into<String>) -> Self {
        Parcel { number: number.into(), events: Vec::new() }
    }

    /// What the label says.
    pub fn number(&self) -> &str {
        &self.number
    }

    /// All scans by time; those of the same minute in the order in which they came in.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Inserts a scan in its place; false if it is known already.
    pub fn record(&mut self, event: Event) -> bool {
        if self.events.contains(&event) {
            return false;
        }
        let place = self.events.partition_point(|known| known.at <= event.at);
        self.events.insert(place, event);
        true
    }

    /// Whether the journey has ended.
    pub fn is_finished(&self) -> bool {
        self.events.last().is_some_and(|event| event.kind.is_final())
    }
}
