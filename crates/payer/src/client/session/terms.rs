//! The terms of a session, as a challenge of MPP names them, judged by the payer's policy.

use alloc::boxed::Box;

use serde_json::Value;

use crate::client::challenge::{Means, answerable, expired, unreadable};
use crate::client::error::{ClientError, Reason, clean};
use crate::client::offer::{Charge, Offer, TermsSource, Way};
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_base::http::Headers;
use farebox_common::payment::TransferMethod;
use farebox_wire::mpp::challenge::read_list;
use farebox_wire::mpp::charge::METHOD;
use farebox_wire::mpp::session::{INTENT, SessionTerms, UnitType};
use farebox_wire::mpp::{self, PAYMENT_AUTHORIZATION};
use farebox_wire::x402::v2::Flow;

/// Maximum challenges of one answer that are read.
const MAX_CHALLENGES: usize = 64;

/// By whose rules a deposit is bound to its channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// OKX's contract, whose nonce also covers who shares the payments.
    Okx,
    /// The draft of MPP, whose challenges list credential types.
    Draft,
}

/// The sender of the transaction of a deposit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    /// The payee, with an authorization.
    Payee,
    /// The payer, who shows its hash.
    Payer,
}

/// A challenge that asks for a session, and what it asks for.
#[derive(Clone, Debug)]
pub(super) struct ChallengedSession {
    /// The challenge that is echoed.
    pub challenge: mpp::Challenge,
    pub terms: SessionTerms,
    /// The cost of one unit, and the account that it pays.
    pub offer: Offer,
    pub dialect: Dialect,
    pub sender: Sender,
}

impl ChallengedSession {
    /// The least that a request costs: a stream begins with a step.
    pub fn price(&self) -> Amount {
        match self.terms.unit {
            UnitType::Request => self.terms.amount,
            UnitType::Second | UnitType::Byte | UnitType::Event => self.terms.step(),
        }
    }

    /// Reads the first session of a 402 that may be paid; `None` if there is none at all.
    pub fn read(headers: &Headers, means: Means<'_>) -> Option<Result<Self, ClientError>> {
        let rows = headers.rows("www-authenticate").flat_map(read_list).take(MAX_CHALLENGES);
        let mut refused = None;
        for challenge in rows.filter_map(Result::ok) {
            if challenge.method != METHOD || challenge.intent != INTENT {
                continue;
            }
            match Self::of(challenge, means) {
                Ok(asked) => return Some(Ok(asked)),
                Err(error) => refused = refused.or(Some(Err(error))),
            }
        }
        refused
    }

    fn of(challenge: mpp::Challenge, means: Means<'_>) -> Result<Self, ClientError> {
        let fail = |reason, message: &str| Err(ClientError::new(reason, message));
        let is_foreign = answerable(&challenge, means)?;
        let object = challenge.request_object().map_err(unreadable)?;
        let terms = SessionTerms::read(&object).map_err(unreadable)?;
        let details = object.get("methodDetails").and_then(Value::as_object);
        let splits = details.and_then(|it| it.get("splits")).unwrap_or(&Value::Null);
        if !splits.is_null() && splits.as_array().is_none_or(|all| !all.is_empty()) {
            let message = "sessions split among several payees are not supported: their contract pays \
                 payees that are not in the challenge's policy";
            return fail(Reason::UnsupportedScheme, message);
        }
        let types = details.and_then(|it| it.get("credentialTypes"));
        let lists = |name: &str| {
            let listed = types.and_then(Value::as_array);
            listed.is_some_and(|all| all.iter().any(|it| it.as_str() == Some(name)))
        };
        let dialect = if types.is_some() { Dialect::Draft } else { Dialect::Okx };
        let sender = match (dialect, terms.fee_payer) {
            (Dialect::Okx, Some(false)) => Sender::Payer,
            (Dialect::Okx, _) => Sender::Payee,
            (Dialect::Draft, _) if lists("authorization") => Sender::Payee,
            (Dialect::Draft, _) if lists("hash") => Sender::Payer,
            (Dialect::Draft, _) => {
                let message = "the server accepts neither of the supported credential types: authorization, hash";
                return fail(Reason::UnsupportedScheme, message);
            }
        };
        if sender == Sender::Payer && !means.broadcasts {
            let message = "the server requires the payer to send the transaction, and the option `broadcast` is not set";
            return fail(Reason::BroadcastMissing, message);
        }
        let wrong = |what: &str| ClientError::new(Reason::MalformedChallenge, what);
        let network =
            ChainId::from_evm(terms.chain_id).map_err(|_| wrong("chainId is not a chain id"))?;
        let asset = means.policy.asset(&network, &terms.currency, TransferMethod::Eip3009)?;
        let pay_to = terms.recipient;
        if pay_to.is_zero() || pay_to.is_burn() && network.is_main_network() {
            return Err(wrong("recipient is not an address that can be paid"));
        }
        if terms.escrow.is_zero() {
            return Err(wrong("escrowContract is not a contract"));
        }
        means.policy.admit_escrow(&terms.escrow)?;
        let expires = challenge.expires_at().map_err(unreadable)?;
        let way = match sender {
            Sender::Payee => Way::Transaction,
            Sender::Payer => Way::Hash,
        };
        let framing = means.policy.framing(means.host);
        let (challenge_copy, external_id) = (challenge.clone(), None);
        let charge =
            Charge { challenge: challenge_copy, expires, external_id, way, framing, is_foreign };
        if charge.is_expired(means.now) {
            return Err(expired());
        }
        let told = challenge.description.as_deref();
        let description = told.or(object.get("description").and_then(Value::as_str));
        let offer = Offer {
            asset,
            chain_id: terms.chain_id,
            amount: terms.amount,
            pay_to,
            max_timeout_secs: charge.valid_before(means.now).secs_since(means.now),
            flow: Flow::Authorization,
            description: clean(description.unwrap_or_default()),
            resource: Some(clean(&challenge.realm)),
            asked: TermsSource::Mpp(Box::new(charge)),
            method: TransferMethod::Eip3009,
        };
        means.policy.judge(&offer, means.host)?;
        // So much is signed before anything is seen, whatever the price is.
        let step = Offer { amount: terms.step(), ..offer.clone() };
        means.policy.judge(&step, means.host)?;
        Ok(Self { challenge, terms, offer, dialect, sender })
    }

    /// The header that carries an answer.
    pub fn field(&self) -> &'static str {
        if self.challenge.header.is_some() { PAYMENT_AUTHORIZATION } else { "Authorization" }
    }

    /// The unit's name, for people.
    pub fn unit(&self) -> &'static str {
        self.terms.unit.name()
    }
}
