//! Which characters no line may hold.

/// Characters that end, quote or expand something in a header, a dialplan or a shell; their canonical twins, which a reader that
/// normalises text turns into them; invisible ones, with which one name could pass for another; and code points that are no characters.
pub(super) fn is_dangerous(character: char) -> bool {
    character.is_control()
        || matches!(character, '"' | '\\' | '<' | '>' | ';' | '$' | '%' | '`')
        || matches!(character, '\u{37e}' | '\u{1fef}' | '\u{226e}' | '\u{226f}')
        || is_invisible(character)
        || is_no_character(character)
}

/// Direction marks, overrides and isolates (they reorder what stands around the name), zero-width and soft breaks, fillers, tags, and the
/// control characters of shorthand, music and hieroglyphs. The joiners U+200C and U+200D stay: Persian and Indian names are spelled with
/// them.
pub(super) fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
        | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}')
}

/// Unicode keeps these for a program's own use; some readers take them for the end of a text.
fn is_no_character(character: char) -> bool {
    let code = u32::from(character);
    (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe
}
