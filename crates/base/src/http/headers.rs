//! Header fields in order, and the grammar of their values.

use alloc::borrow::{Cow, ToOwned};
use alloc::string::String;
use alloc::vec::Vec;

/// Header fields in order; names are lower case, values without outer white space.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(pub(super) Vec<(String, String)>);

impl Headers {
    /// No fields.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The value of the first field with this lower-case name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// As [`Headers::get`], but an empty value counts as absent.
    #[must_use]
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// The values of every row of this lower-case name, joined by commas as the platform does;
    /// `None` if there is no row, or only an empty one. Spec: RFC 9110 5.3.
    ///
    /// # Examples
    /// ```
    /// use farebox_base::http::Headers;
    /// let lines = "Accept: text/html\naccept: */*\nno field\nx-empty:";
    /// let headers = Headers::from_lines(lines.lines());
    /// assert_eq!(headers.joined("accept").as_deref(), Some("text/html, */*"));
    /// assert_eq!(headers.get("accept"), Some("text/html"));
    /// assert_eq!(headers.joined("x-empty"), None);
    /// ```
    #[must_use]
    pub fn joined(&self, name: &str) -> Option<Cow<'_, str>> {
        let mut rows = self.rows(name);
        let first = rows.next()?;
        let mut list = Cow::Borrowed(first);
        for row in rows {
            list.to_mut().push_str(", ");
            list.to_mut().push_str(row);
        }
        Some(list).filter(|list| !list.is_empty())
    }

    /// The value of each row of this lower-case name, in order.
    pub fn rows<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// Bytes of the block on the wire: each field with its colon, space and line end.
    ///
    /// # Examples
    /// ```
    /// use farebox_base::http::Headers;
    /// let mut headers = Headers::new();
    /// headers.add("Retry-After", " 5 ");
    /// assert_eq!(headers.to_lines(), "retry-after: 5\n");
    /// assert_eq!(headers.block_bytes(), "retry-after: 5\r\n".len());
    /// ```
    #[must_use]
    pub fn block_bytes(&self) -> usize {
        self.0.iter().fold(0, |bytes, (name, value)| {
            bytes.saturating_add(name.len()).saturating_add(value.len()).saturating_add(4)
        })
    }

    /// Adds a field; the name is folded to lower case.
    pub fn add(&mut self, name: &str, value: &str) {
        self.0.push((name.to_ascii_lowercase(), trim(value).to_owned()));
    }

    /// Replaces every field of this lower-case name by one.
    pub fn set(&mut self, name: &str, value: &str) {
        self.remove(name);
        self.add(name, value);
    }

    /// Removes every field of this lower-case name.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(field, _)| field != name);
    }

    /// Keeps the fields for which `keep` holds.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &str) -> bool) {
        self.0.retain(|(name, value)| keep(name, value));
    }

    /// Name and value of each field, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// One `name: value` line per field, the form in which the edges exchange heads.
    #[must_use]
    pub fn to_lines(&self) -> String {
        let mut text = String::new();
        for (name, value) in self.iter() {
            text.push_str(name);
            text.push_str(": ");
            text.push_str(value);
            text.push('\n');
        }
        text
    }

    /// Reads `name: value` lines; a line without a colon is skipped.
    #[must_use]
    pub fn from_lines<'a>(lines: impl Iterator<Item = &'a str>) -> Self {
        let mut headers = Self::new();
        for line in lines {
            if let Some((name, value)) = line.split_once(':') {
                headers.add(name, value);
            }
        }
        headers
    }
}

/// Strips the optional white space of a field value. Spec: RFC 9110 5.6.3.
pub fn trim(value: &str) -> &str {
    value.trim_matches([' ', '\t'])
}

/// Whether a comma-separated field value has this token, without case.
///
/// # Examples
/// ```
/// use farebox_base::http::has_token;
/// assert!(has_token("no-cache, Private", "private"));
/// assert!(!has_token("private=\"set-cookie\"", "private"));
/// ```
#[must_use]
pub fn has_token(value: &str, token: &str) -> bool {
    value.split(',').any(|part| trim(part).eq_ignore_ascii_case(token))
}
