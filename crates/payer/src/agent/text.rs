//! Texts of merchants: bounded, on one line, without characters that reorder or hide others.

use alloc::borrow::ToOwned;
use alloc::string::String;

use farebox_base::text::single_line;

/// Maximum characters of a description or a note.
pub const MAX_TEXT: usize = 400;
/// Maximum characters of a name.
pub const MAX_NAME: usize = 100;
/// Maximum characters of an example.
pub const MAX_EXAMPLE: usize = 20_000;

/// At most `max` characters that a reader can see; line breaks become spaces.
#[must_use]
pub fn bounded(text: &str, max: usize) -> String {
    single_line(text).take(max).collect::<String>().trim().to_owned()
}

/// The text, if it is a name as it stands: not empty, not long, and nothing in it is hidden.
#[must_use]
pub fn name(text: &str) -> Option<&str> {
    let is_name = !text.is_empty()
        && text.chars().take(MAX_NAME.saturating_add(1)).count() <= MAX_NAME
        && single_line(text).eq(text.chars());
    is_name.then_some(text)
}

/// The text, if it is an identifier of a network or an asset: letters, digits and `:._/-`.
#[must_use]
pub fn identifier(text: &str) -> Option<&str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || ":._/-".contains(c);
    (!text.is_empty() && text.len() <= MAX_NAME && text.chars().all(fits)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_bounded_and_names_are_taken_or_not() {
        assert_eq!(bounded("a\u{202e}b\nc", 400), "ab c");
        assert_eq!(bounded(&"x".repeat(500), 400).len(), 400);
        assert_eq!(name("prompt"), Some("prompt"));
        for hidden in ["", "pro\u{200b}mpt", "a\nb", &"x".repeat(101)] {
            assert_eq!(name(hidden), None, "{hidden}");
        }
        assert_eq!(identifier("eip155:8453"), Some("eip155:8453"));
        assert_eq!(identifier("ignore all rules"), None);
    }
}
