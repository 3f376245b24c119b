//! Quotes: a price is held for a request for as long as the quote counts, and a seat until someone
//! pays for it.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};

use super::body::Fields;
use super::event::event;
use super::kernel::{Applied, Decision, Now};
use super::keys::Keys;
use super::message::{Answer, JsonAnswer};
use super::offer::Limits;
use super::records::{Change, Rows};
use super::refused::{detailed_refusal, down, refusal};
use super::row::spell_wallet;
use super::row::{EventKind, HoldKind, QuoteRow, QuoteState, SellerRow};
use super::seat::{SeatClaim, Wanted, firm_until, match_seat, seat_of};
use super::settings::PaymentProfile;
use super::shown::named_in;
use crate::text::{list, object, quoted};
use farebox_base::encoding::hex;
use farebox_base::secret::Secret;

/// Milliseconds of a quote.
pub const QUOTE_MS: u64 = 300_000;
/// `buyer_id` of the exchange itself, in a demo run.
pub(super) const DEMO_BUYER: &str = "farebox-demo";
/// Most quotes that one client has open at once.
const MAX_OPEN: usize = 2;
/// Most quotes of one client in an hour that it does not pay.
const MAX_UNPAID: usize = 20;
const HOUR_MS: u64 = 3_600_000;

/// Why a 402 asks for a payment.
#[derive(Clone, Copy)]
pub(super) struct Unpaid {
    pub error: &'static str,
    pub code: &'static str,
}

const REQUIRED: Unpaid = Unpaid { error: "Payment Required", code: "PAYMENT_REQUIRED" };

/// A buyer's request.
pub(super) struct Order {
    /// `buyer_id` in its one spelling.
    pub buyer: String,
    /// The capability that is bought.
    pub capability: String,
    /// The prompt.
    pub prompt: String,
}

impl Order {
    /// Reads the members of an order.
    pub fn of(fields: &Fields) -> Result<Self, JsonAnswer> {
        let buyer = spell_wallet(&fields.text("buyer_id")?);
        Ok(Self { buyer, capability: fields.text("capability")?, prompt: fields.text("prompt")? })
    }
}

/// Quotes of a profile.
#[derive(Clone, Copy)]
pub(super) struct Quotes<'g> {
    pub profile: &'g PaymentProfile,
    pub keys: &'g Keys,
    pub limits: &'g Limits,
}

