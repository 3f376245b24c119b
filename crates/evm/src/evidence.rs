//! The evidence in one receipt about one authorization: whether it moved the money itself.

use alloc::vec::Vec;

use super::address::Address;
use super::rpc::reply::{Inclusion, Log, Status, TransactionReceipt};
use super::rpc::{AUTHORIZATION_CANCELED, AUTHORIZATION_USED, AuthorizationId, TRANSFER};
use farebox_base::amount::Amount;

/// The transfer that an authorization is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthorizedTransfer {
    /// The authorization, with its token and payer.
    pub authorization: AuthorizationId,
    /// The payee.
    pub to: Address,
    /// Atomic units, exactly.
    pub value: Amount,
}

/// The meaning of a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
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
    #[must_use]
    pub fn of(receipt: &TransactionReceipt, expected: &AuthorizedTransfer) -> Self {
        if receipt.status != Status::Succeeded {
            return Self::Unrelated;
        }
        let authorization = &expected.authorization;
        let logs: Vec<&Log> = receipt
            .logs
            .iter()
            .filter(|log| log.standing == Inclusion::Included && log.address == authorization.asset)
            .collect();
        let own = |log: &Log| log.is_event(&AUTHORIZATION_USED, authorization);
        let exact = |log: &Log| expected.is_moved_by(log);

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
                logs.iter().any(|log| log.is_event(&AUTHORIZATION_CANCELED, authorization));
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
}

impl AuthorizedTransfer {
    /// Whether an event has the accounts and the amount of this transfer; its token is the caller's
    /// to compare.
    #[must_use]
    pub fn is_moved_by(&self, log: &Log) -> bool {
        let from = self.authorization.authorizer;
        log.topics == [TRANSFER, from.to_word(), self.to.to_word()]
            && <[u8; 32]>::try_from(log.data.as_slice())
                .is_ok_and(|word| Amount::from_be_bytes(word) == self.value)
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
