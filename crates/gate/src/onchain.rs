//! Payments without a facilitator: a transaction that the payer has signed or sent, and every check
//! of it that needs no network.
//!
//! Either is unverified until a node was asked: `paid::onchain`.

use alloc::boxed::Box;

use super::checked::Standard;
use super::offer::{Choice, SignedChoice};
use super::parts::Chains;
use super::restore::{NO_DATE, Restore};
use farebox_base::time::UnixTime;
use farebox_common::payment::{OnChain, PaymentKey, Proof};
use farebox_common::problem::Code;
use farebox_evm::address::Address;
use farebox_evm::transaction::SignedTransfer;

/// Seconds after the end of a challenge in which a block may still contain the transaction that was
/// sent for it.
const LATE_SECS: u64 = 300;

/// Seconds from the issue of a challenge for which a hash counts that the ledger does not know: it has
/// no end of its own, and rows go.
pub(crate) const HASH_SECS: u64 = 2 * 86_400;

/// The proof in answer to a challenge.
#[derive(Clone, Copy, Debug)]
pub(super) enum OnChainProof<'a> {
    /// The bytes of a signed transaction.
    Transaction(&'a [u8]),
    /// The hash of a transaction, and the account that is said to have sent it.
    Hash(&'a [u8; 32], Option<Address>),
}

/// When a challenge was issued, and when it ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChallengeTimes {
    pub(super) issued: UnixTime,
    pub(super) expires: UnixTime,
}

/// A payment that the chain settles, shown in answer to a challenge.
pub(super) struct ShownOnChain<'a> {
    pub(super) sold: SignedChoice<'a>,
    pub(super) proof: OnChainProof<'a>,
    pub(super) times: ChallengeTimes,
    pub(super) standard: Standard,
}

impl ShownOnChain<'_> {
    /// Checks it on these chains, after this restore.
    ///
    /// # Errors [`Code::InvalidPayload`] for what is not a transfer or cannot be looked at here,
    /// [`Code::Expired`]; of a hash [`Code::ChainUnavailable`] instead;
    /// [`Code::TermsMismatch`], [`Code::RecipientMismatch`], [`Code::AmountMismatch`].
    pub(super) fn check(
        self,
        chains: &Chains,
        restore: Restore,
        now: UnixTime,
    ) -> Result<Proof, Code> {
        let Self { sold, proof, times, standard } = self;
        let SignedChoice { choice: Choice { terms, .. }, token } = sold;
        let ChallengeTimes { issued, expires } = times;
        // Money that has moved is never answered with terms, even if it cannot be looked at.
        let (is_signed, blind) = match proof {
            OnChainProof::Transaction(_) => (true, Code::InvalidPayload),
            OnChainProof::Hash(..) => (false, Code::ChainUnavailable),
        };
        // Bytes that are only looked up need no node.
        let is_looked_up = standard == Standard::Stated || standard == Standard::Own && is_signed;
        if !is_looked_up && chains.rpc_url(terms.network.as_str()).is_none() {
            return Err(blind);
        }
        let (hash, payer, onchain) = match proof {
            OnChainProof::Transaction(bytes) => {
                let signed = SignedTransfer::parse(bytes).map_err(|_| Code::InvalidPayload)?;
                if signed.chain_id != token.chain_id || signed.token != token.asset {
                    return Err(Code::TermsMismatch);
                }
                if signed.to != token.pay_to {
                    return Err(Code::RecipientMismatch);
                }
                if signed.value != terms.amount {
                    return Err(Code::AmountMismatch);
                }
                // Precompiles have these addresses, and sign nothing.
                if signed.from.is_low() {
                    return Err(Code::SignatureInvalid);
                }
                (signed.hash, Some(signed.from), OnChain::Signed(Box::new(signed)))
            }
            OnChainProof::Hash(hash, payer) => {
                let transaction = OnChain::named(hash).ok_or(Code::InvalidPayload)?;
                let until = expires.plus(LATE_SECS);
                (*hash, payer, OnChain::Sent { transaction, since: issued, until })
            }
        };
        // The ledger dates a hash by its challenge.
        if is_signed && !is_looked_up && restore.may_have_lost(NO_DATE, expires) {
            return Err(Code::Expired);
        }
        Ok(Proof {
            key: PaymentKey::of_transaction(token.chain_id, &hash),
            payer,
            // It has no end of its own: it counts for as long as the terms asked for.
            valid_before: now.plus(terms.max_timeout_secs),
            identifier: None,
            request: onchain.request(),
            rival: None,
            onchain: Some(onchain),
        })
    }
}
