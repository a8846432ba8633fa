//! What it costs.

mod desk;
mod money;
mod weight;

pub use desk::{Quote, QuoteDesk, Request, Surcharge, Tariff};
pub use money::Money;
pub use weight::chargeable;
