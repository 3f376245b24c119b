//! Purchases: the payment that a request brings is checked and begins, or the refusal is explained.

use alloc::borrow::{Cow, ToOwned};
use alloc::string::ToString;
use alloc::vec::Vec;

use super::admission::{Admission, Refusals, refuse, unpriced};
use super::checked::{CheckedPayment, Eligibility, Protocol, Standard};
use super::isolate::Isolate;
use super::mpp::credential::Credentials;
use super::mpp::credential::old_terms::OldCredentials;
use super::offer::Offer;
use super::old_terms::{check_old_terms, is_about_terms, may_be_known};
use super::paid::{Payer, Payments};
use super::presented::{Presented, PresentedRequest};
use super::proof::check_proof;
use super::redelivery::{self, Statement};
use super::reply::Audience;
use super::request::IncomingRequest;
use super::restore::NO_DATE;
use super::unpaid::UnpaidRequests;
use farebox_base::time::UnixTime;
use farebox_common::payment::Terms;
use farebox_common::payment::authorization::SignatureCheck;
use farebox_common::problem::Code;
use farebox_wire::facilitator::payers::Conduct;
use farebox_wire::facilitator::wire::Expected;
use farebox_wire::x402::Version;

/// The terms that a payment is checked against.
pub(super) struct JudgedTerms<'g> {
    /// The terms of a refusal.
    pub(super) offer: Cow<'g, Offer>,
    /// The terms that the payment claims.
    pub(super) judged: Cow<'g, Offer>,
    /// The eligibility that overrides the payment's own, when the price has changed since.
    pub(super) instead: Option<Eligibility>,
}

/// The proof of a request, if it has one, or the code of the check that failed.
type CheckedProof<'g> = Result<Option<CheckedPayment<'g>>, Code>;

/// Purchases by the payments that requests bring.
#[derive(Clone, Copy)]
pub(super) struct Purchases<'g> {
    pub payments: Payments<'g>,
    pub old: OldCredentials<'g>,
    pub refusals: Refusals<'g>,
    pub unpaid: UnpaidRequests<'g>,
}

