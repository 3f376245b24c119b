//! Whether a payer had too little for its payment: asked where a facilitator would not settle, named
//! no transaction, and gave a reason that proves nothing.
//!
//! Too little now may be what a settlement left, and nodes behind one address are not at one block.
//! So it counts only with a nonce that is unused, and if it was too little at first sight as well.

use alloc::boxed::Box;
use alloc::string::String;

use super::Question;
use farebox_evm::rpc::error::RpcError;
use farebox_evm::rpc::reply::Replies;
use farebox_evm::rpc::{At, Call, batch};

const CALLS: usize = 4;

/// Waits for the reply about a payer's funds.
#[cfg_attr(feature = "copies", derive(Clone))]
#[derive(Debug)]
pub struct Funding(Box<Question>);

impl Question {
    /// The request about the payer's funds, and the value that accepts its reply; `None` if no block
    /// was read at first sight.
    #[must_use]
    pub fn funds(self) -> Option<(String, Funding)> {
        let (asset, holder) = (self.asset, self.from);
        let balance = |at| Call::Balance { asset, holder, at };
        let seen = balance(At::Number(self.seen_block?));
        // The nonce last: a settlement between two of them shows itself by it.
        let calls: [Call; CALLS] =
            [Call::ChainId, seen, balance(At::Latest), self.state(At::Latest)];
        let body = batch(&calls);
        Some((body, Funding(Box::new(self))))
    }
}

impl Funding {
    /// Whether the payer had too little before the payment and has not made it; the body of the reply
    /// as for [`super::Asking::answered`].
    #[must_use]
    pub fn is_short(&self, reply: Option<&[u8]>) -> bool {
        reply.is_some_and(|reply| self.read(reply) == Ok(true))
    }

    fn read(&self, reply: &[u8]) -> Result<bool, RpcError> {
        let Self(question) = self;
        let replies = Replies::read(reply, CALLS)?;
        let is_its = replies.quantity(0)? == question.chain_id;
        let value = question.value;
        let was_short = replies.amount(1)? < value;
        let is_used = question.is_used(&replies, 3)?;
        Ok(is_its && was_short && replies.amount(2)? < value && !is_used)
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;
    use farebox_base::amount::Amount;
    use farebox_base::time::UnixTime;
    use farebox_common::payment::TransferMethod;
    use farebox_evm::address::Address;

    /// Whether it is short, with these balances at first sight and now.
    fn is_short(chain: &str, balances: [u64; 2], used: u64) -> bool {
        let question = Question {
            chain_id: 84_532,
            asset: Address::ZERO,
            from: Address::ZERO,
            to: Address::ZERO,
            value: Amount::from_u64(10_000),
            earlier: alloc::vec::Vec::new(),
            method: TransferMethod::Eip3009,
            nonce: [1; 32],
            seen_block: Some(7),
            seen_at: UnixTime::from_secs(1),
            known: None,
            confirmations: 1,
            cursor: None,
        };
        let (_, funding) = question.funds().unwrap();
        let [then, now] = balances;
        let reply =
            |id: u64, result: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":"{result}"}}"#);
        let word = |value: u64| format!("0x{value:064x}");
        let replies =
            [reply(1, chain), reply(2, &word(then)), reply(3, &word(now)), reply(4, &word(used))];
        funding.is_short(Some(format!("[{}]", replies.join(",")).as_bytes()))
    }

    #[test]
    fn a_payer_is_short_that_had_and_has_too_little_and_has_not_paid() {
        assert!(is_short("0x14a34", [9_999, 0], 0));
        for (chain, balances, used) in [
            ("0x1", [0, 0], 0),
            // Paid since, as one node shows and another does not.
            ("0x14a34", [10_000, 0], 0),
            ("0x14a34", [0, 10_000], 0),
            ("0x14a34", [0, 0], 1),
            ("nonsense", [0, 0], 0),
        ] {
            assert!(!is_short(chain, balances, used), "{chain} {balances:?} {used}");
        }
    }
}
