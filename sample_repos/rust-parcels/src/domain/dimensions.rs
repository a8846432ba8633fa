//! How large is a parcel, and how heavy does that make it?

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

const MAX_EDGE_CM: u32 = 150;

/// A weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grams(pub u32);

impl FromStr for Grams {
    type Err = Error;

    /// Reads kilograms with up to three decimals, like `4.2`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = || Error::invalid("a weight in kilograms like 4.2", text);
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        if decimals.len() > 3 {
            return Err(invalid());
        }
        let kilograms: u32 = whole.parse().map_err(|_| invalid())?;
        let grams: u32 = format!("{decimals:0<3}").parse().map_err(|_| invalid())?;
        kilograms.checked_mul(1000).and_then(|g| g.checked_add(grams)).map(Grams).ok_or_else(invalid)
    }
}

impl fmt::Display for Grams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} kg", self.0 / 1000, self.0 % 1000 / 100)
    }
}

/// The outside of a box, in centimetres.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dimensions {
    length: u32,
    width: u32,
    height: u32,
}

impl Dimensions {
    /// Cubic centimetres.
    pub fn volume(&self) -> u32 {
        self.length * self.width * self.height
    }

    /// The weight that the box is charged like, where `divisor` cubic centimetres make a kilogram.
    pub fn volumetric(&self, divisor: u32) -> Grams {
        Grams(self.volume() / divisor * 1000)
    }

    /// The longest edge in centimetres.
    pub fn longest(&self) -> u32 {
        self.length.max(self.width).max(self.height)
    }
}

impl FromStr for Dimensions {
    type Err = Error;

    /// Reads `40x30x20`, each edge from 1 to 150.
    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = || Error::invalid("a size like 40x30x20", text);
        let edges: Vec<u32> =
            text.split('x').map(str::parse).collect::<Result<_, _>>().map_err(|_| invalid())?;
        match edges[..] {
            [length, width, height] if edges.iter().all(|edge| (1..=MAX_EDGE_CM).contains(edge)) => {
                Ok(Dimensions { length, width, height })
            }
            _ => Err(invalid()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_three_edges() {
        let size: Dimensions = "50x40x30".parse().unwrap();
        assert_eq!((size.volume(), size.longest()), (60_000, 50));
        for wrong in ["50x40", "0x1x1", "1x1x151", "axbxc", ""] {
            assert!(wrong.parse::<Dimensions>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn volume_is_charged_like_weight() {
        let size: Dimensions = "50x40x30".parse().unwrap();
        assert_eq!(size.volumetric(5000), Grams(12_000));
        assert_eq!(size.volumetric(6000), Grams(10_000));
    }

    #[test]
    fn weights_have_up_to_three_decimals() {
        assert_eq!("4.2".parse(), Ok(Grams(4_200)));
        assert_eq!("12".parse(), Ok(Grams(12_000)));
        assert!("1.2345".parse::<Grams>().is_err());
        assert!("-1".parse::<Grams>().is_err());
    }
}
