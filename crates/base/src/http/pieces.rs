//! The pieces of an absolute URL, as they are written.

use alloc::format;
use alloc::string::{String, ToString};

use crate::text::cut;

/// Scheme, authority, path and query of an absolute URL.
///
/// # Examples
/// ```
/// use farebox_base::http::UrlPieces;
/// let url = UrlPieces::of("https://me@a.example:8443/x?y=1#z").unwrap();
/// assert_eq!((url.scheme, url.authority), ("https", "me@a.example:8443"));
/// assert_eq!((url.host_and_port(), url.target()), ("a.example:8443", Some("/x?y=1")));
/// assert_eq!(UrlPieces::of("a.example/x"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UrlPieces<'a> {
    /// Text before `://`.
    pub scheme: &'a str,
    /// Host and port, and a user if one is written.
    pub authority: &'a str,
    rest: &'a str,
}

impl<'a> UrlPieces<'a> {
    /// Takes a URL apart; `None` for text without `://`.
    #[must_use]
    pub fn of(url: &'a str) -> Option<Self> {
        let (scheme, rest) = cut(url, "://")?;
        let start = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at_checked(start)?;
        Some(Self { scheme, authority, rest })
    }

    /// The authority without a user.
    #[must_use]
    pub fn host_and_port(&self) -> &'a str {
        self.authority.rsplit('@').next().unwrap_or_default()
    }

    /// The authority without a port.
    #[must_use]
    pub fn host(&self) -> &'a str {
        match self.authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => self.authority,
        }
    }

    /// Path and query; `None` if no path is written.
    #[must_use]
    pub fn target(&self) -> Option<&'a str> {
        let target = self.rest.split('#').next().unwrap_or_default();
        target.starts_with('/').then_some(target)
    }

    /// Path and query as a client asks for them: with the root where no path is written.
    #[must_use]
    pub fn target_or_root(&self) -> String {
        let query = self.rest.split('#').next().unwrap_or_default();
        self.target().map_or_else(|| format!("/{query}"), ToString::to_string)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_url_falls_into_scheme_authority_and_target() {
        let table = [
            ("https://a.example", ("https", "a.example", "a.example", None)),
            ("http://a.example:80/", ("http", "a.example:80", "a.example", Some("/"))),
            ("https://a.example/x#frag", ("https", "a.example", "a.example", Some("/x"))),
            ("https://a.example?x=1", ("https", "a.example", "a.example", None)),
            ("https://a.example#/x", ("https", "a.example", "a.example", None)),
            ("https://[::1]:8787/x://y", ("https", "[::1]:8787", "[::1]", Some("/x://y"))),
            ("https://", ("https", "", "", None)),
        ];
        for (text, (scheme, authority, host, target)) in table {
            let url = UrlPieces::of(text).unwrap();
            assert_eq!((url.scheme, url.authority), (scheme, authority), "{text}");
            assert_eq!((url.host(), url.target()), (host, target), "{text}");
        }
        assert_eq!(UrlPieces::of("a.example/x"), None);
    }
}
