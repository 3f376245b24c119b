//! Payments under terms that are not asked any more: the ledger may know them.

use alloc::borrow::{Cow, ToOwned};
use alloc::boxed::Box;

use super::{AnsweredChallenge, CredentialCheck, Credentials, SignedAnswer, account_on};
use crate::checked::{Answered, CheckedPayment, Eligibility, Protocol, Standard};
use crate::mpp::issue::choice_for;
use crate::offer::{Choice, Offer, SignedChoice};
use crate::onchain::{ChallengeTimes, OnChainProof, ShownOnChain};
use crate::parts::PricedRoutes;
use crate::token_choices::{NO_ROUTE, NamedToken, find_choice, sold_formerly};
use farebox_base::http::RequestHead;
use farebox_base::time::UnixTime;
use farebox_common::payment::authorization::SignatureCheck;
use farebox_common::problem::Code;
use farebox_evm::address::Address;
use farebox_wire::mpp::Credential;
use farebox_wire::mpp::charge::{Payload, Request};

/// Credentials for terms that are not asked any more.
#[derive(Clone, Copy)]
pub(crate) struct OldCredentials<'g> {
    pub credentials: Credentials<'g>,
    pub routes: &'g PricedRoutes,
}

impl OldCredentials<'_> {
    /// Checks the payment of a credential under the terms that it was signed for, whichever
    /// challenge it answers.
    pub fn check<'g>(
        &self,
        offer: &Offer,
        head: &RequestHead,
        credential: &Credential,
        now: UnixTime,
    ) -> Option<CheckedPayment<'g>> {
        let signed = match Payload::read(&credential.payload).ok()? {
            Payload::Authorization(signed) | Payload::Okx(signed) => signed,
            Payload::Transaction(_) | Payload::Hash(_) => {
                return self.check_on_chain(offer, head, credential, now);
            }
        };
        let asked =
            credential.challenge.request_object().ok().and_then(|it| Request::read(&it).ok());
        let choice = match &asked {
            Some(asked) => self.find_token(offer, asked.chain_id, asked.currency)?,
            None => offer.choices.iter().find(|it| it.terms.authorized().is_some())?.clone(),
        };
        let choice = choice.paying(signed.authorization())?;
        let token = choice.terms.token?;
        let reference = asked.and_then(|asked| asked.external_id).unwrap_or_default();
        let answer =
            SignedAnswer { challenge: &credential.challenge, reference: &reference, signed };
        let sold = SignedChoice { choice: &choice, token };
        let found = self.credentials.check_signed(offer, sold, answer, Standard::Own, now);
        found.ok().map(CheckedPayment::into_owned)
    }

    /// Checks a sent transaction for a target that sells nothing any more: under any route with its
    /// token, or under its challenge alone, without a route.
    ///
    /// # Errors As [`Credentials::check`].
    pub fn check_for_nothing<'g>(
        &self,
        head: &RequestHead,
        credential: &Credential,
        now: UnixTime,
    ) -> Option<Result<(Offer, CheckedPayment<'g>), Code>> {
        let AnsweredChallenge { request, reference, .. } =
            self.credentials.find_challenge(head, credential).ok()?;
        if !matches!(Payload::read(&credential.payload), Ok(Payload::Hash(_))) {
            return None;
        }
        let sold = self.routes.sold().find_map(|offer| {
            let SignedChoice { choice, .. } =
                choice_for(offer, request.chain_id, request.currency)?;
            Some((offer.clone(), choice.asking(request.amount, request.recipient)?))
        });
        let (mut offer, choice) = sold.or_else(|| sold_formerly(&request))?;
        let sold = SignedChoice { choice: &choice, token: choice.terms.token? };
        let expires = credential.challenge.expires_at().ok()??;
        let (reference, standard) = (reference.as_str(), Standard::Today);
        let check = CredentialCheck { credential, reference, expires, standard };
        let checked = self.credentials.judge(&offer, sold, check, now);
        let checked = checked.map(CheckedPayment::into_owned);
        offer.settings.route = NO_ROUTE.to_owned();
        Some(checked.map(|checked| (offer, checked)))
    }

    /// Checks a payment that the chain settles under the terms of its challenge, whatever the route
    /// asks by now.
    fn check_on_chain<'g>(
        &self,
        offer: &Offer,
        head: &RequestHead,
        credential: &Credential,
        now: UnixTime,
    ) -> Option<CheckedPayment<'g>> {
        let Ok(answered) = self.credentials.find_challenge(head, credential) else {
            return self.check_stated(offer, credential, now);
        };
        let AnsweredChallenge { credential, request, reference } = answered;
        let (chain_id, currency) = (request.chain_id, request.currency);
        let choice = match Payload::read(&credential.payload).ok()? {
            // What was sent in a token that the route does not name any more is owed.
            Payload::Hash(_) => choice_for(offer, chain_id, currency)?.choice.clone(),
            _ => self.find_token(offer, chain_id, currency)?,
        };
        let choice = choice.asking(request.amount, request.recipient)?;
        let sold = SignedChoice { choice: &choice, token: choice.terms.token? };
        let expires = credential.challenge.expires_at().ok()??;
        let (reference, standard) = (reference.as_str(), Standard::Own);
        let check = CredentialCheck { credential, reference, expires, standard };
        let found = self.credentials.judge(offer, sold, check, now);
        found.ok().map(CheckedPayment::into_owned)
    }

    /// Reads a payment that the chain settles in answer to a challenge that none of today's secrets
    /// has signed, or that is another request's. Anyone can write such a challenge, so that the
    /// payment is looked up in the ledger and nowhere else.
    fn check_stated<'g>(
        &self,
        offer: &Offer,
        credential: &Credential,
        now: UnixTime,
    ) -> Option<CheckedPayment<'g>> {
        let challenge = &credential.challenge;
        let asked = Request::read(&challenge.request_object().ok()?).ok()?;
        let choice = self.find_token(offer, asked.chain_id, asked.currency)?;
        let choice = choice.asking(asked.amount, asked.recipient)?;
        let token = choice.terms.token?;
        let payload = Payload::read(&credential.payload).ok()?;
        let Credentials { chains, payers, .. } = self.credentials;
        let payer = account_on(token.chain_id, credential).map(|source| source.address);
        let proof = match &payload {
            Payload::Transaction(bytes) => OnChainProof::Transaction(bytes),
            // A chain that cannot be read does not name its sender.
            Payload::Hash(_)
                if payer.is_none() && chains.rpc_url(choice.terms.network.as_str()).is_none() =>
            {
                return None;
            }
            Payload::Hash(hash) => OnChainProof::Hash(hash, payer),
            Payload::Authorization(_) | Payload::Okx(_) => return None,
        };
        let times = ChallengeTimes { issued: now, expires: now };
        let sold = SignedChoice { choice: &choice, token };
        let shown = ShownOnChain { sold, proof, times, standard: Standard::Stated };
        let proof = shown.check(chains, payers.restore, now).ok()?;
        let reference = asked.external_id.unwrap_or_default();
        Some(CheckedPayment {
            protocol: Protocol::Mpp(Box::new(Answered::of(challenge, &token, &reference))),
            choice: Cow::Owned(choice),
            proof,
            eligibility: Eligibility::Unsigned,
            signature: SignatureCheck::Deferred,
        })
    }

    fn find_token(&self, offer: &Offer, chain_id: u64, asset: Address) -> Option<Choice> {
        find_choice(self.routes, offer, NamedToken::unstated(chain_id, asset))
    }
}
