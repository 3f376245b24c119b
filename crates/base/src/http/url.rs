//! Which servers a URL may name: those of an operator's settings, and those of others that a
//! request goes out to. Spec: docs/configuration.md, "URLs".

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::net::Ipv6Addr;

use crate::text::cut;

/// An absolute `http` or `https` URL without query or credentials. Its host is private only where its
/// reader was asked for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// Reads a URL; trailing slashes are dropped, a path prefix is kept.
    ///
    /// # Errors
    /// A sentence that says what to change.
    ///
    /// # Examples
    /// ```
    /// use farebox_base::http::url::BaseUrl;
    /// let url = BaseUrl::parse("https://api.example.com/base/").unwrap();
    /// assert_eq!(url.as_str(), "https://api.example.com/base");
    /// assert_eq!(BaseUrl::parse("http://api.example.com"), Err("must be https; http is for loopback hosts only"));
    /// assert_eq!(BaseUrl::parse("https://10.0.0.1"), Err("must not be a private or link-local address"));
    /// ```
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (scheme, authority) = parts(text)?;
        match (scheme, reach_of(authority)?) {
            ("https", Reach::Public | Reach::Loopback) | ("http", Reach::Loopback) => {}
            ("http", _) => return Err("must be https; http is for loopback hosts only"),
            ("https", Reach::Private) => return Err("must not be a private or link-local address"),
            _ => return Err("must begin with https://"),
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }

    /// Reads the URL of a server in the operator's own network: a private address, or a name without
    /// a public zone. `http` is allowed there. What a cloud tells its machines about themselves, keys
    /// among it, is never meant.
    ///
    /// # Errors
    /// A sentence that says what to change.
    ///
    /// # Examples
    /// ```
    /// use farebox_base::http::url::BaseUrl;
    /// assert_eq!(BaseUrl::parse_in_own_network("http://app:3000").unwrap().as_str(), "http://app:3000");
    /// assert!(BaseUrl::parse_in_own_network("http://169.254.169.254").is_err());
    /// assert!(BaseUrl::parse_in_own_network("https://api.example.com").is_err());
    /// ```
    pub fn parse_in_own_network(text: &str) -> Result<Self, &'static str> {
        let (scheme, authority) = parts(text)?;
        reach_of(authority)?;
        if !matches!(scheme, "http" | "https") {
            return Err("must begin with http:// or https://");
        }
        if !host_of(authority).is_some_and(|host| is_in_own_network(&host)) {
            return Err(
                "must name a host of a private network, such as http://app:3000 or http://10.0.0.5:3000",
            );
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }

    /// The URL without a trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The scheme and the authority of an absolute URL that has neither query, credentials nor odd bytes.
fn parts(text: &str) -> Result<(&str, &str), &'static str> {
    let (scheme, rest) = cut(text, "://").ok_or("must be an absolute URL")?;
    let plain = text.bytes().all(|b| b.is_ascii_graphic());
    if !plain || rest.contains(['?', '#', '\\', '"', '<', '>']) {
        return Err("must be an absolute URL without query, fragment or spaces");
    }
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.contains('@') {
        return Err("must not carry credentials; use a secret");
    }
    Ok((scheme, authority))
}

fn reach_of(authority: &str) -> Result<Reach, &'static str> {
    Reach::of(authority).ok_or("must name a host and, if any, a port from 1 to 65535")
}

/// From where a host can be reached, by its name alone: what a name resolves to is not known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// From everywhere.
    Public,
    /// From its own machine.
    Loopback,
    /// From inside its network: private, link-local, shared and unspecified addresses, spellings of
    /// addresses that are not checked, and names without a public zone.
    Private,
}

impl Reach {
    /// Reads an authority: a host and, if any, a port. `None` if it is malformed, names no host or
    /// has a user.
    ///
    /// # Examples
    /// ```
    /// use farebox_base::http::url::Reach;
    /// assert_eq!(Reach::of("api.example.com:8443"), Some(Reach::Public));
    /// assert_eq!(Reach::of("[::1]"), Some(Reach::Loopback));
    /// assert_eq!(Reach::of("localhost."), Some(Reach::Loopback));
    /// assert_eq!(Reach::of("169.254.169.254"), Some(Reach::Private));
    /// assert_eq!(Reach::of("api.example.com:0"), None);
    /// ```
    #[must_use]
    pub fn of(authority: &str) -> Option<Self> {
        let host = host_of(authority)?;
        Some(match host.as_str() {
            host if is_loopback(host) => Self::Loopback,
            host if is_private(host) => Self::Private,
            _ => Self::Public,
        })
    }
}

