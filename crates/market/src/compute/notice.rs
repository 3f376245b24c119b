//! The gate's notices, and its questions about a price: read, and their signatures checked. Spec:
//! docs/monitoring.md, "Webhook"; docs/pricing.md.

use alloc::boxed::Box;
use alloc::string::{String, ToString};

use serde_json::Value;

use super::body::MAX_BODY_BYTES;
use super::gateway::Gateway;
use super::message::{Command, JsonAnswer, TillPayment};
use super::refused::{no_json, refusal};
use super::settings::Profile;
use super::shown::quote_in;
use super::vars::Profiles;
use farebox_base::encoding::{hex, json};
use farebox_base::hash;
use farebox_base::secret::ct_eq;
use farebox_evm::address::Address;

/// Most seconds between the gate's clock and this one.
const MAX_SKEW_SECS: u64 = 300;

/// The price that the gate asks for, and of which profile.
///
/// # Errors
/// The answer where the question is about no quote.
pub fn price_asked(body: &str) -> Result<(Profile, Command), JsonAnswer> {
    let none = || refusal(404, "QUOTE_EXPIRED", "No such quote can be paid now.");
    let question = json::parse_with(body.as_bytes(), MAX_BODY_BYTES).map_err(|_| no_json())?;
    let url = question.get("url").and_then(Value::as_str).ok_or_else(none)?;
    let profile = quote_in(url).and_then(Profile::of_id).ok_or_else(none)?;
    Ok((profile, Command::Price(url.to_string())))
}

impl Profiles {
    /// The command that reports a debt of which the gate gives notice, and its profile; `None` if
    /// it is about something else.
    ///
    /// # Errors
    /// 403 unless the gate has signed it within 300 seconds.
    pub fn read_debt(
        &self,
        signature: &str,
        body: &str,
        now_ms: u64,
    ) -> Result<Option<(Profile, Command)>, JsonAnswer> {
        if !self.is_notice(signature, body, now_ms) {
            return Err(refusal(
                403,
                "NOTICE_NOT_SIGNED",
                "Only the gate's own notices are taken.",
            ));
        }
        let notice = json::parse_with(body.as_bytes(), MAX_BODY_BYTES).map_err(|_| no_json())?;
        let data = notice.get("data");
        let text = |name: &str| -> String {
            let text = data.and_then(|data| data.get(name)).and_then(Value::as_str);
            text.unwrap_or_default().to_string()
        };
        let is_owed = notice.get("type").and_then(Value::as_str) == Some("payment.refund_due");
        if !is_owed || !text("route").contains("/till/") {
            return Ok(None);
        }
        let sale = TillPayment {
            quote: String::new(),
            payment: text("id"),
            payer: text("payer"),
            amount: text("amount"),
            asset: text("asset"),
            network: text("network"),
            transaction: text("transaction"),
        };
        // Money that went elsewhere is paid back by whoever has it: a stranger may name their route, and
        // their payee, as they like.
        let payee = Address::parse(&text("payee")).ok();
        let has_it = |it: &&Gateway| payee == Some(it.profile.escrow);
        let holds =
            |it: &&Gateway| it.profile.hold.has_money() && it.profile.takes(&sale) && has_it(it);
        let gateway = self.gateways().find(holds);
        Ok(gateway.map(Gateway::profile).map(|it| (it, Command::Owed(Box::new(sale)))))
    }

    fn is_notice(&self, signature: &str, body: &str, now_ms: u64) -> bool {
        let Some(secret) = &self.notices else { return false };
        let Some((time, mac)) =
            signature.strip_prefix("t=").and_then(|rest| rest.split_once(",v1="))
        else {
            return false;
        };
        let Ok(secs) = time.parse::<u64>() else { return false };
        let right = hash::mac(
            secret.expose().as_bytes(),
            &[time.as_bytes(), b".".as_slice(), body.as_bytes()],
        );
        secs.abs_diff(now_ms / 1000) <= MAX_SKEW_SECS
            && ct_eq(mac.as_bytes(), hex::encode(&right).as_bytes())
    }
}
