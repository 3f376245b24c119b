//! A purchase that goes on in a later call: the same bytes while they are good, else the same nonce.
//!
//! A signed payment that delivered nothing stays the purchase of its request. While its
//! authorization can be charged, it is sent again; if the server then asks for other terms, or the
//! authorization has ended, those are signed with the same nonce, which the token accepts once. A
//! nonce that the payer does not choose, another token, and another account are signed for only once
//! nothing can be charged any more and a person or the policy says so, and are counted beside what was
//! signed before.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::state::{Allowance, ExchangeState, Going, Paid, Redelivery, Renewal};
use super::{AnsweredTerms, Exchange, Next, ReceivedResponse};
use crate::client::allowance::{AllowanceReading, SignedAllowance};
use crate::client::challenge::Challenge;
use crate::client::error::{ClientError, Reason};
use crate::client::offer::{Offer, Way};
use crate::client::policy::Policy;
use crate::client::prepare::Prepared;
use crate::client::purchase::{Earlier, Slot};
use farebox_base::time::UnixTime;
use farebox_evm::address::Address;
use farebox_evm::keccak::{keccak256, keccak256_parts};

/// Maximum of them that are remembered; the oldest goes first.
const MAX_EARLIER: usize = 16;
/// Seconds by which clocks differ: what was prepared later than that is of a clock that ran ahead.
const CLOCKS_DIFFER_SECS: u64 = 60;

impl Exchange {
    /// The earlier authorizations of the purchase with the same nonce.
    #[must_use]
    pub fn earlier(&self) -> &[Earlier] {
        &self.earlier
    }

    /// Remembers what another process has signed for the purchase.
    #[must_use]
    pub fn with_earlier(mut self, earlier: Vec<Earlier>) -> Self {
        self.earlier = earlier;
        self
    }

    /// The name under which the budget counts it.
    #[must_use]
    pub fn counted(&self) -> &str {
        &self.counted
    }

    /// Counts what it goes on with under the name that another process gave it.
    pub fn count_as(&mut self, name: &str) {
        self.counted = name.to_string();
        self.signed_as = name.to_string();
    }

    /// Takes what another process has signed for the purchase: `proof` is [`Exchange::proof`], or the
    /// hash of the payer's own transaction, over one of the offers of this 402. Whether it is one of
    /// them.
    pub fn restore(
        &mut self,
        terms: AnsweredTerms<'_>,
        proof: &str,
        is_hash: bool,
        now: UnixTime,
    ) -> bool {
        let AnsweredTerms { headers, body, at } = terms;
        let answer = ReceivedResponse { status: 402, headers, body, now: at };
        // What was signed stays signed, whatever is refused by now.
        let Ok(challenge) = self.terms_for(None, answer) else { return false };
        let (proof, permit) = SignedAllowance::split(proof);
        self.allowance = permit.map_or(Allowance::Unread, Allowance::Signed);
        for offer in challenge.offers.clone() {
            let pays_by_hash = offer.charge().is_some_and(|it| it.way == Way::Hash);
            if pays_by_hash != is_hash {
                continue;
            }
            self.state = ExchangeState::Challenged(challenge.clone());
            let prepared = self.prepared(offer, at);
            self.state.propose(prepared);
            let next = match is_hash {
                true => self.broadcast(proof, now),
                false => self.signed(proof, now),
            };
            if matches!(next, Next::Send { .. }) {
                self.terms = Some(answer.terms());
                return true;
            }
        }
        self.state = ExchangeState::Plain;
        false
    }

    /// Notes under which name the budget counts what is signed now. What was signed before for
    /// another token counts by itself, and is not what a receipt tells of.
    pub(super) fn note_signed(&mut self) {
        if self.is_elsewhere {
            (self.going, self.is_elsewhere) = (Going::Begins, false);
            self.earlier.clear();
            self.drawn = self.elsewhere();
        }
        // A later call goes on with this, and not beside it, too.
        if self.going == Going::Doubted {
            self.going = Going::Begins;
        }
        self.signed_as.clone_from(&self.counted);
    }

    /// The random bytes of what is signed for another token.
    pub(super) fn elsewhere(&self) -> [u8; 32] {
        keccak256(&self.drawn)
    }

    /// Remembers what was signed, if another payment is about to take its place.
    pub(super) fn remember(&mut self) {
        let Some(paid) = self.state.paid() else { return };
        let Offer { amount, pay_to, .. } = paid.prepared.offer;
        let it = Earlier { amount, pay_to };
        self.earlier.retain(|known| *known != it);
        self.earlier.push(it);
        if self.earlier.len() > MAX_EARLIER {
            self.earlier.remove(0);
        }
    }

