//! Requests for routes with a pricer: quotes a price, and finds out whether a payment was made for
//! a quote.
//!
//! A quote is `<end>.<mac>`: a keyed hash of route, network, asset, amount, payee, end and the whole
//! question that was priced. A payment that returns a valid quote is checked against it without asking the
//! pricer; in MPP the challenge itself is the quote and covers the question. Any other payment is
//! checked against the quotes that this isolate remembers, then against the present price. If it
//! matches neither, the ledger is asked about it, and only a payment unknown there is answered with
//! fresh terms.

use alloc::borrow::{Cow, ToOwned};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use super::admission::{Admission, AwaitingPrice, refuse, unpriced};
use super::checked::Eligibility;
use super::isolate::Isolate;
use super::mpp;
use super::mpp::credential::ChallengeTerms;
use super::offer::{Choice, Offer, PricedRoute, Pricer};
use super::presented::{PresentedRequest, shows_proof};
use super::pricer::{PricerReply, can_be_told, question, terms_at};
use super::purchases::{JudgedTerms, Purchases};
use super::reply::Audience;
use super::request::IncomingRequest;
use super::unpaid::FreeRequests;
use farebox_base::amount::Amount;
use farebox_base::http::RequestHead;
use farebox_base::secret::ct_eq;
use farebox_base::time::UnixTime;
use farebox_common::payment::Terms;
use farebox_common::problem::Code;
use farebox_evm::address::Address;
use farebox_wire::mpp::credential::CredentialSearch;
use farebox_wire::x402::exact::SCHEME;
use farebox_wire::x402::{Version, header, v1};

/// Longest quote that is looked at, bytes: an end, a dot and a MAC fit.
const MAX_QUOTE_BYTES: usize = 64;

/// The terms that a payment claims to be made for.
struct Bid<'a> {
    choice: &'a Choice,
    terms: Terms,
    /// The quote that it returns; `None` unless the gate issued it and it still holds.
    quote: Option<String>,
    /// Whether it answers one of the gate's challenges whose price still holds.
    is_challenged: bool,
}

/// Requests for routes with a pricer.
#[derive(Clone, Copy)]
pub(super) struct Pricing<'g> {
    pub purchases: Purchases<'g>,
    pub free: FreeRequests<'g>,
}