/// Whether an authority names a port that belongs to another protocol, whose server may take a
/// request for its own commands. Spec: WHATWG Fetch, "bad port".
#[must_use]
pub fn has_bad_port(authority: &str) -> bool {
    const BAD: [u16; 83] = [
        0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95,
        101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179,
        389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601,
        636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566,
        6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
    ];
    let port = authority.rsplit(':').next().and_then(|port| port.parse().ok());
    port.is_some_and(|port| BAD.contains(&port)) && authority.contains(':')
}

/// Whether two authorities name the same host, whatever the port.
#[must_use]
pub fn is_same_host(one: &str, other: &str) -> bool {
    host_of(one).is_some_and(|host| host_of(other) == Some(host))
}

/// The host in lower case without brackets, if authority and port are well formed.
fn host_of(authority: &str) -> Option<String> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, tail) = rest.split_once(']')?;
            // Other text in brackets is no host to any client.
            host.parse::<Ipv6Addr>().ok()?;
            (host, tail.strip_prefix(':').or_else(|| tail.is_empty().then_some("1"))?)
        }
        None => authority.split_once(':').unwrap_or((authority, "1")),
    };
    // A sign before it is read by some and refused by others.
    let port: u16 = port.parse().ok().filter(|_| !port.starts_with('+'))?;
    // A name with the root's dot is the same name.
    let host = host.strip_suffix('.').unwrap_or(host);
    let good = |b: u8| b.is_ascii_alphanumeric() || b"-._:".contains(&b);
    let is_name = !host.is_empty() && !host.ends_with('.') && host.bytes().all(good);
    (port > 0 && is_name).then(|| host.to_ascii_lowercase())
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host == "::1"
        || octets(host).is_some_and(|[a, ..]| a == 127)
}

/// Whether a host is an address that is not reached from everywhere, or a name that resolves only
/// inside a network. Spec: IANA's registries of special-purpose addresses.
fn is_private(host: &str) -> bool {
    if let Ok(address) = host.parse::<Ipv6Addr>() {
        return match address.segments() {
            // Of protocols, of documentation, and around an IPv4 address.
            [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => true,
            [first, ..] => first & 0xe000 != 0x2000,
        };
    }
    if let Some(octets) = octets(host) {
        return match octets {
            [0 | 10 | 127 | 224.., ..]
            | [100, 64..=127, ..]
            | [169, 254, ..]
            | [172, 16..=31, ..]
            | [192, 168, ..]
            // Of protocols, of documentation, and of benchmarks.
            | [192, 0, 0 | 2, _]
            | [198, 18 | 19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _] => true,
            _ => false,
        };
    }
    is_numeric(host) || is_name_of_networks(host)
}

/// Whether a host is a private address, or a name that a network of one's own gives. Spec: RFC 1918,
/// RFC 4193. Clouds tell their machines about themselves at the addresses and names that are left out.
fn is_in_own_network(host: &str) -> bool {
    // First labels, whatever the zone: EC2 has one for each region (`eu-west-1.compute.internal`), so
    // that a list of whole names would miss the next.
    const OF_CLOUDS: [&str; 2] = ["metadata", "instance-data"];
    // Of EC2 and of the pods of EKS, of Google, of Oracle, of Scaleway.
    const OF_CLOUDS_V6: [Ipv6Addr; 5] = [
        Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
        Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
        Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
        Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe),
        Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),
    ];
    if let Ok(address) = host.parse::<Ipv6Addr>() {
        return address.segments()[0] & 0xfe00 == 0xfc00 && !OF_CLOUDS_V6.contains(&address);
    }
    match octets(host) {
        Some(octets) => matches!(octets, [10, ..] | [172, 16..=31, ..] | [192, 168, ..]),
        None => {
            let first = host.split('.').next().unwrap_or_default();
            !is_numeric(host) && is_name_of_networks(host) && !OF_CLOUDS.contains(&first)
        }
    }
}

/// Whether a name is another spelling of a number (hex, octal, a short form): it reaches an address
/// that was not checked.
fn is_numeric(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    last.starts_with("0x") || last.bytes().all(|b| b.is_ascii_digit())
}

fn is_name_of_networks(host: &str) -> bool {
    !host.contains('.') || is_of_networks(host)
}

