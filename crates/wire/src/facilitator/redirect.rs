//! Redirects of a facilitator: one within its own domain is followed once and remembered, because
//! the address that documentation names is often not the one that answers.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

use farebox_base::http::url::BaseUrl;
use farebox_base::sorted::Sorted;

/// The addresses to which calls have moved, by the address that the operator has set.
#[derive(Debug, Default)]
pub struct Redirects(Sorted<String, String>);

impl Redirects {
    /// No redirect yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Sorted::new())
    }

    /// Where a call of `url` is sent.
    #[must_use]
    pub fn place<'a>(&'a self, url: &'a str) -> &'a str {
        self.0.get(url).map_or(url, String::as_str)
    }

    /// Takes the first answer to a call of `url`; returns whether the call is to be sent again, to
    /// the address that is now remembered.
    pub fn follows(&mut self, url: &str, status: u16, location: &str) -> bool {
        let is_redirect = matches!(status, 301 | 302 | 307 | 308);
        let place = is_redirect.then(|| target(url, location)).flatten();
        let follows = place.is_some();
        if let Some(place) = place {
            self.0.insert(url.to_owned(), place);
        }
        follows
    }

    /// Takes the status of the last answer to a call of `url`, if one came. An address that does
    /// not succeed is not remembered: a redirect of one bad minute would stay for good.
    pub fn finish(&mut self, url: &str, status: Option<u16>) {
        if !status.is_some_and(|status| (200..300).contains(&status)) {
            self.0.remove(url);
        }
    }
}

/// The address of a redirect that may be followed: by https, on the same port, and the same host,
/// its parent domain or a subdomain of it.
///
/// # Examples
/// ```
/// use farebox_wire::facilitator::redirect::target;
/// let to = |location| target("https://x402.org/facilitator/verify", location);
/// let www = "https://www.x402.org/facilitator/verify";
/// assert_eq!(to(www).as_deref(), Some(www));
/// assert_eq!(to("/v2/verify").as_deref(), Some("https://x402.org/v2/verify"));
/// assert_eq!(to("http://www.x402.org/facilitator/verify"), None);
/// assert_eq!(to("https://x402.org.example/facilitator/verify"), None);
/// assert_eq!(to("https://x402.org:8443/facilitator/verify"), None);
/// ```
#[must_use]
pub fn target(url: &str, location: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split('/').next()?;
    let absolute = match location.strip_prefix('/') {
        Some(path) if !path.starts_with('/') => format!("{scheme}://{authority}{location}"),
        _ => location.to_owned(),
    };
    let place = BaseUrl::parse(&absolute).ok()?.as_str().to_owned();
    let (new_scheme, new_rest) = place.split_once("://")?;
    let new_authority = new_rest.split('/').next()?;
    let is_upgrade = new_scheme == "https" || new_scheme == scheme;
    (place != url && is_upgrade && is_related(authority, new_authority)).then_some(place)
}

/// Whether two authorities are of one domain and name the same port: another port is another
/// server, whose owner may be another.
fn is_related(one: &str, other: &str) -> bool {
    let split = |authority: &str| {
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (host, port),
            _ => (authority, ""),
        };
        (host.to_ascii_lowercase(), port.to_owned())
    };
    let ((one, port), (other, new_port)) = (split(one), split(other));
    let is_below = |long: &str, short: &str| {
        let parent = long.strip_suffix(short).and_then(|rest| rest.strip_suffix('.'));
        // A name without a dot is a zone, and an address has no subdomains.
        let is_domain = short.contains('.') && short.bytes().any(|b| b.is_ascii_alphabetic());
        parent.is_some() && is_domain
    };
    port == new_port && (one == other || is_below(&one, &other) || is_below(&other, &one))
}