impl<'g> Pricing<'g> {
    /// Admits a request.
    pub fn admit(
        &self,
        route: PricedRoute<'g>,
        pricer: &Pricer,
        shown: PresentedRequest,
        isolate: &mut Isolate<'_>,
        now: UnixTime,
    ) -> Admission<'g> {
        let PricedRoute { index, offer } = route;
        let IncomingRequest { head, correlation } = &shown.request;
        if !can_be_told(head) {
            return refuse(Code::HeaderTooLarge, Audience::Paid, correlation);
        }
        if shows_proof(&head.headers) {
            let question = question(head);
            let bid = self.read_bid(offer, head, &question, now);
            let holds = |bid: &Bid<'_>| {
                let name = self.write_quote(offer, &bid.terms, &question, 0);
                bid.is_challenged
                    || bid.quote.is_some()
                    || isolate.attempts.quotes.holds(&name, now)
            };
            if let Some(bid) = bid.filter(holds) {
                let choices = Vec::from([bid.choice_of(offer)]);
                let at = offer.at(choices, None);
                let (offer, judged) = (Cow::Owned(at.clone()), Cow::Owned(at));
                let terms = JudgedTerms { offer, judged, instead: None };
                return self.purchases.begin(terms, shown, isolate, now);
            }
        } else if let Some((call, spending)) =
            self.free.ask(index, offer, &shown.request, isolate, now)
        {
            return Admission::UseFree(call, spending);
        }
        let call = pricer.call(head);
        Admission::Price(call, AwaitingPrice { route: index, request: shown.request })
    }

    /// Takes the pricer's answer about a request for this route, if it is one that has a price.
    pub fn take_price(
        &self,
        offer: Option<&'g Offer>,
        request: IncomingRequest,
        answer: Option<&str>,
        isolate: &mut Isolate<'_>,
        now: UnixTime,
    ) -> Admission<'g> {
        let Purchases { refusals, unpaid, .. } = self.purchases;
        let shown = PresentedRequest::new(request);
        let IncomingRequest { head, correlation } = &shown.request;
        let Some((offer, pricer)) = offer.and_then(|offer| Some((offer, offer.pricer.as_ref()?)))
        else {
            return refuse(Code::Internal, Audience::Paid, correlation);
        };
        isolate.client = refusals.find_client(offer, &shown, isolate, now);
        let told = answer.and_then(|text| pricer.read(text, offer));
        let question = question(head);
        let present =
            told.as_ref().and_then(|told| self.write_offer(offer, told, &question, isolate, now));
        if !shows_proof(&head.headers) {
            return match (told, present) {
                (_, Some(present)) => {
                    refusals.refuse(&present, &shown, Code::PaymentRequired, isolate, now)
                }
                (Some(_), None) => unpaid.waive(offer, shown.request, now).pass(),
                (None, None) => unpriced(offer, correlation),
            };
        }
        let bid = self.read_bid(offer, head, &question, now);
        let eligibility = match (&told, &present, &bid) {
            (Some(PricerReply::Free), ..) => Some(Eligibility::NowFree),
            (Some(PricerReply::Price { .. }), Some(present), Some(bid)) => {
                bid.differs_from(present).map(Eligibility::TermsChanged)
            }
            (Some(PricerReply::Price { .. }), ..) => {
                Some(Eligibility::TermsChanged(Code::AmountMismatch))
            }
            (None, ..) => Some(Eligibility::PriceUnknown),
        };
        let judged = match &bid {
            Some(bid) => Cow::Owned(offer.at(Vec::from([bid.choice_of(offer)]), None)),
            None => Cow::Borrowed(offer),
        };
        let offer = present.map_or(Cow::Borrowed(offer), Cow::Owned);
        let terms = JudgedTerms { offer, judged, instead: eligibility };
        self.purchases.begin(terms, shown, isolate, now)
    }
    /// The offer at the price that the pricer names, with its quotes; `None` for a request that is
    /// free.
    fn write_offer(
        &self,
        offer: &Offer,
        told: &PricerReply,
        question: &str,
        isolate: &mut Isolate<'_>,
        now: UnixTime,
    ) -> Option<Offer> {
        let PricerReply::Price { amounts, pay_to, secs, description } = told else { return None };
        let until = now.plus(*secs);
        let mut choices = Vec::new();
        for (choice, amount) in offer.choices.iter().zip(amounts) {
            let terms = terms_at(choice, *amount, *pay_to);
            let name = self.write_quote(offer, &terms, question, 0);
            isolate.attempts.quotes.remember(name, until, now);
            let quote = self.write_quote(offer, &terms, question, until.secs());
            choices.push(offer.choice_at(choice, terms, Some(&quote)));
        }
        Some(offer.at(choices, description.as_deref()))
    }

    /// The terms that a payment claims; `None` if they cannot be read.
    fn read_bid<'a>(
        &self,
        offer: &'a Offer,
        head: &RequestHead,
        question: &str,
        now: UnixTime,
    ) -> Option<Bid<'a>> {
        if let CredentialSearch::One(token) = mpp::checked(&head.headers) {
            let credential = mpp::read(token).ok()?;
            let ChallengeTerms { choice, amount, payee, end } =
                self.purchases.credentials().read_terms(offer, head, question, &credential)?;
            let terms = terms_at(choice, amount, offer.named_payee(payee));
            // The route may allow its payee no more.
            let is_its = terms.token.is_some_and(|token| token.pay_to == payee);
            let is_challenged = is_its && now.secs() < end;
            return Some(Bid { choice, terms, quote: None, is_challenged });
        }
        let value = |version: Version| head.headers.joined(version.proof_header());
        if let Some(value) = value(Version::V2) {
            let message = header::decode(&value).ok()?;
            let accepted = message.object.get("accepted")?;
            let text = |name: &str| accepted.get(name)?.as_str();
            let (network, amount) = (text("network")?, Amount::from_atomic(text("amount")?).ok()?);
            let choice = offer.choice_on(Version::V2, network, text("scheme")?)?;
            let payee = text("payTo").and_then(|text| Address::parse(text).ok());
            let terms = terms_at(choice, amount, payee.and_then(|it| offer.named_payee(it)));
            let quote = accepted.get("extra").and_then(|extra| extra.get("quote"));
            let holds = |quote: &&str| self.is_quote(quote, offer, &terms, question, now);
            let quote = quote.and_then(Value::as_str).filter(holds).map(ToOwned::to_owned);
            return Some(Bid { choice, terms, quote, is_challenged: false });
        }
        let message = header::decode(&value(Version::V1)?).ok()?;
        let (network, payload) = v1::read(&message).ok()?;
        let signed = payload.get("authorization")?;
        let choice = offer.choice_on(Version::V1, network, SCHEME)?;
        let amount = Amount::from_atomic(signed.get("value")?.as_str()?).ok()?;
        let payee = signed.get("to").and_then(Value::as_str);
        let payee = payee.and_then(|text| Address::parse(text).ok());
        let terms = terms_at(choice, amount, payee.and_then(|it| offer.named_payee(it)));
        Some(Bid { choice, terms, quote: None, is_challenged: false })
    }

    /// The quote of asset, amount and payee that holds until `end`, Unix seconds.
    fn write_quote(&self, offer: &Offer, terms: &Terms, question: &str, end: u64) -> String {
        let mac = self.free.keys.quote(&[
            offer.settings.route.as_bytes(),
            question.as_bytes(),
            terms.network.as_str().as_bytes(),
            terms.asset.as_bytes(),
            &terms.amount.to_be_bytes(),
            terms.pay_to.as_bytes(),
            &end.to_be_bytes(),
        ]);
        format!("{end}.{mac}")
    }

    /// Whether the gate has given this quote, and it still holds.
    fn is_quote(
        &self,
        quote: &str,
        offer: &Offer,
        terms: &Terms,
        question: &str,
        now: UnixTime,
    ) -> bool {
        let end = quote.split_once('.').and_then(|(end, _)| end.parse::<u64>().ok());
        let end = end.filter(|_| quote.len() <= MAX_QUOTE_BYTES).unwrap_or(0);
        now.secs() < end
            && ct_eq(quote.as_bytes(), self.write_quote(offer, terms, question, end).as_bytes())
    }
}

impl Bid<'_> {
    /// The choice at the terms of the bid.
    fn choice_of(&self, offer: &Offer) -> Choice {
        offer.choice_at(self.choice, self.terms.clone(), self.quote.as_deref())
    }

    /// The code for the first difference between its offer and the present one; `None` if it offers
    /// the present price to the present payee.
    fn differs_from(&self, present: &Offer) -> Option<Code> {
        let scheme = self.choice.requirements.scheme();
        let asked = present.choice_on(Version::V2, self.terms.network.as_str(), scheme);
        match asked.map(|asked| &asked.terms) {
            Some(asked) if asked.amount != self.terms.amount => Some(Code::AmountMismatch),
            Some(asked) if asked.pay_to == self.terms.pay_to => None,
            Some(_) => Some(Code::RecipientMismatch),
            None => Some(Code::AmountMismatch),
        }
    }
}
