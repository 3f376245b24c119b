//! Which answers of an origin are sold. Spec: docs/requests.md, "HTTP".

use crate::offer::Offer;
use farebox_base::http::{RequestHead, ResponseHead, UrlPieces};
use farebox_common::problem::Code;

/// Value of an origin's answer to its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worth {
    /// It is what was asked for, and costs its price.
    Sold,
    /// It passes and costs nothing: an error, or the way to the same path with or without a slash.
    Nothing,
    /// It does not pass, for this reason, and costs nothing.
    Withheld(Code),
}

impl Worth {
    /// Judges an answer, which has to be scrubbed if its redirects are to be seen through.
    ///
    /// A redirect that is only another spelling of the path reveals nothing. Any other one may be
    /// the address of what is sold.
    pub(crate) fn of(head: &ResponseHead, offer: &Offer, asked: &RequestHead) -> Self {
        match head.status {
            200..=299 => Self::Sold,
            // It answers a condition that was never forwarded.
            304 => Self::Withheld(Code::OriginFailed),
            300..=399 if offer.settings.sells_redirects => Self::Sold,
            300..=399 if moves_a_slash(head, asked) => Self::Nothing,
            300..=399 => Self::Withheld(Code::OriginRedirected),
            // Terms of the origin are not the gate's.
            402 => Self::Withheld(Code::OriginFailed),
            400.. => Self::Nothing,
            _ => Self::Withheld(Code::OriginFailed),
        }
    }
}

/// Whether a redirect leads to the path that was asked for, with or without its last slash.
fn moves_a_slash(head: &ResponseHead, asked: &RequestHead) -> bool {
    let Some(location) = head.headers.get("location") else {
        return false;
    };
    let to = match UrlPieces::of(location) {
        _ if location.starts_with('/') => location,
        Some(url) if url.authority.eq_ignore_ascii_case(asked.authority()) => {
            url.target().unwrap_or_default()
        }
        _ => return false,
    };
    let (to, to_query) = split(to);
    let (from, query) = split(asked.target());
    let is_moved = to.strip_suffix('/').unwrap_or(to) == from.strip_suffix('/').unwrap_or(from);
    let is_no_more = !location.contains('#') && to_query.is_none_or(|it| Some(it) == query);
    // Two slashes name a server.
    to != from && is_moved && is_no_more && !to.starts_with("//")
}

fn split(target: &str) -> (&str, Option<&str>) {
    match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_slash_more_or_less_at_the_end_of_the_same_path_leads_to_the_same_path() {
        let table = [
            ("/a", "/a/", true),
            ("/a?u=https://b.test", "/a/?u=https://b.test", true),
            ("/a/", "/a", true),
            ("/a?b=1", "/a/?b=1", true),
            ("/a?b=1", "/a/", true),
            ("/a", "https://shop.example/a/", true),
            ("/a", "/a", false),
            ("/a", "/a//", false),
            ("/a", "/a/?token=1", false),
            ("/a?b=1", "/a/?b=2", false),
            ("/a", "/a/#part", false),
            ("/a", "https://shop.example/a/#part", false),
            ("/a", "/A/", false),
            ("/a", "/a/b", false),
            ("/a", "a/", false),
            ("//a", "//a/", false),
            ("/a", "https://shop.example.evil.test/a/", false),
            ("/a", "http://SHOP.example/a/", true),
            ("/a", "https://shop.example:8443/a/", false),
            ("/a", "https://user@shop.example/a/", false),
            ("/a", "javascript:/a/", false),
            ("/a", "//shop.example/a/", false),
            ("/a", "", false),
        ];
        for (from, to, expected) in table {
            let text = ["GET\nhttps://shop.example", from, "\n"].concat();
            let asked = RequestHead::from_text(&text).unwrap();
            let head = ResponseHead::from_text(&["301\nlocation: ", to].concat()).unwrap();
            assert_eq!(moves_a_slash(&head, &asked), expected, "{from} to {to}");
        }
    }
}
