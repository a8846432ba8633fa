//! Who is told about an event, and when may they be disturbed?

use crate::domain::EventKind;
use crate::feed::Scan;
use crate::time::Moment;

/// A daily span of minutes in which nobody is disturbed: from `from`, up to but without `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct QuietHours {
    pub from: u32,
    pub to: u32,
}

impl QuietHours {
    /// Whether nobody is disturbed at that minute of the day.
    pub fn covers(&self, minute: u32) -> bool {
        if self.from <= self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }

    /// The moment itself, or the end of the quiet span that it falls into.
    pub fn next_allowed(&self, at: Moment) -> Moment {
        if self.covers(at.minute_of_day()) {
            at.next_at(self.to)
        } else {
            at
        }
    }
}

/// An address that wants to hear of some kinds of events.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Subscription {
    pub address: String,
    pub kinds: Vec<EventKind>,
}

/// What is sent, to whom, and not before when.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Message {
    pub address: String,
    pub send_at: Moment,
    pub text: String,
}

/// The messages that a scan causes, in the order of the subscriptions.
pub fn messages<'a>(
    scan: &'a Scan,
    subscriptions: &'a [Subscription],
    quiet: QuietHours,
) -> impl Iterator<Item = Message> + 'a {
    subscriptions.iter().filter(|s| s.kinds.contains(&scan.event.kind)).map(move |s| Message {
        address: s.address.clone(),
        send_at: quiet.next_allowed(scan.event.at),
        text: format!("{}: {}", scan.number, scan.event),
    })
}
