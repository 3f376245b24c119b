//! Direct transfers: a buyer sends the price to the escrow by a transaction of its own, and shows its
//! hash with a signature.
//!
//! A hash is public, so that the buyer signs what it is for: who reads the chain can show the hash and
//! not the signature. The transaction has to be the buyer's own call of `transfer`: what the gate
//! settles is a facilitator's, and pays through the till alone.

use alloc::format;
use alloc::string::{String, ToString};

use super::job::show_paid;
use super::kernel::{Applied, Decision, Now};
use super::keys::Keys;
use super::message::{Answer, JsonAnswer, TillPayment};
use super::personal::Personal;
use super::records::Rows;
use super::refused::{refusal, used_transaction};
use super::row::QuoteRow;
use super::settings::PaymentProfile;
use super::till::Till;
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;
use farebox_evm::address::Address;
use farebox_evm::rpc::error::RpcError;
use farebox_evm::rpc::reply::{Block, Inclusion, Log, Replies, Sent, Status, TransactionReceipt};
use farebox_evm::rpc::{At, Call, TRANSFER, batch};
use farebox_evm::transaction::transfer;

/// Seconds after which a transfer buys nothing any more: what it bought is kept for longer.
const MAX_AGE_SECS: u64 = 7 * 24 * 3_600;
/// Calls of the first question, and of the one that asks for the block too.
const FIRST: usize = 4;
const WITH_BLOCK: usize = 5;

/// A buyer's proof of its transfer.
pub(super) struct DirectTransfer<'a> {
    pub hash: &'a str,
    pub signature: Option<&'a str>,
}

/// A node's view of a transfer.
struct TransferSight {
    chain: u64,
    newest: Option<Block>,
    receipt: Option<TransactionReceipt>,
    sent: Option<Sent>,
    /// The block that has it.
    block: Option<Block>,
}

impl TransferSight {
    /// The atomic units that the call moves, if it is one of `transfer`.
    fn moved(&self) -> Option<String> {
        let (_, units) = transfer(&self.sent.as_ref()?.input)?;
        Some(units.to_string())
    }
}

/// Direct transfers for the quotes of a profile.
pub(super) struct DirectTransfers<'g> {
    pub profile: &'g PaymentProfile,
    pub keys: &'g Keys,
    pub till: Till<'g>,
    /// Blocks that a transfer needs; `None` if none is taken.
    pub confirmations: Option<u64>,
    /// Unix seconds up to which a transfer may have bought what a restore forgot.
    pub closed_before: u64,
}

