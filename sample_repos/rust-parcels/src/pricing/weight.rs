//! Which weight is charged?

use crate::domain::{Dimensions, Grams};

/// Cubic centimetres that are charged like one kilogram: the usual divisor of road freight.
const VOLUMETRIC_DIVISOR: u32 = 5000;

/// Weights are charged by the started half kilogram.
const STEP: u32 = 500;

/// The larger of scale and volumetric weight, up to the next half kilogram.
pub fn chargeable(scale: Grams, size: &Dimensions) -> Grams {
    let Grams(heavier) = scale.max(size.volumetric(VOLUMETRIC_DIVISOR));
    Grams(heavier.div_ceil(STEP) * STEP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_started_half_kilogram_is_charged() {
        let small: Dimensions = "10x10x10".parse().unwrap();
        for (scale, charged) in [(1, 500), (500, 500), (501, 1000), (7_250, 7_500)] {
            assert_eq!(chargeable(Grams(scale), &small), Grams(charged));
        }
    }

    #[test]
    fn a_large_box_is_charged_by_its_volume() {
        let large: Dimensions = "50x40x30".parse().unwrap();
        assert_eq!(chargeable(Grams(7_500), &large), Grams(12_000));
        assert_eq!(chargeable(Grams(13_100), &large), Grams(13_500));
    }
}
