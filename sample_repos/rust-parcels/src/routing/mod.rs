//! How one gets from hub to hub.

mod network;
mod search;

pub use network::{Leg, Network, Service};
pub use search::Route;