impl DirectTransfers<'_> {
    /// Takes a transfer for a quote.
    pub fn take<R: Rows>(
        &self,
        records: &R,
        quote: QuoteRow,
        shown: &DirectTransfer<'_>,
        confirmations: u64,
        tick: Now<'_>,
    ) -> Applied<R> {
        let refused =
            |status, code: &str, why: &str| Ok(Decision::reply(refusal(status, code, why)));
        let lower = shown.hash.to_ascii_lowercase();
        let Ok(hash) = hex::decode_array::<32>(&lower) else {
            let why = "tx_hash must be a 32-byte transaction hash.";
            return refused(400, "INVALID_TX_HASH", why);
        };
        let signed = |it| Personal::of(&quote.buyer, &quote.fingerprint, it);
        let is_signed = shown.signature.and_then(signed).is_some_and(|it| it.is_by_key());
        if !is_signed {
            let why = "buyer_signature must be a signature of buyer_id over the fingerprint.";
            return refused(403, "BUYER_SIGNATURE_INVALID", why);
        }
        if let Some(answer) = self.find_use(records, &quote, &lower)? {
            return Ok(Decision::reply(answer));
        }
        let sight = match self.read_transfer(&hash, tick.evidence) {
            Ok(sight) => sight,
            Err(answer) => return Ok(Decision::told(answer)),
        };
        // The order may have been quoted at another price since: what was transferred for the earlier
        // one goes back as it would have.
        let earlier = match sight.moved() {
            Some(units) if units != quote.units => records.quote_at(&quote.fingerprint, &units)?,
            Some(_) | None => None,
        };
        let quote = earlier.filter(|it| self.profile.is_current(it)).unwrap_or(quote);
        if let Err(answer) = self.check_transfer(&quote, &sight, confirmations, tick) {
            return Ok(Decision::reply(answer));
        }
        let sale = TillPayment {
            quote: quote.id,
            payment: lower.clone(),
            payer: quote.buyer,
            amount: quote.units,
            asset: quote.asset,
            network: quote.network,
            transaction: lower,
        };
        // Whatever became of the quote by now: the money is there, and gets a seat or goes back.
        self.till.take_sale(records, &sale, tick)
    }

    /// The answer for a transfer that was used before: the same request has what it bought.
    fn find_use<R: Rows>(
        &self,
        records: &R,
        quote: &QuoteRow,
        hash: &str,
    ) -> Result<Option<JsonAnswer>, R::Error> {
        if let Some(hold) = records.hold(hash)? {
            // The same request may have been quoted again since.
            let is_its = |first: &QuoteRow| first.fingerprint == quote.fingerprint;
            let job = records.job(&hold.job)?;
            return Ok(Some(match job {
                Some(job) if records.quote(&job.quote)?.as_ref().is_some_and(is_its) => {
                    show_paid(&job, self.keys)
                }
                Some(_) | None => used_transaction(),
            }));
        }
        let is_used = records.is_paid_by(hash)? || records.has_bond_by(hash)?;
        Ok(is_used.then(used_transaction))
    }

    /// Reads what a node shows of a transfer; before it has shown all, the answer is a question.
    fn read_transfer(&self, hash: &[u8; 32], reply: Option<&str>) -> Result<TransferSight, Answer> {
        let Some(reply) = reply else {
            return Err(Answer::Evidence(write_question(hash, None)));
        };
        let sight = match (read_sight(reply, hash, WITH_BLOCK), read_sight(reply, hash, FIRST)) {
            (Ok(whole), _) => Ok(whole),
            (Err(_), Ok(sight)) => match sight.receipt.as_ref().map(|receipt| receipt.block) {
                // Its time is in its block.
                Some(block) if sight.chain == self.profile.chain_id => {
                    return Err(Answer::Evidence(write_question(hash, Some(block))));
                }
                _ => Ok(sight),
            },
            (Err(error), Err(_)) => Err(error),
        };
        sight.ok().filter(|sight| sight.chain == self.profile.chain_id).ok_or_else(|| {
            let why = "The chain could not be read; try again.";
            Answer::Reply(refusal(500, "RECEIPT_VERIFY_FAILED", why))
        })
    }

    /// Whether a transaction is the buyer's transfer of exactly the price, for good and of late.
    fn check_transfer(
        &self,
        quote: &QuoteRow,
        sight: &TransferSight,
        confirmations: u64,
        tick: Now<'_>,
    ) -> Result<(), JsonAnswer> {
        let wrong = |code: &str, why: &str| Err(refusal(400, code, why));
        let (Some(receipt), Some(sent)) = (&sight.receipt, &sight.sent) else {
            return wrong("RECEIPT_NOT_FOUND", "The transaction is in no block yet.");
        };
        if receipt.status != Status::Succeeded {
            return wrong("TX_NOT_SUCCESSFUL", "The transaction did not succeed.");
        }
        let is_transfer = |log: &&Log| {
            log.standing == Inclusion::Included
                && log.address == self.profile.token.address
                && log.topics.first() == Some(&TRANSFER)
        };
        if !receipt.logs.iter().any(|log| is_transfer(&log)) {
            let why = "The transaction has no transfer of the token.";
            return wrong("TX_TOKEN_TRANSFER_MISSING", why);
        }
        let address = |text: &str| Address::parse(text).unwrap_or(Address::ZERO);
        let (buyer, to) = (address(&quote.buyer), address(&quote.pay_to));
        let units = Amount::from_atomic(&quote.units).unwrap_or(Amount::ZERO);
        let is_moved = receipt.logs.iter().filter(is_transfer).any(|log| {
            let is_between = log.topics == [TRANSFER, buyer.to_word(), to.to_word()];
            is_between && log.data == units.to_be_bytes()
        });
        let is_own = sent.from == buyer
            && sent.to == Some(self.profile.token.address)
            && transfer(&sent.input) == Some((to, units));
        let is_right = is_moved && is_own;
        if !is_right {
            let why = "The transaction is not the buyer's own transfer of this amount to pay_to.";
            return wrong("TX_TOKEN_TRANSFER_MISMATCH", why);
        }
        let newest = sight.newest.map_or(0, |block| block.number);
        let blocks = newest.checked_sub(receipt.block).map_or(0, |after| after.saturating_add(1));
        if blocks < confirmations {
            let why = format!(
                "The transaction has {blocks} of {confirmations} blocks; show it again later."
            );
            return wrong("RECEIPT_NOT_FOUND", &why);
        }
        let block = sight.block.filter(|block| block.number == receipt.block);
        let is_closed = block.is_some_and(|block| block.time.secs() <= self.closed_before);
        if is_closed {
            let why = "The transfer is from before a restore, and may have bought a job already. \
                       Ask the operator.";
            return wrong("TX_BEFORE_RESTORE", why);
        }
        let age = block.map(|block| (tick.now / 1000).saturating_sub(block.time.secs()));
        if age.is_none_or(|age| age > MAX_AGE_SECS) {
            let why = "The transfer is older than seven days.";
            return wrong("TX_TOKEN_TRANSFER_MISMATCH", why);
        }
        Ok(())
    }
}

/// The question to a node about a transaction, and about the block that has it once that is known.
fn write_question(hash: &[u8; 32], block: Option<u64>) -> String {
    let calls = [
        Some(Call::ChainId),
        Some(Call::Block(At::Latest)),
        Some(Call::Receipt(*hash)),
        Some(Call::Transaction(*hash)),
        block.map(|number| Call::Block(At::Number(number))),
    ];
    let calls: alloc::vec::Vec<Call> = calls.into_iter().flatten().collect();
    batch(&calls)
}

/// Reads the reply to a question, with the block or without.
fn read_sight(reply: &str, hash: &[u8; 32], calls: usize) -> Result<TransferSight, RpcError> {
    let replies = Replies::read(reply.as_bytes(), calls)?;
    Ok(TransferSight {
        chain: replies.quantity(0)?,
        newest: replies.block(1)?,
        receipt: replies.receipt(2, hash)?,
        sent: replies.transaction(3, hash)?,
        block: if calls == WITH_BLOCK { replies.block(FIRST)? } else { None },
    })
}