    /// Goes on after a payment of the same purchase that its caller has kept, that took the nonce in
    /// this slot, and has ended. `asks`: a person is asked before anything is signed.
    #[must_use]
    pub fn after(mut self, slot: &str, asks: bool) -> Self {
        (self.going, self.asks, self.ended_in) = (Going::Ended, asks, slot.to_string());
        self
    }

    /// Goes on with a purchase that delivered nothing, under the policy and the pin of this call.
    /// `is_dead`: nothing that was signed for it can be charged any more. What may have been charged
    /// by a nonce that was not the payer's is paid again only if a person is asked (`asks`) or the
    /// policy says so. `None` if there is nothing to go on with.
    pub fn go_on(
        &mut self,
        policy: Policy,
        pin: Option<&str>,
        is_dead: bool,
        asks: bool,
        now: UnixTime,
    ) -> Option<Next> {
        self.policy = policy;
        (self.pin, self.asks) = (pin.map(Into::into), asks);
        (self.advice, self.retrying, self.charged, self.fresh) = (None, false, None, 0);
        match self.going {
            Going::Doubted => return Some(self.doubt(asks, now)),
            Going::Ended if !self.state.is_paid() => {
                self.state = ExchangeState::Plain;
                return Some(Next::Afresh);
            }
            Going::Begins | Going::Sends | Going::Ended => {}
        }
        let until = now.plus(self.policy.deadline_secs);
        let ExchangeState::Paid(proposed, paid) = &mut self.state else {
            // What was signed cannot be read: its nonce may not have been the payer's.
            return is_dead.then(|| self.unreadable(asks, now));
        };
        if is_dead {
            let Some(slot) = Slot::of(&paid.prepared.offer) else {
                self.going = Going::Doubted;
                return Some(self.doubt(asks, now));
            };
            (self.going, self.ended_in) = (Going::Ended, slot.name());
            self.ended_by = paid.prepared.authorization.from;
            self.remember();
            self.state = ExchangeState::Plain;
            return Some(Next::Afresh);
        }
        proposed.prepared = (*paid.prepared).clone();
        (paid.sent, paid.until, paid.is_open) = (0, until, false);
        (paid.redelivery, paid.renewal) = (Redelivery::Unasked, Renewal::Unasked);
        self.going = Going::Sends;
        Some(self.send(0))
    }

    /// Goes on beside what has ended and may have been charged, if a person or the policy says so.
    fn doubt(&mut self, asks: bool, now: UnixTime) -> Next {
        let next = self.afresh_if_asked(asks, now);
        self.is_elsewhere = matches!(next, Next::Afresh);
        next
    }

    /// Goes on beside a payment that has ended and cannot be read, under the same condition. It has
    /// the same nonce wherever that is the payer's.
    fn unreadable(&mut self, asks: bool, now: UnixTime) -> Next {
        self.going = Going::Doubted;
        self.afresh_if_asked(asks, now)
    }

    /// Whether this account may sign for what an earlier one has signed: it counts beside that.
    pub(super) fn go_on_from(&mut self, payer: Address) -> Result<(), ClientError> {
        let is_other = self.is_anothers(payer);
        if !is_other || self.policy.pays_again {
            self.is_elsewhere |= is_other;
            return Ok(());
        }
        Err(ClientError::new(
            Reason::PaymentUnresolved,
            "another account has signed for this request before, and only the chain tells whether it was charged; pay from that account, or set policy.payAgain",
        ))
    }

    /// Whether what has ended was signed by another account than this one, which has a nonce of its own.
    pub(super) fn is_anothers(&self, payer: Address) -> bool {
        let is_other = !self.ended_by.is_zero() && self.ended_by != payer;
        is_other && self.going == Going::Ended
    }

    fn afresh_if_asked(&mut self, asks: bool, now: UnixTime) -> Next {
        if !self.pays_beside(asks) {
            return Next::Fail(unresolved());
        }
        // Each counts by itself, also one whose proof never comes: it follows a minute after the end of the one before.
        self.drawn = keccak256_parts(&[&self.drawn, &now.secs().to_be_bytes()]);
        self.state = ExchangeState::Plain;
        Next::Afresh
    }

    /// Whether a person who is asked, or the policy, may pay beside what has ended.
    fn pays_beside(&self, asks: bool) -> bool {
        asks || self.policy.pays_again
    }

    /// Whether a payment is proposed although an earlier one for the same request may have been charged.
    pub(super) fn is_doubted(&self) -> bool {
        self.going == Going::Doubted || self.is_elsewhere
    }

