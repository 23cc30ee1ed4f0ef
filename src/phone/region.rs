//! Regions: under whose rules a number without country code is read.

use std::fmt;
use std::str::FromStr;

/// Every region that libphonenumber has a numbering plan for, sorted.
///
/// Fixed here, so that configuration can be checked without loading the plans; a test holds the table against them.
#[rustfmt::skip]
const REGIONS: &str = "\
    AC AD AE AF AG AI AL AM AO AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BW BY BZ CA \
    CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR \
    GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GT GU GW GY HK HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP \
    KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR \
    MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PR PS PT PW PY QA RE RO \
    RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TA TC TD TG TH TJ TK TL TM TN TO TR TT \
    TV TW TZ UA UG US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";

/// How many regions there are.
const COUNT: u8 = 245;

/// A region with a numbering plan: two upper-case ISO 3166 letters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Region(u8);

impl Region {
    /// Every region, in alphabetical order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..COUNT).map(Self)
    }

    /// The two letters.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        let at = self.index() * 3;
        &REGIONS[at..at + 2]
    }

    /// Its place in alphabetical order.
    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// Not two letters that libphonenumber has a numbering plan for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a region with a numbering plan (two ISO 3166 letters, such as US)")]
pub struct UnknownRegion;

impl FromStr for Region {
    type Err = UnknownRegion;

    fn from_str(text: &str) -> Result<Self, UnknownRegion> {
        Self::all().find(|region| region.as_str().eq_ignore_ascii_case(text)).ok_or(UnknownRegion)
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for Region {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole_and_sorted() {
        let letters: Vec<_> = REGIONS.split(' ').collect();
        assert!(letters.is_sorted());
        assert_eq!(Region::all().map(Region::as_str).collect::<Vec<_>>(), letters);
    }

    #[test]
    fn case_does_not_matter() {
        assert_eq!("us".parse::<Region>().map(Region::as_str), Ok("US"));
        assert_eq!("Gb".parse::<Region>().unwrap().to_string(), "GB");
    }

    #[test]
    fn what_has_no_plan_is_refused() {
        for text in ["", "U", "USA", "XX", "001", "U ", "ÜS", "US GB"] {
            assert_eq!(text.parse::<Region>(), Err(UnknownRegion), "{text}");
        }
    }
}
