//! The signer of a payment, as far as the payment itself tells: a contract's wallet is asked on the
//! chain, by the gate.

use alloc::string::{String, ToString};

use serde_json::Value;

use super::row::{QuoteRow, Signer};
use super::settings::Gateway;
use super::verify::message_of;
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;
use farebox_base::time::UnixTime;
use farebox_evm::address::Address;
use farebox_evm::eip712::Domain;
use farebox_evm::eip3009::Authorization;
use farebox_evm::signature::Signature;

impl Gateway {
    /// The signer of a payment that names its buyer as the payer. A payment that was signed for
    /// something else, or is over, is public: anyone can show it.
    pub(super) fn signer(&self, material: &str, quote: &QuoteRow, now: UnixTime) -> Signer {
        match self.is_signed(material, quote, now) {
            Some(true) => Signer::Buyer,
            Some(false) | None => Signer::Unknown,
        }
    }

    fn is_signed(&self, material: &str, quote: &QuoteRow, now: UnixTime) -> Option<bool> {
        let message = message_of(material)?;
        let payload = message.get("payload").unwrap_or(&message);
        let signature = Signature::parse(payload.get("signature")?.as_str()?).ok()?;
        let terms = payload.get("authorization")?;
        let text = |name: &str| plain(terms.get(name)?);
        let time = |name: &str| text(name)?.parse().ok().map(UnixTime::from_secs);
        let authorization = Authorization {
            from: Address::parse(&text("from")?).ok()?,
            to: Address::parse(&text("to")?).ok()?,
            value: Amount::from_atomic(&text("value")?).ok()?,
            valid_after: time("validAfter")?,
            valid_before: time("validBefore")?,
            nonce: hex::decode_array(&text("nonce")?).ok()?,
        };
        let domain = Domain {
            name: self.token.name,
            version: self.token.version,
            chain_id: self.chain_id,
            verifying_contract: self.token.address,
        };
        let signer = signature.recover(&authorization.digest(&domain.separator())).ok()?;
        let is_for_this = authorization.to == Address::parse(&quote.pay_to).ok()?
            && authorization.value == Amount::from_atomic(&quote.units).ok()?
            && authorization.valid_before > now;
        Some(signer == authorization.from && is_for_this)
    }
}

/// Text, or a number as its digits.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
