//! `Accept-Payment`: the client's ways to pay, so that the server offers those first. Spec:
//! draft-httpauth-payment, "Accept-Payment".

use alloc::string::String;
use alloc::vec::Vec;

use farebox_base::http::{thousandths, trim};

/// The header field.
pub const HEADER: &str = "accept-payment";
/// Maximum length of the value, bytes.
const MAX_BYTES: usize = 4 * 1024;

/// Sorts the offers in the client's order; offers of equal weight keep theirs.
///
/// Only offers with a weight stay. If the header is missing, unreadable or would leave none, all
/// stay as they are: a client that pays otherwise still learns its options.
///
/// # Examples
/// ```
/// use farebox_wire::mpp::accept::rank;
/// let offers = || vec![("tempo", "charge"), ("evm", "charge"), ("stripe", "charge")];
/// let ranked = |header| rank(header, offers(), |offer| *offer);
/// assert_eq!(ranked(Some("tempo/*;q=0.2, evm/charge")), [("evm", "charge"), ("tempo", "charge")]);
/// // What cannot be read changes nothing.
/// assert_eq!(ranked(Some("evm")), offers());
/// ```
pub fn rank<T>(header: Option<&str>, offers: Vec<T>, name: impl Fn(&T) -> (&str, &str)) -> Vec<T> {
    let Some(ranges) = header.and_then(read) else { return offers };
    let weights: Vec<u16> = offers
        .iter()
        .map(|offer| {
            let (method, intent) = name(offer);
            weight(&ranges, method, intent)
        })
        .collect();
    if weights.iter().all(|weight| *weight == 0) {
        return offers;
    }
    let mut ranked: Vec<(u16, T)> =
        weights.into_iter().zip(offers).filter(|(weight, _)| *weight > 0).collect();
    ranked.sort_by_key(|(weight, _)| u16::MAX.saturating_sub(*weight));
    ranked.into_iter().map(|(_, offer)| offer).collect()
}

/// The weight of a method and intent that the client names, in thousandths; `None` if it does not
/// name them, or its header is unreadable. A range with `*` names none.
#[must_use]
pub fn named(header: Option<&str>, method: &str, intent: &str) -> Option<u16> {
    let ranges = header.and_then(read)?;
    let named = |range: &&Range<'_>| (range.method, range.intent) == (method, intent);
    ranges.iter().filter(named).map(|range| range.weight).max()
}

/// Writes the field for methods and intents of equal preference.
///
/// # Examples
/// ```
/// use farebox_wire::mpp::accept::header;
/// assert_eq!(header(&[("evm", "charge"), ("tempo", "charge")]), "evm/charge, tempo/charge");
/// ```
#[must_use]
pub fn header(pairs: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (method, intent) in pairs {
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.extend([method, "/", intent]);
    }
    text
}

/// One element of the list.
struct Range<'a> {
    method: &'a str,
    intent: &'a str,
    /// Thousandths.
    weight: u16,
}

/// The weight of an offer: that of the most specific range, of two such the higher.
fn weight(ranges: &[Range<'_>], method: &str, intent: &str) -> u16 {
    let fits = |wanted: &str, offered: &str| wanted == "*" || wanted == offered;
    let says = |wanted: &str| usize::from(wanted != "*");
    ranges
        .iter()
        .filter(|range| fits(range.method, method) && fits(range.intent, intent))
        .map(|range| (says(range.method).saturating_add(says(range.intent)), range.weight))
        .max()
        .map_or(0, |(_, weight)| weight)
}

/// The elements of the field; `None` if one is unreadable, or there is none.
fn read(header: &str) -> Option<Vec<Range<'_>>> {
    if header.len() > MAX_BYTES {
        return None;
    }
    let elements = header.split(',').map(trim).filter(|element| !element.is_empty());
    let ranges: Vec<Range<'_>> = elements.map(range).collect::<Option<_>>()?;
    Some(ranges).filter(|ranges| !ranges.is_empty())
}

fn range(element: &str) -> Option<Range<'_>> {
    let mut parts = element.split(';').map(trim);
    let (method, intent) = parts.next()?.split_once('/')?;
    let (method, intent) = (trim(method), trim(intent));
    if !is_name(method) || !is_name(intent) {
        return None;
    }
    let mut weight = 1000;
    for part in parts {
        let (name, value) = part.split_once('=')?;
        if trim(name) == "q" {
            weight = thousandths(trim(value))?;
        }
    }
    Some(Range { method, intent, weight })
}

fn is_name(text: &str) -> bool {
    let is_in_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text == "*" || (!text.is_empty() && text.bytes().all(is_in_name))
}