    /// The terms of a purchase of which nothing can be charged any more: those that its nonce pays.
    /// What is paid otherwise is charged beside what was signed before, if that was: a person or the
    /// policy decides, and it counts beside it.
    ///
    /// # Errors
    /// [`Reason::PaymentUnresolved`] if its nonce pays none of them, and neither says so.
    pub(super) fn in_slot(
        &mut self,
        mut challenge: Challenge,
        answer: ReceivedResponse<'_>,
    ) -> Result<Challenge, ClientError> {
        if self.going != Going::Ended || self.state.is_paid() || challenge.offers.is_empty() {
            return Ok(challenge);
        }
        let is_in =
            |offer: &Offer| Slot::of(offer).is_some_and(|slot| slot.name() == self.ended_in);
        // Nothing is elsewhere before it is signed: until then the purchase has the nonce that it had.
        self.is_elsewhere = self.is_anothers(self.payer) || !challenge.offers.iter().any(is_in);
        if self.is_elsewhere {
            // Another nonce is charged beside it: as of any new payment, its receipt has to be for this URL.
            let asks = self.pays_beside(self.asks);
            return if asks { self.terms_for(Some(&self.url), answer) } else { Err(unresolved()) };
        }
        challenge.offers.retain(is_in);
        Ok(challenge)
    }

    /// Whether what is signed now is charged instead of what was signed before.
    pub(super) const fn goes_on(&self) -> bool {
        self.state.is_paid() || matches!(self.going, Going::Ended)
    }

    /// Whether the answer to a payment that was sent again asks for other terms, which its nonce
    /// pays and the policy allows; or for the same, and the payment has ended, or is of a clock that
    /// ran ahead: no honest server takes that before its time.
    pub(super) fn takes_terms(&mut self, answer: ReceivedResponse<'_>) -> bool {
        let Some(paid) = self.state.paid().filter(|_| self.going == Going::Sends) else {
            return false;
        };
        let has_ended = paid.valid_before <= answer.now || is_ahead(paid, answer.now);
        let signed = paid.prepared.offer.clone();
        let Ok(challenge) = self.asked(answer) else { return false };
        let Some(offers) = self.in_place(&challenge.offers) else { return false };
        let allowed = |offer: &Offer| self.policy.judge(offer, &self.host).is_ok();
        let is_same = offers.iter().any(|offer| offer.has_terms_of(&signed));
        if is_same && !has_ended || !offers.iter().any(allowed) {
            return false;
        }
        self.going = Going::Begins;
        self.state.challenged(challenge);
        self.terms = Some(answer.terms());
        true
    }

    /// Whether a payment that was sent again may be signed again at its own terms: its gate says
    /// that these bytes were charged nothing and begin nothing any more.
    pub(super) fn signs_again(&mut self) -> bool {
        let is_ours = self.state.paid().is_some_and(|it| Slot::of(&it.prepared.offer).is_some());
        let signs = is_ours && self.going == Going::Sends;
        if signs {
            self.going = Going::Begins;
        }
        signs
    }

    /// The offers that may be signed in the place of what was signed: those that the token takes
    /// instead of it. `None` if nothing is signed.
    pub(super) fn in_place(&self, offers: &[Offer]) -> Option<Vec<Offer>> {
        let paid = self.state.paid()?;
        let signed = &paid.prepared;
        let is_in = |offer: &&Offer| {
            let slot = Slot::of(offer);
            (slot.is_some() && slot == Slot::of(&signed.offer))
                && self.nonces.own(&self.payer, &signed.offer) == signed.authorization.nonce
        };
        Some(offers.iter().filter(is_in).cloned().collect())
    }

    /// The message to sign for an offer, as of a later second than the one that was signed before:
    /// a gate takes the same bytes for a copy. One of a clock that ran ahead ends at another time.
    pub(super) fn prepared(&mut self, offer: Offer, now: UnixTime) -> Prepared {
        let nonce = self.nonces.own(&self.payer, &offer);
        let before = self.state.paid().filter(|paid| !is_ahead(paid, now));
        self.as_of = before.map_or(now, |paid| now.max(paid.as_of.plus(1)));
        let mut prepared = Prepared::new(offer, self.payer, nonce, self.as_of);
        if AllowanceReading::of(prepared.payment()).is_some() {
            prepared.allowance = self.signed_allowance();
        }
        prepared
    }

    /// The time as of which the latest proposal was prepared.
    #[must_use]
    pub const fn prepared_at(&self) -> UnixTime {
        self.as_of
    }
}

/// Whether a payment was prepared by a clock that ran ahead.
fn is_ahead(paid: &Paid, now: UnixTime) -> bool {
    paid.as_of > now.plus(CLOCKS_DIFFER_SECS)
}

fn unresolved() -> ClientError {
    let message = "what was signed for this request before has ended, and only the chain tells whether it was charged; policy.payAgain or a confirm hook lets it be paid again";
    ClientError::new(Reason::PaymentUnresolved, message)
}