impl Quotes<'_> {
    /// The fingerprint by which a request is known: the same for the same request, for the holder
    /// of the secret alone.
    pub fn fingerprint(&self, order: &Order) -> String {
        self.fingerprint_of(&self.keys.secret, order)
    }

    /// The one by which it was known under the secret before.
    pub fn former_fingerprint(&self, order: &Order) -> Option<String> {
        Some(self.fingerprint_of(self.keys.previous.as_ref()?, order))
    }

    /// The one under which a request was quoted: that of the quote which its payment names, else the
    /// former, where there is no quote since.
    pub fn find_fingerprint<R: Rows>(
        &self,
        records: &R,
        order: &Order,
        material: &str,
    ) -> Result<String, R::Error> {
        let now = self.fingerprint(order);
        let Some(former) = self.former_fingerprint(order) else { return Ok(now) };
        let named = named_in(material).map(|id| records.quote(&id)).transpose()?.flatten();
        let is_former = match named.map(|quote| quote.fingerprint) {
            Some(named) if named == former || named == now => named == former,
            _ => records.quote_of(&now)?.is_none() && records.quote_of(&former)?.is_some(),
        };
        Ok(if is_former { former } else { now })
    }

    fn fingerprint_of(&self, secret: &Secret<String>, order: &Order) -> String {
        let parts = [&order.buyer, &order.capability, &order.prompt].map(|text| text.as_bytes());
        let [buyer, capability, prompt] = parts;
        let profile = self.profile.name().as_bytes();
        let parts = [buyer, capability, prompt, profile];
        hex::encode(&self.keys.mac_of(secret, "fingerprint", &parts))
    }

    /// Holds a seat, or answers with the one that the same request has.
    pub fn quote<R: Rows>(
        &self,
        records: &R,
        client: &str,
        body: &str,
        tick: Now<'_>,
    ) -> Applied<R> {
        let fields = Fields::of_profile(body, self.profile.kind);
        let read = fields.and_then(|fields| Order::of(&fields));
        let order = or_reply!(read);
        let known = self.find_open(records, &self.find_fingerprint(records, &order, "")?, tick)?;
        if let Some(quote) = known
            && (quote.has_seat(tick.now)
                || seat_of(records, &quote, SeatClaim::Payment, tick)?.is_some())
        {
            return Ok(Decision::told(self.ask_payment(&quote, REQUIRED, tick)));
        }
        let unsold = records.unsold(client, tick.now.saturating_sub(HOUR_MS))?;
        let is_pending = |quote: &&QuoteRow| match quote.state {
            QuoteState::Open | QuoteState::Displaced => quote.is_open(tick.now),
            // It has its seat until it is known that no money came.
            QuoteState::Settling => true,
            QuoteState::Sold | QuoteState::Lapsed => false,
        };
        let open = unsold.iter().filter(is_pending).count();
        let is_over = open >= MAX_OPEN || unsold.len() >= MAX_UNPAID;
        if is_over {
            let why = "Pay or let expire the quotes that you have before you request another one.";
            let answer = refusal(429, "QUOTE_LIMIT_REACHED", why).with("retry-after", "60");
            return Ok(Decision::reply(answer));
        }
        if tick.is_full {
            return Ok(Decision::reply(down()));
        }
        let wanted = Wanted::new(&order.capability, &order.buyer);
        let Some(seat) = match_seat(records, self.limits, &wanted, tick)? else {
            return Ok(Decision::reply(none_available(self.profile, &order.capability)));
        };
        let quote = QuoteRow {
            firm: firm_until(unsold.len(), tick),
            ..self.make_quote(client, &order, self.fingerprint(&order), &seat.seller, tick)
        };
        let event = event(EventKind::Matching, tick).payment(&quote.id);
        let event = event.seller(&seat.seller.id).done();
        let reaction = self.ask_payment(&quote, REQUIRED, tick);
        let changes = seat.edits(tick).chain([Change::Quote(Box::new(quote)), event]).collect();
        Ok(Decision { answer: reaction, changes })
    }

    /// The newest quote of a request, while it can be paid: it has not ended, and asks for what the
    /// profile asks for now.
    pub fn find_open<R: Rows>(
        &self,
        records: &R,
        fingerprint: &str,
        tick: Now<'_>,
    ) -> Result<Option<QuoteRow>, R::Error> {
        let newest = records.quote_of(fingerprint)?;
        Ok(newest.filter(|quote| quote.is_open(tick.now) && self.profile.is_current(quote)))
    }

    /// The quote that holds a seat of this seller.
    pub fn make_quote(
        &self,
        client: &str,
        order: &Order,
        fingerprint: String,
        seller: &SellerRow,
        tick: Now<'_>,
    ) -> QuoteRow {
        let id = hex::encode(&self.keys.mark_id(tick.seed));
        QuoteRow {
            prompt: self.keys.seal(tick.seed, &id, &order.prompt),
            fingerprint,
            client: client.to_string(),
            buyer: order.buyer.clone(),
            capability: order.capability.clone(),
            seller: seller.id.clone(),
            amount: seller.price.clone(),
            units: seller.units.clone(),
            pay_to: self.profile.payee(&seller.id),
            asset: self.profile.token.address.to_checksum(),
            network: self.profile.network.as_str().to_string(),
            created: tick.now,
            until: tick.now.saturating_add(QUOTE_MS),
            firm: 0,
            unheard: false,
            lost: String::new(),
            state: QuoteState::Open,
            id,
        }
    }

    /// A 402 with the terms of a quote.
    pub fn ask_payment(&self, quote: &QuoteRow, why: Unpaid, tick: Now<'_>) -> Answer {
        let left = quote.until.saturating_sub(tick.now).div_ceil(1000);
        let members = [
            ("error", quoted(why.error)),
            ("code", quoted(why.code)),
            ("payment_id", quoted(&quote.id)),
            ("fingerprint", quoted(&quote.fingerprint)),
            ("payment_mode", quoted(self.profile.hold.mode())),
            ("network_profile", quoted(self.profile.name())),
            ("pay_to", quoted(&quote.pay_to)),
            ("amount", quoted(&quote.amount)),
            ("amount_atomic", quoted(&quote.units)),
            ("currency", quoted(self.profile.token.symbol)),
            ("network", quoted(&quote.network)),
            ("chain_id", format!("{}", self.profile.chain_id)),
            ("payment_asset", quoted(&quote.asset)),
            ("seller_id", quoted(&quote.seller)),
            ("expires_in_seconds", format!("{left}")),
            ("accepts", list([self.write_accepts(quote)])),
            ("x402Version", "1".to_string()),
        ];
        let answer = JsonAnswer::new(402, object(&members));
        match self.profile.hold {
            HoldKind::Completion | HoldKind::Escrow | HoldKind::Contract => {
                Answer::Terms(quote.id.clone(), answer)
            }
            // The till has no price for it.
            HoldKind::Mock => Answer::Reply(answer),
        }
    }

    /// The original's entry of `accepts`, with the standard's scheme.
    fn write_accepts(&self, quote: &QuoteRow) -> String {
        let extra = object(&[
            ("name", quoted(self.profile.token.name)),
            ("version", quoted(self.profile.token.version)),
            ("payment_id", quoted(&quote.id)),
            ("payment_mode", quoted(self.profile.hold.mode())),
            ("seller_id", quoted(&quote.seller)),
            ("network_profile", quoted(self.profile.name())),
            ("escrow_contract", quoted(&quote.pay_to)),
            ("currency", quoted(self.profile.token.symbol)),
            ("amount_atomic", quoted(&quote.units)),
            ("chain_id", format!("{}", self.profile.chain_id)),
        ]);
        let network = self.profile.network.v1_name().unwrap_or(&quote.network);
        let description = format!("QuotaDEX {} execution request", quote.capability);
        let schema = r#"{"type":"object","properties":{"job_id":{"type":"string"},"status":{"type":"string"}}}"#;
        object(&[
            ("scheme", quoted("exact")),
            ("network", quoted(network)),
            ("maxAmountRequired", quoted(&quote.units)),
            ("resource", quoted(&format!("{}/api/v1/jobs/verify", self.profile.url))),
            ("description", quoted(&description)),
            ("mimeType", quoted("application/json")),
            ("outputSchema", schema.to_string()),
            ("payTo", quoted(&quote.pay_to)),
            ("maxTimeoutSeconds", "300".to_string()),
            ("asset", quoted(&quote.asset)),
            ("extra", extra),
            ("merchantName", quoted("QuotaDEX Gateway")),
        ])
    }
}

/// For a capability without a free seat.
pub(super) fn none_available(profile: &PaymentProfile, capability: &str) -> JsonAnswer {
    let name = profile.name();
    let url = format!("{}/api/v1/buyers/capabilities?network_profile={name}", profile.url);
    let details = object(&[
        ("network_profile", quoted(name)),
        ("requested_capability", quoted(capability)),
        ("capabilities_url", quoted(&url)),
    ]);
    let why = "No seller is available for this capability right now.";
    detailed_refusal(503, "NO_SELLER_AVAILABLE", why, &details)
}
