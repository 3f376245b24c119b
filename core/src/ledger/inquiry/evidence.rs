//! The evidence in one receipt about one authorization.

use alloc::vec::Vec;

use super::Question;
use crate::amount::Amount;
use crate::evm::permit2::{self, Mention};
use crate::evm::rpc::reply::{Inclusion, Log, Sent, Status, TransactionReceipt};
use crate::evm::rpc::{AUTHORIZATION_CANCELED, AUTHORIZATION_USED, TRANSFER};
use crate::mutant::{Mutant, planted};

/// The meaning of a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Evidence {
    /// The authorization was used and its own `Transfer` moved exactly the value from payer to
    /// payee.
    Paid {
        /// Place of that `Transfer` among the events of its block.
        log_index: u64,
    },
    /// The payer cancelled the authorization.
    Cancelled,
    /// The nonce was used and no transfer like this payment was made.
    Elsewhere,
    /// The nonce was used and there is such a `Transfer`, but it is not the one that belongs to the
    /// use, or it is not standard.
    Unclear,
    /// It does not mention this authorization.
    Unrelated,
}

impl Evidence {
    /// Reads a receipt.
    ///
    /// The `Transfer` that belongs to a use is the token's first one after it and before the
    /// token's next use, so one `Transfer` never serves two authorizations of a batch. A token that
    /// reports in the reverse order is understood if it is unambiguous: one use, one `Transfer`.
    /// Spec: EIP-3009, reference implementation.
    pub(super) fn of(receipt: &TransactionReceipt, question: &Question) -> Self {
        if receipt.status != Status::Succeeded {
            return Self::Unrelated;
        }
        let logs: Vec<&Log> = receipt
            .logs
            .iter()
            .filter(|log| log.standing == Inclusion::Included && log.address == question.asset)
            .collect();
        let authorization = question.authorization();
        let own = |log: &Log| log.is_event(&AUTHORIZATION_USED, &authorization);
        let exact = |log: &Log| is_exact(log, question);

        let following = logs.iter().enumerate().filter(|(_, log)| own(log)).find_map(|(at, _)| {
            let after = logs.iter().skip(at.saturating_add(1));
            after
                .take_while(|log| !is_use(log))
                .find(|log| is_transfer(log))
                .filter(|log| exact(log))
        });
        if let Some(transfer) = following {
            return Self::Paid { log_index: transfer.index };
        }
        if !logs.iter().any(|log| own(log)) {
            let cancelled =
                logs.iter().any(|log| log.is_event(&AUTHORIZATION_CANCELED, &authorization));
            return if cancelled { Self::Cancelled } else { Self::Unrelated };
        }
        let uses = logs.iter().filter(|log| is_use(log)).count();
        let transfers: Vec<&Log> = logs.iter().copied().filter(|log| is_transfer(log)).collect();
        match transfers.as_slice() {
            [transfer] if uses == 1 && exact(transfer) => Self::Paid { log_index: transfer.index },
            // An unreadable `Transfer` may be this payment's: it must not close it as unpaid.
            transfers if transfers.iter().any(|log| exact(log) || !is_standard(log)) => {
                Self::Unclear
            }
            _ => Self::Elsewhere,
        }
    }

    /// Reads the receipt of a transaction that may have used a permit.
    ///
    /// Only a call of the proxy for this permit alone proves that its `Transfer` is this payment's:
    /// anyone can write the permit into the data of another transfer.
    pub(super) fn of_permit(
        receipt: &TransactionReceipt,
        sent: &Sent,
        question: &Question,
    ) -> Self {
        if receipt.status != Status::Succeeded {
            return Self::Unrelated;
        }
        let Question { asset, from, to, value, nonce, method, .. } = question;
        let facilitator = method.facilitator();
        let exact = receipt.logs.iter().find(|log| {
            log.standing == Inclusion::Included && log.address == *asset && is_exact(log, question)
        });
        let accounts = (*asset, *from, *to);
        let data = (sent.to, sent.input.as_slice());
        match (permit2::mention(data, accounts, (*value, nonce), facilitator), exact) {
            (Mention::Exact, Some(log)) => Self::Paid { log_index: log.index },
            (Mention::Inside, Some(log)) if planted(Mutant::WordsArePaid) => {
                Self::Paid { log_index: log.index }
            }
            (Mention::Exact, None) | (Mention::Inside, Some(_)) => Self::Unclear,
            // A part of what was signed that is not the one that was asked for.
            (Mention::Nonce, _) if facilitator.is_some() => Self::Unclear,
            (Mention::Nonce, _) => Self::Elsewhere,
            (Mention::Inside, None) | (Mention::None, _) => Self::Unrelated,
        }
    }
}

fn is_use(log: &Log) -> bool {
    log.topics.first() == Some(&AUTHORIZATION_USED)
}

fn is_transfer(log: &Log) -> bool {
    log.topics.first() == Some(&TRANSFER)
}

/// Whether it has the standard form of an ERC-20 `Transfer`.
fn is_standard(log: &Log) -> bool {
    log.topics.len() == 3 && log.data.len() == 32
}

/// Whether it is the `Transfer` of exactly this payment.
pub(super) fn is_exact(log: &Log, question: &Question) -> bool {
    log.topics == [TRANSFER, question.from.to_word(), question.to.to_word()]
        && <[u8; 32]>::try_from(log.data.as_slice())
            .is_ok_and(|word| Amount::from_be_bytes(word) == question.value)
}
