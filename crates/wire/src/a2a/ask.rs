//! The body with which a payee asks for a link.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use farebox_base::encoding::json;
use farebox_evm::address::Address;

/// Maximum size of a body, bytes.
const MAX_BYTES: usize = 16 * 1024;
/// Seconds for which a link can be paid, if it does not say.
const DEFAULT_SECS: u64 = 1_800;
/// The shortest and the longest time, seconds.
const SECS: core::ops::RangeInclusive<u64> = 30..=604_800;
/// Members of a body.
const MEMBERS: [&str; 11] = [
    "type",
    "organization",
    "network",
    "amount",
    "symbol",
    "recipient",
    "description",
    "externalId",
    "expiresIn",
    "realm",
    "deliveries",
];

/// A link as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkAsk {
    /// The network, if it is named.
    pub network: Option<String>,
    /// Decimal text.
    pub amount: String,
    /// The token.
    pub symbol: String,
    /// The account that is paid.
    pub recipient: Address,
    /// For people.
    pub description: String,
    /// The payee's own id.
    pub external_id: Option<String>,
    /// The payee's protection space.
    pub realm: Option<String>,
    /// Seconds for which it can be paid.
    pub secs: u64,
    /// Whether the answer names a URL.
    pub has_url: bool,
}

impl LinkAsk {
    /// Reads a body.
    ///
    /// # Errors
    /// Everything that is wrong with it, for people.
    ///
    /// # Examples
    /// ```
    /// use farebox_wire::a2a::ask::LinkAsk;
    /// let to = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C";
    /// let body = format!(r#"{{"type":"charge","amount":"0.01","symbol":"USDC","recipient":"{to}"}}"#);
    /// assert_eq!(LinkAsk::read(&body).unwrap().secs, 1_800);
    /// let wrong = LinkAsk::read(r#"{"type":"escrow","amount":1}"#).unwrap_err();
    /// assert!(wrong.starts_with("type: must be charge; amount: must be text"));
    /// ```
    pub fn read(body: &str) -> Result<Self, String> {
        let Some(members) = members(body) else {
            let names = MEMBERS.join(", ");
            return Err(format!("the body must be a JSON object of at most 16 KiB with {names}"));
        };
        let mut faults: Vec<String> = Vec::new();
        for name in members.keys().filter(|name| !MEMBERS.contains(&name.as_str())) {
            let shown: String = name.chars().filter(char::is_ascii_alphanumeric).take(24).collect();
            faults.push(format!("{shown}: is unknown"));
        }
        if members.get("type").is_some_and(|kind| kind != "charge") {
            faults.push("type: must be charge".to_string());
        }
        let mut text = |name: &str, max: usize| match members.get(name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if (1..=max).contains(&text.chars().count()) => {
                Some(text.clone())
            }
            Some(_) => {
                faults.push(format!("{name}: must be text of 1 to {max} characters"));
                None
            }
        };
        let (amount, symbol, recipient) =
            (text("amount", 80), text("symbol", 16), text("recipient", 42));
        let (network, description) = (text("network", 64), text("description", 256));
        let (external_id, realm) = (text("externalId", 128), text("realm", 128));
        for (name, found) in [("amount", &amount), ("symbol", &symbol), ("recipient", &recipient)] {
            if found.is_none() && !members.contains_key(name) {
                faults.push(format!("{name}: is missing"));
            }
        }
        // Only with its checksum: a slip in it pays someone else.
        let recipient = recipient.map(|text| {
            let named = Address::parse(&text).ok();
            named.filter(|it| it.to_checksum() == text && !it.is_low() && !it.is_burn())
        });
        if recipient == Some(None) {
            faults.push("recipient: must be an address with its checksum".to_string());
        }
        let secs = match members.get("expiresIn") {
            None | Some(Value::Null) => Some(DEFAULT_SECS),
            Some(secs) => secs.as_u64().filter(|secs| SECS.contains(secs)),
        };
        if secs.is_none() {
            faults.push("expiresIn: must be a number of seconds from 30 to 604800".to_string());
        }
        let has_url = match members.get("deliveries") {
            None => true,
            Some(it) => it.get("includeUrl").and_then(Value::as_bool).unwrap_or(false),
        };
        match (amount, symbol, recipient.flatten(), secs) {
            (Some(amount), Some(symbol), Some(recipient), Some(secs)) if faults.is_empty() => {
                let description = description.unwrap_or_default();
                Ok(Self {
                    network,
                    amount,
                    symbol,
                    recipient,
                    description,
                    external_id,
                    realm,
                    secs,
                    has_url,
                })
            }
            _ => Err(faults.join("; ")),
        }
    }
}

fn members(body: &str) -> Option<Map<String, Value>> {
    match json::parse_with(body.as_bytes(), MAX_BYTES) {
        Ok(Value::Object(members)) => Some(members),
        _ => None,
    }
}
