//! Quotes: a price is held for a request for as long as the quote counts, and a seat until someone
//! pays for it.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};

use super::body::{Fields, spelled};
use super::event::event;
use super::matching::Wanted;
use super::message::{Answer, JsonAnswer};
use super::records::{Change, Rows};
use super::refused::{detailed, said};
use super::row::{EventKind, HoldKind, QuoteRow, QuoteState, SellerRow};
use super::seat::{SeatClaim, firm_until};
use super::settings::Gateway;
use super::text::{list, object, quoted};
use super::{Decision, Now};
use farebox_base::encoding::hex;
use farebox_base::mutant::{Mutant, planted};
use farebox_evm::address::Address;

/// Milliseconds of a quote.
pub const QUOTE_MS: u64 = 300_000;
/// `buyer_id` of the exchange itself, in a demo run.
pub(super) const DEMO_BUYER: &str = "farebox-demo";
/// Most quotes that one client has open at once.
const MAX_OPEN: usize = 2;
/// Most quotes of one client in an hour that it does not pay.
const MAX_UNPAID: usize = 20;
const HOUR_MS: u64 = 3_600_000;

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
        let buyer = spelled(&fields.text("buyer_id")?);
        Ok(Self { buyer, capability: fields.text("capability")?, prompt: fields.text("prompt")? })
    }
}

impl Gateway {
    /// The fingerprint by which a request is known: the same for the same request, for the holder
    /// of the secret alone.
    pub(super) fn fingerprint(&self, order: &Order) -> String {
        let parts = [&order.buyer, &order.capability, &order.prompt].map(|text| text.as_bytes());
        let [buyer, capability, prompt] = parts;
        let profile = self.profile().name().as_bytes();
        hex::encode(&self.keyed("fingerprint", &[buyer, capability, prompt, profile]))
    }

    /// Holds a seat, or answers with the one that the same request has.
    pub(super) fn quote<R: Rows>(
        &self,
        records: &R,
        (client, body): (&str, &str),
        tick: Now<'_>,
    ) -> Result<Decision, R::Error> {
        let read = self.fields(body).and_then(|fields| Order::of(&fields));
        let order = match read {
            Ok(order) => order,
            Err(answer) => return Ok(Decision::reply(answer)),
        };
        let fingerprint = self.fingerprint(&order);
        let known = records.quote_of(&fingerprint)?.filter(|quote| quote.is_open(tick.now));
        if let Some(quote) = known.filter(|_| !planted(Mutant::RequestsAreQuotedTwice))
            && (quote.has_seat(tick.now)
                || self.seat_of(records, &quote, SeatClaim::Payment, tick)?.is_some())
        {
            return Ok(Decision::told(self.terms(&quote, tick)));
        }
        let unsold = records.unsold(client, tick.now.saturating_sub(HOUR_MS))?;
        let is_pending = |quote: &&QuoteRow| match quote.state {
            QuoteState::Open | QuoteState::Displaced => quote.is_open(tick.now),
            // It has its seat until it is known that no money came.
            QuoteState::Settling => !planted(Mutant::SettlingSeatsAreFree),
            QuoteState::Sold | QuoteState::Lapsed => false,
        };
        let open = unsold.iter().filter(is_pending).count();
        let is_over = open >= MAX_OPEN || unsold.len() >= MAX_UNPAID;
        if is_over && !planted(Mutant::QuotesPileUp) {
            let why = "Pay or let expire the quotes that you have before you request another one.";
            let answer = said(429, "QUOTE_LIMIT_REACHED", why).with("retry-after", "60");
            return Ok(Decision::reply(answer));
        }
        let wanted = Wanted::new(&order.capability, &order.buyer);
        let Some(seat) = self.matched(records, &wanted, tick)? else {
            return Ok(Decision::reply(self.none_available(&order.capability)));
        };
        let quote = QuoteRow {
            firm: firm_until(unsold.len(), tick),
            ..self.held(client, &order, fingerprint, &seat.seller, tick)
        };
        let event = event(EventKind::Matching, tick).payment(&quote.id);
        let event = event.seller(&seat.seller.id).done();
        let reaction = self.terms(&quote, tick);
        let changes = seat.edits(tick).chain([Change::Quote(Box::new(quote)), event]).collect();
        Ok(Decision { answer: reaction, changes })
    }

