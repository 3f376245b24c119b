//! Merchants: which URLs are paid, and which header fields go there and come back.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::Ipv6Addr;

use super::message::MerchantAnswer;
use farebox_base::http::UrlPieces;
use farebox_base::http::url::Reach;
use farebox_common::decision::{ENCODING, REMOVED, TRUNCATED};

/// Whether merchants on this machine are paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locality {
    /// Only public ones, by https.
    Public,
    /// Those of this machine, too: for tests.
    Local,
}

/// Why nothing may be sent to a URL of which [`origin`] says `None`.
pub(crate) fn refusal_of(url: &str) -> &'static str {
    match origin(url, Locality::Local) {
        Some(_) => {
            "Policy denied: merchants of the treasury's own machine are not paid (ALLOW_LOCAL_MERCHANTS)."
        }
        None => "Policy denied: requests to this URL are not allowed.",
    }
}

/// Scheme, host and port of a merchant's URL, lower case and without the scheme's own port; `None`
/// if nothing may be sent there, or if another spelling names the same host and port.
///
/// # Examples
/// ```
/// use farebox_treasury::merchant::{Locality::Public, origin};
/// assert_eq!(origin("https://API.example.com:443/x?y", Public).as_deref(), Some("https://api.example.com"));
/// assert_eq!(origin("https://10.0.0.1/", Public), None);
/// assert_eq!(origin("https://api.example.com:0443/", Public), None);
/// assert_eq!(origin("https://me@api.example.com/", Public), None);
/// ```
#[must_use]
pub fn origin(url: &str, locality: Locality) -> Option<String> {
    let pieces = UrlPieces::of(url)?;
    let plain = url.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let scheme = pieces.scheme.to_ascii_lowercase();
    let authority = pieces.authority.to_ascii_lowercase();
    // A dot at the end names the same host in other letters.
    let host = pieces.host().trim_end_matches(']');
    if !plain || authority.contains('@') || host.ends_with('.') || host.is_empty() {
        return None;
    }
    let reach = Reach::of(&authority)?;
    if !is_canonical(&authority) {
        return None;
    }
    let may = match (scheme.as_str(), reach, locality) {
        ("https", Reach::Public, _) => !address(&authority).is_some_and(is_tunnel),
        ("http" | "https", Reach::Loopback, Locality::Local) => true,
        _ => false,
    };
    let own = if scheme == "https" { ":443" } else { ":80" };
    may.then(|| format!("{scheme}://{}", authority.strip_suffix(own).unwrap_or(&authority)))
}

/// A merchant's URL as clients ask for it, which receipts name: lower case and without the scheme's own
/// port, as [`origin`], with a path, and without a fragment. Any other URL is left as it is.
///
/// # Examples
/// ```
/// use farebox_treasury::merchant::spell_url;
/// assert_eq!(spell_url("https://API.example.com:443?day=1#here"), "https://api.example.com/?day=1");
/// ```
#[must_use]
pub fn spell_url(url: &str) -> String {
    let whole = || Some((origin(url, Locality::Local)?, UrlPieces::of(url)?.target_or_root()));
    whole().map_or_else(|| url.to_string(), |(origin, target)| format!("{origin}{target}"))
}

/// The IPv6 address of an authority, if that is its host.
fn address(authority: &str) -> Option<Ipv6Addr> {
    authority.strip_prefix('[')?.split_once(']')?.0.parse().ok()
}

/// Whether host and port are spelled as the platform would spell them: rules compare text.
fn is_canonical(authority: &str) -> bool {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let is_port = port.is_none_or(|port| port.starts_with(|first| matches!(first, '1'..='9')));
    let is_host =
        !host.starts_with('[') || address(host).is_some_and(|it| format!("[{it}]") == host);
    is_port && is_host
}

/// Whether an IPv6 address contains an IPv4 one, which is not checked: 6to4 and Teredo.
fn is_tunnel(address: Ipv6Addr) -> bool {
    matches!(address.segments(), [0x2002, ..] | [0x2001, 0, ..])
}

/// The header fields of an agent that are sent to a merchant.
#[must_use]
pub fn fields_to_send(headers: &[(String, String)]) -> Vec<(String, String)> {
    let mut kept: Vec<(String, String)> = Vec::new();
    for (name, value) in headers {
        let name = name.to_ascii_lowercase();
        let is_name = !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
        let is_value = value.chars().all(|c| c == '\t' || (' '..='~').contains(&c));
        let may = is_sent(&name);
        if is_name && is_value && may && !kept.iter().any(|(known, _)| *known == name) {
            kept.push((name, value.trim().to_string()));
        }
    }
    kept
}

fn is_sent(name: &str) -> bool {
    const NEVER: [&str; 20] = [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "host",
        "content-length",
        "expect",
        "cookie",
        "authorization",
        "x-payment",
        "payment-signature",
        "payment-authorization",
        "forwarded",
        "origin",
        "referer",
    ];
    const PREFIXES: [&str; 6] =
        ["x-402flow-", "x-farebox-", "farebox-", "x-forwarded-", "cf-", "sec-"];
    !NEVER.contains(&name) && !PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// The header fields of a merchant's answer that its agent sees.
#[must_use]
pub fn fields_to_show(answer: &MerchantAnswer) -> Vec<(String, String)> {
    let mut shown: Vec<(String, String)> = Vec::new();
    for (name, value) in &answer.headers {
        let name = name.to_ascii_lowercase();
        // The body is passed on whole, as text or in base64.
        let is_ours = matches!(
            name.as_str(),
            "set-cookie"
                | "set-cookie2"
                | "transfer-encoding"
                | "connection"
                | "content-encoding"
                | "content-length"
                | TRUNCATED
                | REMOVED
                | ENCODING
        );
        match shown.iter_mut().find(|(known, _)| *known == name) {
            _ if is_ours => {}
            Some((_, joined)) => *joined = format!("{joined}, {value}"),
            None => shown.push((name, value.clone())),
        }
    }
    if answer.cut {
        shown.push((TRUNCATED.to_string(), "true".to_string()));
    }
    if answer.base64 {
        shown.push((ENCODING.to_string(), "base64".to_string()));
    }
    shown
}