/// Whether a name is of a zone that is not in the public one: special-use names that resolve nowhere
/// or inside a network, and those that clusters, routers and search domains give. Spec: RFC 6761,
/// RFC 6762 with its appendix G, RFC 7686, RFC 8375, RFC 9476; `.internal` is ICANN's. The names of
/// documentation (`.example`) are none of them.
fn is_of_networks(host: &str) -> bool {
    const ZONES: &str = "local internal onion arpa test invalid alt localdomain \
        lan home corp intranet private localnet domain workgroup router gateway mshome.net fritz.box \
        svc default kube-system kube pod cluster consul docker containers";
    let is_in = |zone: &str| {
        let rest = host.strip_suffix(zone);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    ZONES.split(' ').any(is_in)
}

fn octets(host: &str) -> Option<[u8; 4]> {
    let mut parts = host.split('.').map(|part| {
        let canonical = part == "0" || !part.starts_with('0');
        part.parse::<u8>().ok().filter(|_| canonical && !part.starts_with('+'))
    });
    let octets = [parts.next()??, parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    // A-66, A-192
    #[test]
    fn public_https_and_loopback_are_the_only_hosts() {
        for good in [
            "https://api.example.com",
            "https://api.example.com:8443/base/",
            "http://127.0.0.1:8545",
            "http://localhost:1",
            "http://[::1]:80/x",
            "https://[2606:4700::1]/",
            "https://8.8.8.8",
            "https://192.0.66.1",
            "https://198.20.0.1",
            "https://api.example.com.",
            "https://lan.example",
            "https://my-lan.example",
            "https://notlocal.home.example",
        ] {
            assert!(BaseUrl::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "api.example.com",
            "ftp://a.example",
            "http://a.example",
            "https://u:p@a.example",
            "https://a.example?x",
            "https://a.example/#f",
            "https://10.0.0.1",
            "https://172.16.0.1",
            "https://192.168.1.1",
            "https://169.254.169.254",
            "https://100.64.0.1",
            "https://0.0.0.0",
            "https://[fe80::1]",
            "https://[fd00::1]",
            "https://[::]",
            "https://[::ffff:10.0.0.1]",
            "https://2130706433",
            "https://0x7f.1",
            "https://0177.0.0.1",
            "https://192.0.0.8",
            "https://192.0.2.1",
            "https://198.18.0.1",
            "https://198.19.255.255",
            "https://198.51.100.1",
            "https://203.0.113.1",
            "https://224.0.0.1",
            "https://[2001::1]",
            "https://[2001:db8::1]",
            "https://[3fff::1]",
            "https://[2002:a00:1::]",
            "https://a.example:+443",
            "https://[1.0.0.1]",
            "https://[api.example.com]",
            "https://[2606:4700::1::2]",
            "https://[2606:4700:zz::1]",
            "https://10.0.0.1.",
            "https://metadata.internal.",
            "https://a.example..",
            "https://metadata.internal",
            "https://intranet",
            "https://router.lan",
            "https://ROUTER.LAN.",
            "https://printer.home.arpa",
            "https://home.arpa",
            "https://x.test",
            "https://x.invalid",
            "https://mail.localdomain",
            "https://kubernetes.default",
            "https://kubernetes.default.svc",
            "https://fritz.box",
            "https://abcdefghijklmnop.onion",
            "https://db.corp",
            "https://db.private:8443",
            "https://a.example:0",
            "https://a.example:99999",
            "https://a b.example",
            "https://",
        ] {
            assert!(BaseUrl::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_path_prefix_is_kept_and_a_trailing_slash_is_not() {
        let url = BaseUrl::parse("https://api.example.com/base/");
        assert_eq!(url.as_ref().map(BaseUrl::as_str), Ok("https://api.example.com/base"));
    }

    // A-461, A-465
    #[test]
    fn a_network_of_ones_own_has_private_addresses_and_names_without_a_zone() {
        for good in [
            "http://app:3000",
            "https://app/base/",
            "http://10.0.0.5",
            "http://172.31.255.255:80",
            "http://192.168.1.1:8080",
            "http://[fd00::1]:80",
            "http://app.default.svc.cluster.local",
            "http://host.docker.internal:3000",
            "http://metadata-store",
            "http://app.metadata.internal",
        ] {
            assert!(BaseUrl::parse_in_own_network(good).is_ok(), "{good}");
        }
        for bad in [
            "http://a.example",
            "https://8.8.8.8",
            "ftp://app",
            "http://u:p@app",
            "http://app?x",
            "http://app:0",
            "http://169.254.169.254",
            "http://[fe80::1]",
            "http://[fd00:ec2::254]",
            "http://[fd00:ec2::23]",
            "http://[fd20:ce::254]",
            "http://[fd00:c1::a9fe:a9fe]",
            "http://[fd00:42::42]",
            "http://[::ffff:10.0.0.1]",
            "http://[::]",
            "http://0.0.0.0",
            "http://100.100.100.200",
            "http://172.32.0.1",
            "http://224.0.0.1",
            "http://2852039166",
            "http://0xa9fea9fe",
            "http://metadata",
            "http://METADATA.google.internal.",
            "http://instance-data",
            "http://instance-data.ec2.internal",
            "http://instance-data.eu-west-1.compute.internal",
            "http://Instance-Data.us-gov-west-1.compute.internal.:80/latest",
            "http://metadata.internal",
        ] {
            assert!(BaseUrl::parse_in_own_network(bad).is_err(), "{bad}");
        }
    }
}