    /// The quote that holds a seat of this seller.
    pub(super) fn held(
        &self,
        client: &str,
        order: &Order,
        fingerprint: String,
        seller: &SellerRow,
        tick: Now<'_>,
    ) -> QuoteRow {
        let id = hex::encode(&self.marked(tick.fresh_quote()));
        QuoteRow {
            prompt: self.seal(tick.fresh_quote(), &id, &order.prompt),
            fingerprint,
            client: client.to_string(),
            buyer: order.buyer.clone(),
            capability: order.capability.clone(),
            seller: seller.id.clone(),
            amount: seller.price.clone(),
            units: seller.units.clone(),
            pay_to: self.payee(&seller.id),
            asset: self.token.address.to_checksum(),
            network: self.set.network.as_str().to_string(),
            created: tick.now,
            until: tick.now.saturating_add(QUOTE_MS),
            firm: 0,
            state: QuoteState::Open,
            id,
        }
    }

    /// The account that a buyer pays for the work of a seller.
    pub(super) fn payee(&self, seller: &str) -> String {
        match self.set.hold {
            HoldKind::Completion => {
                Address::parse(seller).map_or_else(|_| seller.to_string(), |it| it.to_checksum())
            }
            HoldKind::Escrow | HoldKind::Contract | HoldKind::Mock => self.set.escrow.to_checksum(),
        }
    }

    /// The 402 of a quote.
    pub(super) fn terms(&self, quote: &QuoteRow, tick: Now<'_>) -> Answer {
        self.asking(quote, ("Payment Required", "PAYMENT_REQUIRED"), tick)
    }

    /// A 402 with the terms of a quote.
    pub(super) fn asking(
        &self,
        quote: &QuoteRow,
        (error, code): (&str, &str),
        tick: Now<'_>,
    ) -> Answer {
        let left = quote.until.saturating_sub(tick.now).div_ceil(1000);
        let members = [
            ("error", quoted(error)),
            ("code", quoted(code)),
            ("payment_id", quoted(&quote.id)),
            ("fingerprint", quoted(&quote.fingerprint)),
            ("payment_mode", quoted(self.set.hold.mode())),
            ("network_profile", quoted(self.profile().name())),
            ("pay_to", quoted(&quote.pay_to)),
            ("amount", quoted(&quote.amount)),
            ("amount_atomic", quoted(&quote.units)),
            ("currency", quoted(self.token.symbol)),
            ("network", quoted(&quote.network)),
            ("chain_id", format!("{}", self.chain_id)),
            ("payment_asset", quoted(&quote.asset)),
            ("seller_id", quoted(&quote.seller)),
            ("expires_in_seconds", format!("{left}")),
            ("accepts", list([self.accepted(quote)])),
            ("x402Version", "1".to_string()),
        ];
        let answer = JsonAnswer::new(402, object(&members));
        match self.set.hold {
            HoldKind::Completion | HoldKind::Escrow | HoldKind::Contract => {
                Answer::Terms(quote.id.clone(), answer)
            }
            // The till has no price for it.
            HoldKind::Mock => Answer::Reply(answer),
        }
    }

    /// The original's entry of `accepts`, with the standard's scheme.
    fn accepted(&self, quote: &QuoteRow) -> String {
        let extra = object(&[
            ("name", quoted(self.token.name)),
            ("version", quoted(self.token.version)),
            ("payment_id", quoted(&quote.id)),
            ("payment_mode", quoted(self.set.hold.mode())),
            ("seller_id", quoted(&quote.seller)),
            ("network_profile", quoted(self.profile().name())),
            ("escrow_contract", quoted(&quote.pay_to)),
            ("currency", quoted(self.token.symbol)),
            ("amount_atomic", quoted(&quote.units)),
            ("chain_id", format!("{}", self.chain_id)),
        ]);
        let network = self.set.network.v1_name().unwrap_or(&quote.network);
        let description = format!("QuotaDEX {} execution request", quote.capability);
        let schema = r#"{"type":"object","properties":{"job_id":{"type":"string"},"status":{"type":"string"}}}"#;
        object(&[
            ("scheme", quoted("exact")),
            ("network", quoted(network)),
            ("maxAmountRequired", quoted(&quote.units)),
            ("resource", quoted(&format!("{}/api/v1/jobs/verify", self.set.url))),
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

    /// For a capability without a free seat.
    pub(super) fn none_available(&self, capability: &str) -> JsonAnswer {
        let profile = self.profile().name();
        let url = format!("{}/api/v1/buyers/capabilities?network_profile={profile}", self.set.url);
        let details = object(&[
            ("network_profile", quoted(profile)),
            ("requested_capability", quoted(capability)),
            ("capabilities_url", quoted(&url)),
        ]);
        let why = "No seller is available for this capability right now.";
        detailed(503, "NO_SELLER_AVAILABLE", why, &details)
    }
}
