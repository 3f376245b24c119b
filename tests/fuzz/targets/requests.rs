//! Requests before anything is paid: targets, URLs, heads.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use farebox_core::gate::path::Target;
use farebox_core::gate::route::{Ask, RouteMatch, RouteTable, Unlisted};
use farebox_core::http::url::{BaseUrl, Reach};
use farebox_core::http::{Headers, RequestHead, ResponseHead, UrlPieces};
use url::{Host, Url};

use super::support::text;
use crate::driver::notes::met;
use crate::driver::seeds;
use crate::tables::{free, paid, table};

static TABLE: LazyLock<RouteTable> = LazyLock::new(|| {
    let rules = [
        ("/cheap/*", "all", paid("usdc", 1)),
        ("/dear/*", "all", paid("usdc", 9)),
        ("/open/*", "all", free()),
        ("/v/[id]/buy", "GET", paid("usdc", 5)),
        ("/u/[id]", "all", paid("usdc", 5)),
        ("/u/me", "all", free()),
        ("/report", "GET", paid("usdc", 3)),
    ];
    table(&rules, Unlisted::Free)
});

/// A request target.
pub fn target(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let target = match Target::parse(text) {
        Ok(target) => target,
        Err(error) => return met(error),
    };
    assert_eq!(
        (target.as_str(), target.to_string().as_str()),
        (text, text),
        "it is forwarded as it came"
    );
    let query = target.query().map(|query| format!("?{query}")).unwrap_or_default();
    assert_eq!(format!("{}{query}", target.path()), text);
    assert_eq!(Target::from_url(&format!("https://shop.example{text}")).as_ref(), Ok(&target));
    if let Ok(theirs) = text.parse::<http::uri::PathAndQuery>() {
        assert_eq!((theirs.path(), theirs.query()), (target.path(), target.query()));
    }
    if target.is_ordinary() {
        let url = Url::parse(&format!("https://shop.example{text}")).unwrap();
        assert_eq!(url.path(), target.path(), "every server reads it alike");
    }
    let found = TABLE.find("GET", &target);
    let passes = matches!(found, RouteMatch::Route(_) | RouteMatch::Unlisted);
    for reading in readings(target.path()).into_iter().filter(|_| passes) {
        let Ok(read) = Target::parse(&reading) else { continue };
        let there = TABLE.find("GET", &read);
        assert!(
            !matches!(there, RouteMatch::Route(_)) || price(&there) <= price(&found),
            "{text} is {found:?}, and a server that reads {reading} serves {there:?}"
        );
    }
    met(found);
}

/// Units that a route asks for.
fn price(found: &RouteMatch) -> u8 {
    match found {
        RouteMatch::Route(index) => match &TABLE.rules()[*index].ask {
            Ask::Paid(amounts) => amounts[0].1[31],
            Ask::Free => 0,
        },
        _ => 0,
    }
}

/// The path as servers are known to read it: each by a library or by a few lines of its own.
fn readings(path: &str) -> Vec<String> {
    let mut all = vec![path.to_owned()];
    if let Ok(url) = Url::parse(&format!("https://shop.example{path}")) {
        all.push(url.path().to_owned());
    }
    for _ in 0..3 {
        all.extend(all.clone().iter().filter_map(|path| decoded(path)));
    }
    let plain: Vec<String> =
        all.iter().flat_map(|path| [without_dots(path), without_dots(&merged(path))]).collect();
    all.extend(plain);
    let lower: Vec<String> = all.iter().map(|path| path.to_ascii_lowercase()).collect();
    all.extend(lower);
    all.extend(all.clone().iter().map(|path| path.trim_end_matches('/').to_owned()));
    all.extend(
        all.clone().iter().map(|path| path.split(';').next().unwrap_or_default().to_owned()),
    );
    all
}

/// The path with each escape decoded once.
fn decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let [byte, after @ ..] = rest {
        let digits = after.get(..2).filter(|_| *byte == b'%');
        let value = digits.and_then(|it| u8::from_str_radix(str::from_utf8(it).ok()?, 16).ok());
        bytes.push(value.unwrap_or(*byte));
        rest = if value.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).ok()
}

fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/').skip(1) {
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            other => kept.push(other),
        }
    }
    format!("/{}", kept.join("/"))
}

fn merged(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    format!("/{}", parts.join("/"))
}

