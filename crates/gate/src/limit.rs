//! Groups clients for the operator's rate limit.

use alloc::borrow::Cow;
use alloc::format;
use core::net::{IpAddr, Ipv4Addr};

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

#[cfg(test)]
mod tests {
    use super::*;

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
