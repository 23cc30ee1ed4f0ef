//! Number plans, just enough of them to make numbers that look right.

/// Serial numbers from here on belong to people abroad, so that a country met both as home and as abroad repeats none.
pub(super) const ABROAD: u64 = 600_000;
/// Serial numbers from here on are second numbers.
pub(super) const SECOND: u64 = 1_200_000;
/// Coprime to every modulus below, so that multiplying by it only shuffles.
const SHUFFLE: u64 = 7_368_787;

/// How mobile numbers of one country are made and written.
#[derive(Debug)]
pub(super) struct Country {
    pub(super) region: &'static str,
    code: &'static str,
    /// What every number starts with.
    prefix: &'static str,
    /// Digits after the prefix.
    rest: u32,
    /// `#` is a digit of the national number, `0` … `9` and the rest stand for themselves.
    pub(super) international: &'static str,
    /// The same with spaces.
    pub(super) spaced: &'static str,
    /// Forms without a country code, for people of the account's own country; none where such a number would read differently.
    pub(super) national: Option<&'static [&'static str]>,
}

const fn plan(region: &'static str, code: &'static str, prefix: &'static str, rest: u32) -> Country {
    Country { region, code, prefix, rest, international: "+", spaced: "+", national: None }
}

/// The countries people come from.
pub(super) static COUNTRIES: [Country; 11] = [
    Country {
        international: "+1 ###-###-####",
        spaced: "+1 ### ### ####",
        national: Some(&["(###) ###-####", "###-###-####", "###.###.####", "##########", "1##########"]),
        ..plan("US", "1", "617", 7)
    },
    Country {
        international: "+44 #### ######",
        spaced: "+44 #### ######",
        national: Some(&["0#### ######", "0##########"]),
        ..plan("GB", "44", "741", 7)
    },
    Country {
        international: "+49 #### #######",
        spaced: "+49 #### #######",
        national: Some(&["0#### #######", "0###########"]),
        ..plan("DE", "49", "1511", 7)
    },
    Country {
        international: "+33 # ## ## ## ##",
        spaced: "+33 # ## ## ## ##",
        national: Some(&["0# ## ## ## ##", "0#########"]),
        ..plan("FR", "33", "61", 7)
    },
    Country {
        international: "+7 ### ###-##-##",
        spaced: "+7 ### ### ## ##",
        national: Some(&["8##########", "8 (###) ###-##-##", "7##########", "##########"]),
        ..plan("RU", "7", "926", 7)
    },
    Country {
        international: "+55 ## #####-####",
        spaced: "+55 ## ##### ####",
        national: Some(&["(##) #####-####", "###########"]),
        ..plan("BR", "55", "1199", 7)
    },
    Country {
        international: "+34 ### ## ## ##",
        spaced: "+34 ### ## ## ##",
        national: Some(&["### ## ## ##", "#########"]),
        ..plan("ES", "34", "61", 7)
    },
    Country {
        international: "+61 ### ### ###",
        spaced: "+61 ### ### ###",
        national: Some(&["0### ### ###", "0#########"]),
        ..plan("AU", "61", "41", 7)
    },
    Country {
        international: "+91 ##### #####",
        spaced: "+91 ##### #####",
        national: Some(&["0##### #####", "##########"]),
        ..plan("IN", "91", "981", 7)
    },
    Country {
        international: "+380 ## ### ####",
        spaced: "+380 ## ### ## ##",
        national: Some(&["0## ### ####", "0#########"]),
        ..plan("UA", "380", "67", 7)
    },
    Country {
        international: "+52 ## #### ####",
        spaced: "+52 ## #### ####",
        national: Some(&["## #### ####", "##########"]),
        ..plan("MX", "52", "558", 7)
    },
];

impl Country {
    /// The national number of this serial number; different serials give different numbers.
    pub(super) fn number(&self, serial: u64, seed: u64) -> String {
        let room = 10_u64.pow(self.rest);
        // A subscriber number of the US plan does not begin with 0 or 1.
        let (low, room) = if self.region == "US" { (room / 5, room / 5 * 4) } else { (0, room) };
        let shuffled = low + (serial % room * SHUFFLE + seed % room) % room;
        format!("{}{:0width$}", self.prefix, shuffled, width = self.rest as usize)
    }

    /// The number in one form; `+` is E.164.
    pub(super) fn write(&self, form: &str, nsn: &str) -> String {
        if form == "+" {
            return format!("+{}{nsn}", self.code);
        }
        let mut digits = nsn.chars();
        let spell = |mark| if mark == '#' { digits.next().unwrap_or_default() } else { mark };
        form.chars().map(spell).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_takes_every_digit_of_the_number() {
        for country in &COUNTRIES {
            let nsn = country.number(1, 7);
            let forms = [country.international, country.spaced]
                .into_iter()
                .chain(country.national.into_iter().flatten().copied());
            for form in forms {
                let marks = form.matches('#').count();
                assert_eq!(marks, nsn.len(), "{} {form}", country.region);
            }
        }
    }

    #[test]
    fn different_serials_give_different_numbers() {
        for country in &COUNTRIES {
            let numbers: std::collections::HashSet<String> =
                (0..2_000).map(|serial| country.number(serial * 997, 7)).collect();
            assert_eq!(numbers.len(), 2_000, "{}", country.region);
        }
    }
}