/// Targets of the vectors.
pub fn targets() -> Vec<Vec<u8>> {
    seeds::inputs("security/paths", "target")
}

/// A URL that an operator sets, or that a request goes out to.
pub fn url(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let theirs = Url::parse(text);
    if let Some(pieces) = UrlPieces::of(text)
        && let Ok(theirs) = &theirs
        && BaseUrl::parse(text).is_ok()
    {
        assert_eq!(pieces.scheme, theirs.scheme());
    }
    if let (Ok(own), Ok(theirs)) = (BaseUrl::parse_in_own_network(text), &theirs) {
        assert!(own.as_str().starts_with(theirs.scheme()), "{text}");
        let is_own = match theirs.host().unwrap() {
            Host::Ipv4(address) => address.is_private(),
            Host::Ipv6(address) => address.is_unique_local(),
            Host::Domain(_) => true,
        };
        assert!(is_own, "{text} is no host of a private network elsewhere");
    }
    let read = match BaseUrl::parse(text) {
        Ok(read) => read,
        Err(error) => return met(error),
    };
    assert_eq!(BaseUrl::parse(read.as_str()).as_ref(), Ok(&read));
    let theirs = match theirs {
        Ok(theirs) => theirs,
        // Names of other alphabets are not decoded here; a name that is none resolves nowhere.
        Err(error) => {
            let is_alphabet = text.to_ascii_lowercase().contains("xn--");
            return assert!(is_alphabet, "{text} is no URL elsewhere: {error}");
        }
    };
    assert!(matches!(theirs.scheme(), "http" | "https"), "{text}");
    assert!(theirs.username().is_empty() && theirs.password().is_none(), "{text}");
    assert!(theirs.query().is_none() && theirs.fragment().is_none(), "{text}");
    let authority = UrlPieces::of(text).unwrap().authority;
    let reach = Reach::of(authority).unwrap();
    let is_public = match theirs.host().unwrap() {
        Host::Ipv4(address) => is_public_4(address),
        Host::Ipv6(address) => is_public_6(address),
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            name.contains('.') && !name.ends_with(".localhost")
        }
    };
    assert!(
        reach != Reach::Public || is_public,
        "{text} is {reach:?}, and reaches {:?}",
        theirs.host()
    );
    assert!(theirs.scheme() == "https" || reach == Reach::Loopback, "{text}");
    met(reach);
}

fn is_public_4(address: Ipv4Addr) -> bool {
    let is_local = address.is_private() || address.is_loopback() || address.is_link_local();
    !(is_local || address.is_unspecified() || address.is_multicast() || address.is_broadcast())
}

fn is_public_6(address: Ipv6Addr) -> bool {
    let is_local = address.is_unique_local() || address.is_unicast_link_local();
    let is_inside = address.to_ipv4().is_some_and(|inner| !is_public_4(inner));
    !(is_local || is_inside || address.is_loopback() || address.is_unspecified())
}

/// The head of an answer or of a request, as the edges write it.
pub fn head(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Some(head) = ResponseHead::from_text(text) {
        assert_eq!(ResponseHead::from_text(&head.to_text()).as_ref(), Some(&head));
        assert!(head.status == 101 || (200..600).contains(&head.status));
        let length = head.headers.get("content-length").filter(|_| head.content_length().is_some());
        assert!(length.is_none_or(|it| it.bytes().all(|byte| byte.is_ascii_digit())), "{length:?}");
        fields(&head.headers);
        met(("answer", head.content_length().is_some()));
    }
    let Some(head) = RequestHead::from_text(text) else { return };
    fields(&head.headers);
    let mut more = head.clone();
    more.headers.add("x-more", "1");
    assert!(more.is_too_large() || !head.is_too_large(), "more fields are no smaller head");
    met(("request", head.body, head.is_too_large(), head.prefers_html()));
}

/// Header fields have names whose case does not count.
fn fields(headers: &Headers) {
    let lines = headers.to_lines();
    assert_eq!(&Headers::from_lines(lines.split('\n')), headers, "{lines:?}");
    for (name, _) in headers.iter() {
        let lower = name.to_ascii_lowercase();
        let rows: Vec<&str> = headers.rows(&lower).collect();
        assert_eq!(headers.get(&lower), rows.first().copied());
        let joined = Some(rows.join(", ")).filter(|it| !it.is_empty());
        assert_eq!(headers.joined(&lower).map(String::from), joined);
    }
}
