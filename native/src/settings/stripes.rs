//! How many stripes a node is told to have: no more than it may hold entries.

use super::{Layers, SettingError, auto};

/// Each stripe has its share of the entries, and no share is less than one.
pub(super) fn read(layers: &Layers) -> Result<Option<usize>, SettingError> {
    let stripes = layers.parse("stripes", |t| auto(t, 64).filter(|n| n.is_none_or(usize::is_power_of_two)))?;
    let capacity: Option<u64> = layers.text("capacity").parse().ok();
    match (stripes, capacity) {
        (Some(stripes), Some(capacity)) if stripes as u64 > capacity => {
            let detail =
                format!("{stripes} stripes do not share out {capacity} entries (--capacity): each has one at least");
            Err(layers.error("stripes", Some(detail)))
        }
        _ => Ok(stripes),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    #[test]
    fn no_stripe_is_without_an_entry() {
        let check = |stripes: &str, capacity: &str, fine: bool| {
            let mut layers = Layers::defaults();
            layers.add_flag("stripes", stripes);
            layers.add_flag("capacity", capacity);
            let seen = Settings::resolve(&layers).map_err(|error| error.to_string());
            let expected = format!("{stripes} stripes do not share out {capacity} entries (--capacity)");
            assert!(seen.is_ok() == fine, "{seen:?}");
            assert!(seen.is_ok() || seen.is_err_and(|said| said.contains(&expected)), "{expected}");
        };
        check("64", "10", false);
        check("8", "7", false);
        check("8", "8", true);
        check("64", "unlimited", true);
        check("auto", "1", true);
    }
}
