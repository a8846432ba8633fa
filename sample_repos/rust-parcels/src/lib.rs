//! Parcel tracking, routing and pricing.
//!
//! The crate is organised by question: [`domain`] says what a parcel is and what happened to it,
//! [`feed`] what the hubs report, [`routing`] how one gets from hub to hub, [`pricing`] what that
//! costs, and [`notify`] who is told. [`cli`] is the only module that touches files.

pub mod cli;
pub mod config;
pub mod domain;
pub mod error;
pub mod feed;
pub mod notify;
pub mod pricing;
pub mod routing;
pub mod store;
pub mod time;

pub use config::Config;
pub use domain::{Dimensions, Event, EventKind, Grams, Parcel};
pub use error::{Error, Result};
pub use pricing::{Money, Quote, QuoteDesk, Request};
pub use routing::{Network, Route, Service};
pub use store::Store;
pub use time::Moment;
