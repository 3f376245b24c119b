//! Characters that a reader does not see, or that reorder the text around them.

use alloc::format;
use alloc::string::String;

/// Declares the hidden characters once: as a pattern, and as a class of a regular expression.
macro_rules! hidden {
    ($($first:literal ..= $last:literal),* $(,)?) => {
        /// Whether a character is invisible but affects others. Spec: Unicode,
        /// `Default_Ignorable_Code_Point` and `Bidi_Control`, the annotation marks, the separators of
        /// lines and paragraphs, controls, and characters with an empty glyph.
        #[must_use]
        pub const fn is_hidden(c: char) -> bool {
            matches!(c, $($first..=$last)|*)
        }

        const RANGES: &[(char, char)] = &[$(($first, $last)),*];
    };
}

hidden! {
    '\0'..='\u{1f}', '\u{7f}'..='\u{9f}', '\u{ad}'..='\u{ad}', '\u{34f}'..='\u{34f}',
    '\u{61c}'..='\u{61c}', '\u{115f}'..='\u{1160}', '\u{17b4}'..='\u{17b5}',
    '\u{180b}'..='\u{180f}', '\u{200b}'..='\u{200f}', '\u{2028}'..='\u{202e}',
    '\u{2060}'..='\u{206f}', '\u{2800}'..='\u{2800}', '\u{3164}'..='\u{3164}',
    '\u{fe00}'..='\u{fe0f}', '\u{feff}'..='\u{feff}', '\u{ffa0}'..='\u{ffa0}',
    '\u{fff0}'..='\u{fffc}', '\u{13430}'..='\u{1343f}', '\u{1bca0}'..='\u{1bca3}',
    '\u{1d159}'..='\u{1d159}', '\u{1d173}'..='\u{1d17a}', '\u{e0000}'..='\u{e0fff}',
}

/// The inner part of a class (`[…]`) of all hidden characters, for a regular expression of JavaScript
/// with the flag `u`.
#[must_use]
pub fn hidden_class() -> String {
    let range = |(first, last): &(char, char)| {
        format!("\\u{{{:x}}}-\\u{{{:x}}}", u32::from(*first), u32::from(*last))
    };
    RANGES.iter().map(range).collect()
}

/// Writes a hidden character as its number: `‹U+202E›`.
pub(super) fn show(c: char, out: &mut String) {
    out.push_str(&format!("\u{2039}U+{:04X}\u{203a}", u32::from(c)));
}

/// The characters of a text on one line: breaks and tabs are spaces, other hidden characters are left out.
pub fn single_line(text: &str) -> impl Iterator<Item = char> {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    text.chars().map(move |c| if breaks(c) { ' ' } else { c }).filter(|c| !is_hidden(*c))
}
