//! What a parcel is, and what happened to it.

mod dimensions;
mod event;
mod parcel;

pub use dimensions::{Dimensions, Grams};
pub use event::{Event, EventKind};
pub use parcel::Parcel;
