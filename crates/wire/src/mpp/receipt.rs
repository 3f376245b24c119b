//! `Payment-Receipt`: the receipt that comes with a paid response. Spec: draft-httpauth-payment,
//! "Receipt".

use alloc::string::String;

use serde_json::{Map, Value};

use super::challenge::object;
use super::{Malformed, members};
use farebox_base::encoding::{base64, jcs};
use farebox_base::time::UnixTime;

/// The header field.
pub const HEADER: &str = "payment-receipt";
/// Maximum length of the value, bytes.
pub const MAX_BYTES: usize = 16 * 1024;

/// A receipt to write. It exists only for payments that succeeded.
#[derive(Clone, Copy, Debug)]
pub struct Receipt<'a> {
    /// Payment method.
    pub method: &'a str,
    /// Usually the transaction.
    pub reference: &'a str,
    /// Time of the settlement.
    pub timestamp: UnixTime,
    /// The challenge that was answered.
    pub challenge_id: Option<&'a str>,
    /// The chain.
    pub chain_id: Option<u64>,
    /// The server's name for this payment, from the challenge.
    pub external_id: Option<&'a str>,
}

impl Receipt<'_> {
    /// Writes the value of the header field.
    ///
    /// # Examples
    /// ```
    /// use farebox_base::time::UnixTime;
    /// use farebox_wire::mpp::receipt::Receipt;
    /// let receipt = Receipt {
    ///     method: "stripe", reference: "pi_1", timestamp: UnixTime::from_secs(1_740_672_089),
    ///     challenge_id: None, chain_id: None, external_id: None,
    /// };
    /// let header = "eyJtZXRob2QiOiJzdHJpcGUiLCJyZWZlcmVuY2UiOiJwaV8xIiwic3RhdHVzIjoic3VjY2VzcyIsInRpbWVzdGFtcCI6IjIwMjUtMDItMjdUMTY6MDE6MjlaIn0";
    /// assert_eq!(receipt.to_header(), header);
    /// ```
    #[must_use]
    pub fn to_header(&self) -> String {
        base64::encode_url(jcs::object_text(&self.to_object()).as_bytes())
    }

    /// The members; absent ones are omitted.
    #[must_use]
    pub fn to_object(&self) -> Map<String, Value> {
        let text = |text: &str| Value::String(String::from(text));
        members::present([
            ("challengeId", self.challenge_id.map(text)),
            ("chainId", self.chain_id.map(Value::from)),
            ("externalId", self.external_id.map(text)),
            ("method", Some(text(self.method))),
            ("reference", Some(text(self.reference))),
            ("status", Some(text(SUCCESS))),
            ("timestamp", Some(Value::String(self.timestamp.rfc3339()))),
        ])
    }
}

/// A received receipt.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceivedReceipt {
    /// Payment method.
    pub method: String,
    /// Usually the transaction.
    pub reference: String,
    /// Time of the settlement.
    pub timestamp: UnixTime,
    /// The challenge that was answered.
    pub challenge_id: Option<String>,
    /// The chain.
    pub chain_id: Option<u64>,
    /// The server's name for this payment.
    pub external_id: Option<String>,
    /// Every member as received.
    pub members: Map<String, Value>,
}

impl ReceivedReceipt {
    /// Reads the value of the header field; unknown members are kept.
    ///
    /// # Errors
    /// [`Malformed::TooLarge`] beyond [`MAX_BYTES`], otherwise the first member that is missing or
    /// wrong.
    ///
    /// # Examples
    /// ```
    /// use farebox_wire::mpp::{Malformed, receipt::ReceivedReceipt};
    /// let receipt = ReceivedReceipt::read("eyJtZXRob2QiOiJzdHJpcGUiLCJyZWZlcmVuY2UiOiJwaV8xIiwic3RhdHVzIjoic3VjY2VzcyIsInRpbWVzdGFtcCI6IjIwMjUtMDItMjdUMTY6MDE6MjlaIn0").unwrap();
    /// assert_eq!((receipt.reference.as_str(), receipt.timestamp.secs()), ("pi_1", 1_740_672_089));
    /// assert_eq!(ReceivedReceipt::read("e30"), Err(Malformed::Missing("status")));
    /// ```
    pub fn read(value: &str) -> Result<Self, Malformed> {
        if value.len() > MAX_BYTES {
            return Err(Malformed::TooLarge);
        }
        let members = object("receipt", value)?;
        let text = |name| match members.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(Malformed::Wrong(name)),
        };
        let required = |name| text(name)?.ok_or(Malformed::Missing(name));
        if required("status")? != SUCCESS {
            return Err(Malformed::Wrong("status"));
        }
        let chain_id = match members.get("chainId") {
            None => None,
            Some(chain) => Some(chain.as_u64().ok_or(Malformed::Wrong("chainId"))?),
        };
        Ok(Self {
            method: required("method")?,
            reference: required("reference")?,
            timestamp: UnixTime::from_rfc3339(&required("timestamp")?)
                .map_err(|_| Malformed::Wrong("timestamp"))?,
            challenge_id: text("challengeId")?,
            chain_id,
            external_id: text("externalId")?,
            members,
        })
    }
}

const SUCCESS: &str = "success";
