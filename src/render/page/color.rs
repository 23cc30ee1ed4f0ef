//! Tag colours: any colour of the CRM as the ground, black or white as the ink, whichever can be read on it.

/// A colour that can stand behind text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ground {
    /// `#rrggbb`, checked: nothing else reaches the page.
    pub(super) fill: String,
    /// The class of the ink: `black` or `white`.
    pub(super) ink: &'static str,
}

impl Ground {
    /// Reads `#rrggbb`. One of black and white always has a contrast of at least 4.58 to 1, so every tag meets WCAG AA.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let luminance = luminance(text)?;
        let black = contrast(luminance, 0.0);
        let white = contrast(luminance, 1.0);
        Some(Self { fill: text.to_ascii_lowercase(), ink: if black >= white { "black" } else { "white" } })
    }
}

/// Relative luminance (WCAG 2.2) of `#rrggbb`.
pub(super) fn luminance(text: &str) -> Option<f64> {
    let digits =
        text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
    let [_, red, green, blue] = u32::from_str_radix(digits, 16).ok()?.to_be_bytes().map(linear);
    Some(0.2126 * red + 0.7152 * green + 0.0722 * blue)
}

fn linear(channel: u8) -> f64 {
    let value = f64::from(channel) / 255.0;
    if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

/// Contrast ratio (WCAG 2.2) of two luminances, in any order.
pub(super) fn contrast(one: f64, other: f64) -> f64 {
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::STYLE;
    use super::*;

    #[test]
    fn every_tag_can_be_read() {
        for red in (0..=255_u8).step_by(15) {
            for green in (0..=255_u8).step_by(15) {
                for blue in (0..=255_u8).step_by(15) {
                    let ground = Ground::parse(&format!("#{red:02x}{green:02x}{blue:02x}")).unwrap();
                    let ink = if ground.ink == "black" { 0.0 } else { 1.0 };
                    let ratio = contrast(luminance(&ground.fill).unwrap(), ink);
                    assert!(ratio >= 4.5, "{} on {}: {ratio}", ground.ink, ground.fill);
                }
            }
        }
    }

    #[test]
    fn what_is_not_a_colour_is_none() {
        for text in ["", "red", "#fff", "#12345g", "#1234567", "123456", "#\"/><a>", "#+12345"] {
            assert_eq!(Ground::parse(text), None, "{text}");
        }
    }

    /// The custom properties of one block of the style sheet.
    fn palette(block: &str) -> HashMap<&str, f64> {
        block
            .lines()
            .filter_map(|line| line.trim().strip_prefix("--")?.strip_suffix(';')?.split_once(": "))
            .map(|(name, value)| (name, luminance(value).unwrap()))
            .collect()
    }

    #[test]
    fn the_palette_meets_aa_in_light_and_dark() {
        let (light, rest) = STYLE.split_once("@media (prefers-color-scheme: dark)").unwrap();
        let (dark, _) = rest.split_once("* {").unwrap();
        let (light, dark) = (palette(light), palette(dark));
        assert_eq!(light.len(), dark.len(), "each colour has a dark twin");

        let pairs = [
            ("ink", "surface"),
            ("ink", "raised"),
            ("ink", "ground"),
            ("ink", "open-ground"),
            ("quiet", "surface"),
            ("quiet", "raised"),
            ("quiet", "ground"),
            ("accent", "surface"),
            ("accent", "raised"),
            ("accent", "ground"),
            ("on-accent", "accent"),
            ("good", "good-ground"),
            ("bad", "bad-ground"),
            ("bad", "surface"),
            ("warn", "warn-ground"),
        ];
        for (name, palette) in [("light", light), ("dark", dark)] {
            for (ink, ground) in pairs {
                let ratio = contrast(palette[ink], palette[ground]);
                assert!(ratio >= 4.5, "{name}: {ink} on {ground} is {ratio:.2}");
            }
        }
    }
}
