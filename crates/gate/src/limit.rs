//! Groups clients for the operator's rate limit.

use alloc::borrow::Cow;
use alloc::format;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The network of all clients whose address is not known. The platform names the address of each request from outside, so
/// they are Workers of the operator's own account, such as a treasury that pays for many agents.
pub const UNKNOWN: &str = "unknown";

/// The network of a client: an IPv4 address by itself, the first 56 bits of an IPv6 address, which
/// is what one household is given. Clients whose address is not known are counted together.
///
/// # Examples
/// ```
/// use farebox_gate::limit::client_prefix;
/// assert_eq!(client_prefix(Some("192.0.2.7")), "192.0.2.7");
/// assert_eq!(client_prefix(Some("2001:db8:1:2ff::1")), "2001:db8:1:200/56");
/// assert_eq!(client_prefix(Some("a proxy")), "unknown");
/// ```
#[must_use]
pub fn client_prefix(address: Option<&str>) -> Cow<'_, str> {
    let text = address.unwrap_or_default().trim();
    if text.parse::<Ipv4Addr>().is_ok() {
        return Cow::Borrowed(text);
    }
    match text.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Err(_) => Cow::Borrowed(UNKNOWN),
        Ok(IpAddr::V4(address)) => Cow::Owned(format!("{address}")),
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            Cow::Owned(format!("{a:x}:{b:x}:{c:x}:{:x}/56", d & 0xff00))
        }
    }
}

/// The header in which the platform names the zone of the Worker that makes a request.
pub const WORKER_ZONE: &str = "cf-worker";
/// The address under which the platform shows requests of the Workers of all other zones.
/// Spec: Cloudflare, "CF-Connecting-IP in Worker subrequests".
const WORKERS: &str = "2a06:98c0:3600::103";

/// The network by which a client is counted: that of its address, and for a Worker its zone, because
/// all Workers have one address.
#[must_use]
pub fn client_network<'a>(address: Option<&'a str>, zone: Option<&str>) -> Cow<'a, str> {
    let is_worker = address.is_some_and(|address| {
        let [address, workers] = [address.trim(), WORKERS].map(str::parse::<Ipv6Addr>);
        address.is_ok() && address == workers
    });
    match zone.filter(|_| is_worker) {
        Some(zone) if is_name(zone) => Cow::Owned(format!("worker {zone}")),
        _ => client_prefix(address),
    }
}

/// Whether it can be the name of a zone.
fn is_name(zone: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    (1..=MAX_ZONE_BYTES).contains(&zone.len()) && zone.bytes().all(is_part)
}

/// The longest name of a zone, bytes. Spec: RFC 1035 2.3.4.
const MAX_ZONE_BYTES: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    // A-526
    #[test]
    fn workers_of_one_zone_are_counted_as_one_and_those_of_others_by_themselves() {
        let cases = [
            (WORKERS, Some("agents.example"), "worker agents.example"),
            ("2a06:98c0:3600:0::103", Some("other.workers.dev"), "worker other.workers.dev"),
            // Elsewhere a client writes that field itself.
            ("192.0.2.7", Some("agents.example"), "192.0.2.7"),
            ("2a06:98c0:3600::104", Some("agents.example"), "2a06:98c0:3600:0/56"),
            (WORKERS, None, "2a06:98c0:3600:0/56"),
            (WORKERS, Some(""), "2a06:98c0:3600:0/56"),
            (WORKERS, Some("two names"), "2a06:98c0:3600:0/56"),
        ];
        for (address, zone, network) in cases {
            assert_eq!(client_network(Some(address), zone), network, "{address} {zone:?}");
        }
    }

    #[test]
    fn a_household_is_counted_as_one() {
        let cases = [
            (Some("192.0.2.7"), "192.0.2.7"),
            (Some("::ffff:192.0.2.7"), "192.0.2.7"),
            (Some("2001:db8:1:2300::1"), "2001:db8:1:2300/56"),
            (Some("2001:db8:1:23ff:ffff::9"), "2001:db8:1:2300/56"),
            (Some("2001:db8:1:2400::1"), "2001:db8:1:2400/56"),
            (Some("nonsense"), "unknown"),
            (Some(""), "unknown"),
            (None, "unknown"),
        ];
        for (address, prefix) in cases {
            assert_eq!(client_prefix(address), prefix, "{address:?}");
        }
    }
}
