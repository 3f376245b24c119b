//! Searches a text for a word.

/// The text before the first place of `word`, and after it.
///
/// As `split_once` does, by comparing at every place: a page then loads no search for long words.
///
/// # Examples
/// ```
/// use farebox_base::text::cut;
/// assert_eq!(cut("https://a.example://", "://"), Some(("https", "a.example://")));
/// assert_eq!(cut("h\u{e9}://", "://"), Some(("h\u{e9}", "")));
/// assert_eq!(cut("a.example", "://"), None);
/// assert_eq!(cut("://", "a longer word"), None);
/// ```
#[must_use]
pub fn cut<'a>(text: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    let end = text.len().checked_sub(word.len())?;
    (0..=end).find_map(|at| {
        let (before, rest) = text.split_at_checked(at)?;
        Some((before, rest.strip_prefix(word)?))
    })
}