impl<'g> Purchases<'g> {
    /// The checks of credentials.
    pub const fn credentials(&self) -> Credentials<'g> {
        self.old.credentials
    }

    /// Begins the return of a transaction that answers one of this gate's challenges, for a target
    /// that sells nothing any more: if it pays, a refund is due.
    pub fn begin_return(
        &self,
        request: &IncomingRequest,
        presented: &Presented,
        now: UnixTime,
    ) -> Option<Admission<'g>> {
        let Presented::Mpp(Ok(credential)) = presented else { return None };
        let shown = self.old.check_for_nothing(&request.head, credential, now)?;
        let (offer, checked) = match shown {
            Ok(shown) => shown,
            // The chain cannot be read: that does not justify asking for a second payment.
            Err(code) if code.row().reason.is_none() => {
                return Some(refuse(code, Audience::Paid, &request.correlation));
            }
            Err(_) => return None,
        };
        let payment = CheckedPayment { eligibility: Eligibility::Withdrawn, ..checked };
        let Terms { network, amount, .. } = &payment.choice.terms;
        let (payer, network) = (payment.proof.payer, network.to_string());
        let expected = Expected { payer, network, amount: *amount };
        let (wallet, facilitators, conduct) = (false, Vec::new(), Conduct::UNKNOWN);
        let payer = Payer { payment, expected, wallet, facilitators, conduct, streak: None };
        let step = self.payments.begin(Cow::Owned(offer), request.clone(), payer, now);
        Some(Admission::Pay(step))
    }

    /// Checks the payment that a request presents, and begins it.
    pub fn begin(
        &self,
        terms: JudgedTerms<'g>,
        shown: PresentedRequest,
        isolate: &mut Isolate<'_>,
        now: UnixTime,
    ) -> Admission<'g> {
        let (offer, instead, checked) = self.check(terms, &shown, now);
        let is_forged =
            matches!(checked, Err(Code::SignatureInvalid | Code::ContractWalletRefused));
        let (checked, instead) = self.look_up(&offer, &shown, checked, instead, now);
        if let Err(code) = &checked
            && is_about_terms(*code)
            && let Some(step) = self.begin_return(&shown.request, &shown.presented, now)
        {
            return step;
        }
        let found = match (checked, instead) {
            (Ok(Some(found)), _) => found,
            (Ok(None), _) => {
                return self.refusals.refuse(&offer, &shown, Code::PaymentRequired, isolate, now);
            }
            // The price is unknown, so there are no terms to offer.
            (Err(code), Some(Eligibility::PriceUnknown)) if code.row().reason.is_some() => {
                return unpriced(&offer, &shown.request.correlation);
            }
            (Err(code), Some(Eligibility::NowFree)) if code.row().reason.is_some() => {
                return self.unpaid.waive(&offer, shown.request, now).pass();
            }
            (Err(code), _) => return self.refusals.refuse(&offer, &shown, code, isolate, now),
        };
        let eligibility = instead.unwrap_or(found.eligibility);
        // Who only names a denied payer, or shows what they have paid elsewhere, does not learn that
        // they are.
        let is_named = is_forged && found.signature == SignatureCheck::Deferred;
        // Of a transaction the chain itself says who has sent it.
        let is_elsewhere = eligibility.is_elsewhere() && !found.proof.was_sent();
        let is_theirs = !is_named && !is_elsewhere;
        let is_denied = is_theirs && self.payments.payers.clients.denies(&found.proof.account());
        let eligibility = match eligibility {
            // Nothing is owed for terms of the client's own.
            Eligibility::Unsigned if instead.is_some() => Eligibility::Unsigned,
            _ if is_denied => Eligibility::Denied,
            other => other,
        };
        let found = CheckedPayment { eligibility, ..found };
        let payer = find_payer(found, &shown.request, isolate, now);
        Admission::Pay(self.payments.begin(offer, shown.request, payer, now))
    }

    /// Checks a payment against the terms that it claims, or else against the price that its route had
    /// before; with the terms of a refusal, which are today's: whoever is told a price may pay it.
    fn check(
        &self,
        JudgedTerms { offer, judged, instead }: JudgedTerms<'g>,
        shown: &PresentedRequest,
        now: UnixTime,
    ) -> (Cow<'g, Offer>, Option<Eligibility>, CheckedProof<'g>) {
        let (credentials, today) = (self.credentials(), Standard::Today);
        let judge = |judged: &Offer| {
            let found = check_proof(credentials, judged, shown, today, now);
            found.map(|found| found.map(CheckedPayment::into_owned))
        };
        let checked = match judged {
            Cow::Borrowed(judged) => check_proof(credentials, judged, shown, today, now),
            Cow::Owned(judged) => judge(&judged),
        };
        let Err(code) = checked else { return (offer, instead, checked) };
        let former = offer.former_at(now).filter(|_| instead.is_none() && is_about_terms(code));
        match former.map(judge) {
            Some(Ok(Some(found))) => (offer, None, Ok(Some(found))),
            _ => (offer, instead, checked),
        }
    }

    /// Asks, before a refusal asks for another payment, whether the ledger may know this one: with
    /// the payment under the terms that it was made for, and the eligibility that overrides its own.
    fn look_up(
        &self,
        offer: &Offer,
        shown: &PresentedRequest,
        checked: CheckedProof<'g>,
        instead: Option<Eligibility>,
        now: UnixTime,
    ) -> (CheckedProof<'g>, Option<Eligibility>) {
        match (checked, instead) {
            (Err(code), instead) if may_be_known(code) => {
                match (check_old_terms(self.old, offer, shown, Some(code), now), instead) {
                    // No terms are given anyway.
                    (Some(found), Some(Eligibility::PriceUnknown | Eligibility::NowFree))
                        if found.eligibility == Eligibility::Unsigned =>
                    {
                        (Err(code), instead)
                    }
                    (Some(found), instead) => {
                        let refused = self.bar_refused(&found, code, instead);
                        (Ok(Some(found)), Some(refused))
                    }
                    (None, instead) => (Err(code), instead),
                }
            }
            // Version 1 names no asset: it may be the payer's own signature for another one.
            (Ok(Some(found)), instead) if found.may_be_for_another_asset() => {
                let own =
                    |former: &CheckedPayment<'_>| former.signature == SignatureCheck::Verified;
                match check_old_terms(self.old, offer, shown, None, now).filter(own) {
                    Some(former) => {
                        let refused = Eligibility::TermsChanged(Code::TermsMismatch);
                        (Ok(Some(former)), Some(instead.unwrap_or(refused)))
                    }
                    None => (Ok(Some(found)), instead),
                }
            }
            other => other,
        }
    }

    /// The eligibility of a payment that today's terms or settings refuse with `code`.
    fn bar_refused(
        &self,
        found: &CheckedPayment<'_>,
        code: Code,
        instead: Option<Eligibility>,
    ) -> Eligibility {
        match instead {
            _ if found.eligibility == Eligibility::Unsigned => Eligibility::Unsigned,
            Some(instead) => instead,
            None if self.is_closed_to(found) => Eligibility::Closed,
            None => Eligibility::TermsChanged(code),
        }
    }

    /// Whether a payment may have been settled before a restore, so that the ledger may have
    /// forgotten it.
    fn is_closed_to(&self, found: &CheckedPayment<'_>) -> bool {
        let ends = match (&found.proof.onchain, &found.protocol) {
            (None, _) => Some(found.proof.valid_before),
            (Some(_), Protocol::Mpp(answered)) => answered.expires,
            (Some(_), Protocol::X402(_)) => None,
        };
        ends.is_some_and(|ends| self.payments.payers.restore.may_have_lost(NO_DATE, ends))
    }
}

/// The payer of a checked payment, and the way in which they pay.
fn find_payer<'g>(
    payment: CheckedPayment<'g>,
    request: &IncomingRequest,
    isolate: &mut Isolate<'_>,
    now: UnixTime,
) -> Payer<'g> {
    let CheckedPayment { protocol, choice, proof, signature, eligibility } = &payment;
    let head = &request.head;
    let streak = isolate.client.and_then(|client_key| {
        let counts = match signature {
            SignatureCheck::Verified if !eligibility.is_elsewhere() => {
                isolate.attempts.proved(&client_key)
            }
            SignatureCheck::Verified | SignatureCheck::Deferred => {
                isolate.attempts.known(&client_key)
            }
        };
        Some((client_key, counts?))
    });
    let network = match protocol.version() {
        Version::V1 => choice.terms.network.v1_name().unwrap_or_default().to_owned(),
        Version::V2 => choice.terms.network.to_string(),
    };
    let expected = Expected { payer: proof.payer, network, amount: choice.terms.amount };
    // A statement that proves nothing counts as none: the ledger says what is left without it.
    let statement = head.headers.joined(redelivery::HEADER);
    let wallet = statement.and_then(|value| Statement::parse(&value).ok()).is_some_and(|it| {
        let (chain_id, method) = (choice.chain_id(), &head.method);
        let proves = |payer| it.proves(&proof.key, payer, chain_id, method, &head.url, now);
        proof.payer.as_ref().is_some_and(|payer| proves(payer).is_ok())
    });
    let facilitators = core::mem::take(&mut isolate.facilitators);
    let conduct = isolate.payers.of(&proof.payer_or(&request.network()));
    Payer { payment, expected, wallet, facilitators, conduct, streak }
}
