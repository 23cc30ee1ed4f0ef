//! Country calling codes: which first digits of an international number are a country's.
//!
//! Fixed here, so that an [`E164`](super::E164) can be taken apart without loading the numbering plans; a test holds the table against them.

/// Every calling code in use, geographic or not.
#[rustfmt::skip]
const CALLING_CODES: [u16; 215] = [
    1, 7, 20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57, 58,
    60, 61, 62, 63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98, 211, 212, 213, 216, 218, 220, 221,
    222, 223, 224, 225, 226, 227, 228, 229, 230, 231, 232, 233, 234, 235, 236, 237, 238, 239, 240, 241, 242, 243,
    244, 245, 246, 247, 248, 249, 250, 251, 252, 253, 254, 255, 256, 257, 258, 260, 261, 262, 263, 264, 265, 266,
    267, 268, 269, 290, 291, 297, 298, 299, 350, 351, 352, 353, 354, 355, 356, 357, 358, 359, 370, 371, 372, 373,
    374, 375, 376, 377, 378, 380, 381, 382, 383, 385, 386, 387, 389, 420, 421, 423, 500, 501, 502, 503, 504, 505,
    506, 507, 508, 509, 590, 591, 592, 593, 594, 595, 596, 597, 598, 599, 670, 672, 673, 674, 675, 676, 677, 678,
    679, 680, 681, 682, 683, 685, 686, 687, 688, 689, 690, 691, 692, 800, 808, 850, 852, 853, 855, 856, 870, 878,
    880, 881, 882, 883, 886, 888, 960, 961, 962, 963, 964, 965, 966, 967, 968, 970, 971, 972, 973, 974, 975, 976,
    977, 979, 992, 993, 994, 995, 996, 998,
];

/// Which numbers of up to three digits are calling codes.
const IS_CODE: [bool; 1_000] = {
    let mut is_code = [false; 1_000];
    let mut at = 0;
    while at < CALLING_CODES.len() {
        is_code[CALLING_CODES[at] as usize] = true;
        at += 1;
    }
    is_code
};

/// The calling code that `digits` begin with, and what follows it. No code is a prefix of another, so there is at most one.
pub(super) fn split(digits: &str) -> Option<(u16, &str)> {
    let mut code = 0;
    for (at, digit) in digits.bytes().enumerate().take(3) {
        if !digit.is_ascii_digit() {
            return None;
        }
        code = 10 * code + u16::from(digit - b'0');
        if code == 0 {
            return None; // No code begins with it, but `01` would read as one that does.
        }
        if IS_CODE[usize::from(code)] {
            return Some((code, &digits[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
pub(super) fn all() -> impl Iterator<Item = u16> {
    CALLING_CODES.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_is_a_prefix_of_another() {
        for code in all() {
            assert_eq!(split(&format!("{code}99")), Some((code, "99")));
        }
    }

    #[test]
    fn unassigned_codes_and_zeros_are_refused() {
        assert_eq!(split("0123"), None);
        assert_eq!(split("2105550123"), None);
        assert_eq!(split("99"), None);
    }
}
