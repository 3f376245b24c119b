//! Notices as they are posted: as they are kept, with a signature, or as a sentence for people in the
//! form that Slack takes. Spec: docs/monitoring.md, "Webhook".

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};

use serde_json::Value;

use super::settings::{NoticeForm, Webhook};
use crate::receipts::is_id;
use crate::units;
use farebox_base::chain::ChainId;
use farebox_base::encoding::hex;
use farebox_base::encoding::json::{self, json};
use farebox_base::hash;
use farebox_base::secret::Secret;
use farebox_base::text::Slack;
use farebox_base::time::UnixTime;

/// Path of the desk.
const DESK: &str = "/_farebox/desk/";
/// Longest value in a sentence, characters: Discord takes messages of at most 2000.
const MAX_CHARS: usize = 200;

/// A notice as it is posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostedNotice {
    /// JSON.
    pub body: String,
    /// `Farebox-Signature`.
    pub signature: Option<String>,
}

impl Webhook {
    /// A notice in this webhook's form; `kept` is what the ledger keeps, `{id, type, at, data}`.
    #[must_use]
    pub fn posted(&self, kept: &str, now: UnixTime) -> PostedNotice {
        match &self.form {
            NoticeForm::Signed { secret } => {
                let signature = signature(secret, kept, now);
                PostedNotice { body: kept.to_owned(), signature: Some(signature) }
            }
            NoticeForm::Slack { gate } => {
                let notice = json::parse_within(kept.as_bytes(), usize::MAX, usize::MAX);
                let told = Told { notice: notice.unwrap_or_default(), gate: gate.as_deref() };
                let body = json::text(&json!({"text": told.sentence().as_str()}));
                PostedNotice { body, signature: None }
            }
        }
    }
}

fn signature(secret: &Secret<String>, body: &str, now: UnixTime) -> String {
    let secs = now.secs();
    let text = format!("{secs}.{body}");
    let mac = hash::mac(secret.expose().as_bytes(), &[text.as_bytes()]);
    format!("t={secs},v1={}", hex::encode(&mac))
}

/// A notice that is told to people.
struct Told<'a> {
    notice: Value,
    gate: Option<&'a str>,
}

impl Told<'_> {
    /// Says in one sentence that something happened and can be done, with the money and the place.
    fn sentence(&self) -> Slack {
        let kind = self.notice.get("type").and_then(Value::as_str).unwrap_or_default();
        match kind {
            "payment.refund_due" => Slack::fill(
                "Wallet {} owes {} on {} to {} for payment {} of {} ({}): if it is yours, refund or waive it at {}",
                [
                    self.data("payee"),
                    self.amount(),
                    self.network(),
                    self.payer(),
                    self.data("id"),
                    self.data("route"),
                    self.data("reason"),
                    self.payment(),
                ],
            ),
            "payment.manual" => Slack::fill(
                "Payment {} of {} on {} for {} waits for your review ({}): resolve it at {}",
                [
                    self.data("id"),
                    self.amount(),
                    self.network(),
                    self.data("route"),
                    self.data("reason"),
                    self.payment(),
                ],
            ),
            "payment.unknown_overdue" => Slack::fill(
                "Payment {} of {} on {} for {} has had no known outcome for 10 minutes: the gate goes on asking; \
                 see whether the facilitator answers at {}",
                [
                    self.data("id"),
                    self.amount(),
                    self.network(),
                    self.data("route"),
                    self.desk("#facilitators"),
                ],
            ),
            "ledger.room" => Slack::fill(
                "A ledger object has used {} percent of {}, and begins no payment from 95 on (days until then: {}): keep less, \
                 or raise {}; \"Room\" in {} says how",
                [
                    self.data("percent"),
                    Slack::of("LEDGER_MAX_MB"),
                    self.data("days_left"),
                    Slack::of("LEDGER_SHARDS"),
                    Slack::of("docs/upkeep.md"),
                ],
            ),
            "payer.threshold" => Slack::fill(
                "Client {} has failed to pay for {} {} times in a row ({}): see why at {}",
                [
                    self.data("client"),
                    self.data("route"),
                    self.data("attempts"),
                    self.data("code"),
                    self.desk("#clients"),
                ],
            ),
            _ => Slack::fill("{}: look at {}", [Slack::of(&shortened(kind)), self.desk("")]),
        }
    }

    fn member(&self, name: &str) -> Option<&Value> {
        self.notice.get("data")?.get(name)
    }

    fn text(&self, name: &str) -> &str {
        self.member(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A member as it is written; `unknown` if it has no value.
    fn data(&self, name: &str) -> Slack {
        match self.member(name) {
            Some(Value::String(text)) => Slack::of(&shortened(text)),
            None | Some(Value::Null) => Slack::literal("unknown"),
            Some(other) => Slack::of(&shortened(&other.to_string())),
        }
    }

    /// The payer; of one whom the gate cannot read it keeps the payment's key, to which no money may go.
    fn payer(&self) -> Slack {
        let is_key = self.text("payer") == self.text("key");
        if is_key { Slack::literal("whoever sent it") } else { self.data("payer") }
    }

    /// The money: in the asset's own units if the gate knows it.
    fn amount(&self) -> Slack {
        let (network, asset, amount) =
            (self.text("network"), self.text("asset"), self.text("amount"));
        let decimal = units::decimal(network, asset, amount);
        match units::of(network, asset).filter(|_| !decimal.is_empty()) {
            Some((symbol, _)) => Slack::of(&format!("{decimal} {symbol}")),
            None => Slack::fill("{} atomic units of {}", [self.data("amount"), self.data("asset")]),
        }
    }

    fn network(&self) -> Slack {
        let id = self.text("network");
        Slack::of(&ChainId::parse(id).map_or(shortened(id), |network| network.title().to_owned()))
    }

    /// The payment in the desk.
    fn payment(&self) -> Slack {
        let id = self.text("id");
        if is_id(id) { self.desk(&format!("#payment?id={id}")) } else { self.desk("#payments") }
    }

    /// A view of the desk, or its path if it is not known where the gate is.
    fn desk(&self, view: &str) -> Slack {
        match self.gate {
            Some(gate) => Slack::address(&[gate, DESK, view].concat()),
            None => Slack::of(DESK),
        }
    }
}

/// Text of at most [`MAX_CHARS`].
fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => [text.get(..end).unwrap_or_default(), "\u{2026}"].concat(),
        None => text.to_owned(),
    }
}
