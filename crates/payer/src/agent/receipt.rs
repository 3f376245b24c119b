//! The settlement in the answer to a payment that is sent again: it counts if it agrees with what was
//! signed.

use alloc::string::{String, ToString};

use super::json::Json;
use farebox_base::encoding::base64;
use farebox_base::http::Headers;
use farebox_wire::mpp::charge::METHOD;

/// Maximum size of a settlement header, bytes.
const MAX_BYTES: usize = 64 * 1024;

/// The transaction that an answer names for a proposal of this payer; `None` if it names no
/// settlement.
///
/// # Errors
/// A text that names the contradiction to the proposal.
///
/// # Examples
/// ```
/// use farebox_base::http::Headers;
/// use farebox_payer::agent::{json::Json, receipt::transaction};
/// let proposal = Json::read(r#"{"network":"eip155:8453","payer":"0xAb","amount":"10"}"#, 100).unwrap();
/// // {"success":true,"network":"eip155:1"}
/// let other = Headers::from_lines(["payment-response: eyJzdWNjZXNzIjp0cnVlLCJuZXR3b3JrIjoiZWlwMTU1OjEifQ=="].into_iter());
/// assert_eq!(transaction(&other, &proposal), Err("it names a different network"));
/// assert_eq!(transaction(&Headers::default(), &proposal), Ok(None));
/// ```
pub fn transaction(headers: &Headers, proposal: &Json) -> Result<Option<String>, &'static str> {
    let x402 = headers.joined("payment-response").or_else(|| headers.joined("x-payment-response"));
    let (value, is_mpp) = match x402 {
        Some(value) => (value, false),
        None => match headers.joined("payment-receipt") {
            Some(value) => (value, true),
            None => return Ok(None),
        },
    };
    let bytes = base64::decode(&value).or_else(|_| base64::decode_url(&value));
    let text = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let said = text.and_then(|text| Json::read(&text, MAX_BYTES)).ok_or("it cannot be read")?;
    let agrees = |name: &str, ours: Option<&str>| match said.text_of(name) {
        None | Some("") => true,
        Some(theirs) => ours.is_some_and(|ours| ours.eq_ignore_ascii_case(theirs)),
    };
    let named = if is_mpp {
        if said.text_of("status") != Some("success") || said.text_of("method") != Some(METHOD) {
            return Err("it reports no payment of this kind");
        }
        said.text_of("reference")
    } else {
        if said.get("success") != Some(&Json::Bool(true)) {
            return Err("it reports that no payment was made");
        }
        said.text_of("transaction")
    };
    let network = said.text_of("network");
    // Version 1 has names of its own for networks.
    let is_id = network.is_some_and(|network| network.contains(':'));
    if !is_mpp && network.is_none() || is_id && !agrees("network", proposal.text_of("network")) {
        return Err("it names a different network");
    }
    // A wallet that was not asked yet had no address in its proposal.
    let payer = proposal.text_of("payer");
    if payer.is_some() && !agrees("payer", payer) {
        return Err("it names a different payer");
    }
    if !agrees("amount", proposal.text_of("amount")) {
        return Err("it names a different amount");
    }
    let digits = |text: &&str| text.strip_prefix("0x").is_some_and(is_hash);
    named.filter(digits).map(|text| Some(text.to_string())).ok_or("it names no transaction")
}

fn is_hash(digits: &str) -> bool {
    digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
}
