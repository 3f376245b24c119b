//! Sessions that a transferred bond opens.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::super::kernel::{Applied, Decision, Now};
use super::super::message::{Answer, JsonAnswer};
use super::super::records::{Change, Rows};
use super::super::refused::refusal;
use super::super::row::{Asker, BondRow, SellerRow};
use super::super::session::{SellerProof, WALLET_PROOF};
use super::{AskedSeller, BondProof, Bonds};
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;
use farebox_evm::address::Address;
use farebox_evm::rpc::reply::{Inclusion, Replies, Status, TransactionReceipt};
use farebox_evm::rpc::{AUTHORIZATION_USED, Call, TRANSFER, batch};

/// Milliseconds for which the answer to a proven bond is told again to whoever lost it.
const REPEAT_MS: u64 = 300_000;

fn refused(code: &str, why: &str) -> JsonAnswer {
    refusal(403, code, why)
}

impl Bonds<'_> {
    /// Opens a session by a bond that was transferred.
    pub fn open<R: Rows>(
        &self,
        records: &R,
        asked: AskedSeller<'_>,
        proof: &BondProof,
        evidence: Option<&str>,
        tick: Now<'_>,
    ) -> Applied<R> {
        let (AskedSeller { known, seller, agent }, BondProof { id, hash }) = (asked, proof);
        let Some(bond) = records.bond(id)? else {
            let why = "Seller bond challenge not found.";
            return Ok(Decision::reply(refusal(404, "SELLER_BOND_CHALLENGE_NOT_FOUND", why)));
        };
        if bond.seller != seller.id || bond.agent != agent {
            let why = "The challenge belongs to another seller or agent.";
            return Ok(Decision::reply(refused("SELLER_BOND_CHALLENGE_MISMATCH", why)));
        }
        if !bond.transaction.is_empty() {
            return Ok(self.repeat(known, &bond, hash, tick).unwrap_or_else(|| {
                let why = "The challenge was used already.";
                Decision::reply(refused("SELLER_BOND_CHALLENGE_INVALID", why))
            }));
        }
        if let Err(answer) = check_open(&bond, known, tick) {
            return Ok(Decision::reply(answer));
        }
        let lower = hash.to_ascii_lowercase();
        let Ok(transaction) = hex::decode_array::<32>(&lower) else {
            let why = "tx_hash must be a 32-byte transaction hash.";
            return Ok(Decision::reply(refused("INVALID_TX_HASH", why)));
        };
        let is_used = records.has_bond_by(&lower)? || records.is_paid_by(&lower)?;
        if is_used {
            let why = "The transaction served already.";
            return Ok(Decision::reply(refused("SELLER_BOND_TX_REUSED", why)));
        }
        if let Err(answer) = self.check_transfer(&bond, &transaction, evidence) {
            return Ok(Decision::told(answer));
        }
        let bond = BondRow { transaction: lower, proven: tick.now, ..bond };
        Ok(self.bind(known, seller, agent, bond, tick))
    }

    /// Checks what a node shows of a transaction; before it was asked, the answer is a question.
    fn check_transfer(
        &self,
        bond: &BondRow,
        transaction: &[u8; 32],
        evidence: Option<&str>,
    ) -> Result<(), Answer> {
        let calls = [Call::ChainId, Call::Receipt(*transaction)];
        let Some(reply) = evidence else { return Err(Answer::Evidence(batch(&calls))) };
        let replies = Replies::read(reply.as_bytes(), calls.len());
        let chain =
            replies.as_ref().is_ok_and(|it| it.quantity(0) == Ok(self.sessions.profile.chain_id));
        let receipt = replies.and_then(|replies| replies.receipt(1, transaction));
        let (Ok(receipt), true) = (receipt, chain) else {
            let why = "The chain could not be read; try again.";
            return Err(Answer::Reply(refusal(500, "RECEIPT_VERIFY_FAILED", why)));
        };
        self.proves(bond, receipt.as_ref()).map_err(|(code, why)| Answer::Reply(refused(code, why)))
    }

    /// Binds the seller to the agent of a proven bond, and opens its session.
    fn bind(
        &self,
        known: &SellerRow,
        seller: SellerRow,
        agent: &str,
        bond: BondRow,
        tick: Now<'_>,
    ) -> Decision {
        let token = self.sessions.renewal_token(&bond);
        let row = SellerRow {
            agent: agent.to_string(),
            subject: format!("{WALLET_PROOF}{}", seller.id),
            // Strangers bind it no more than while the identity was its proof.
            signs: seller.signs || seller.has_identity(),
            // What another agent opened ends here.
            epoch: seller.epoch.saturating_add(1),
            renewal: self.sessions.hash_renewal(&token),
            keyed: self.sessions.print_secret(),
            ..seller
        };
        let proof = SellerProof::Bond { renewal: Some(&token) };
        let mut decision = self.sessions.open(known, row, proof, tick);
        decision.changes.push(Change::Bond(Box::new(bond)));
        decision
    }

    /// The answer to who shows a bond that was used: whose answer was lost has the same session again,
    /// until another bond is proven. The transaction is public, so that it brings no other one, and no
    /// token.
    fn repeat(
        &self,
        known: &SellerRow,
        bond: &BondRow,
        hash: &str,
        tick: Now<'_>,
    ) -> Option<Decision> {
        let token = self.sessions.renewal_token(bond);
        let is_same = bond.transaction == hash.to_ascii_lowercase();
        let is_fresh = tick.now < bond.proven.saturating_add(REPEAT_MS);
        let then = Now { now: bond.proven, ..tick };
        let proof = SellerProof::Bond { renewal: None };
        (is_same && is_fresh && self.sessions.renews(known, &token))
            .then(|| Decision::told(self.sessions.open(known, known.clone(), proof, then).answer))
    }

    /// Whether a receipt has the bond's own transfer, made after it was asked for.
    fn proves(
        &self,
        bond: &BondRow,
        receipt: Option<&TransactionReceipt>,
    ) -> Result<(), (&'static str, &'static str)> {
        let Some(receipt) = receipt else {
            return Err(("RECEIPT_NOT_FOUND", "The transaction is in no block yet."));
        };
        if receipt.status != Status::Succeeded {
            return Err(("TX_NOT_SUCCESSFUL", "The transaction did not succeed."));
        }
        let from = Address::parse(&bond.seller).unwrap_or(Address::ZERO).to_word();
        let to = self.wallet.to_word();
        let token = &self.sessions.profile.token.address;
        let logs = || receipt.logs.iter().filter(|log| log.address == *token);
        // A payer signs what a merchant asks for, whom it names its payee and an amount: a purchase
        // anywhere would prove a bond that somebody else has asked for.
        if logs().any(|log| log.topics.starts_with(&[AUTHORIZATION_USED, from])) {
            let why = "The transaction spends an authorization; transfer the bond from its wallet.";
            return Err(("SELLER_BOND_CHALLENGE_INVALID", why));
        }
        let amounts: Vec<&[u8]> = logs()
            .filter(|log| log.standing == Inclusion::Included)
            .filter(|log| log.topics == [TRANSFER, from, to])
            .map(|log| log.data.as_slice())
            .collect();
        if amounts.is_empty() {
            let why =
                "The transaction has no transfer of the token from the seller to the bond wallet.";
            return Err(("TX_TOKEN_TRANSFER_MISSING", why));
        }
        let units = Amount::from_atomic(&bond.units).unwrap_or(Amount::ZERO).to_be_bytes();
        if !amounts.contains(&units.as_slice()) {
            return Err(("TX_TOKEN_TRANSFER_MISMATCH", "The transfer has another amount."));
        }
        if receipt.block <= bond.block {
            let why = "The transfer is older than the challenge.";
            return Err(("SELLER_BOND_CHALLENGE_STALE", why));
        }
        Ok(())
    }
}

/// Whether a bond may still be proven by this seller.
fn check_open(bond: &BondRow, known: &SellerRow, tick: Now<'_>) -> Result<(), JsonAnswer> {
    if tick.now >= bond.until {
        return Err(refused("SELLER_BOND_CHALLENGE_EXPIRED", "The challenge has expired."));
    }
    if bond.asker == Asker::Anyone && known.binds_itself() {
        let why = "The seller is bound: let its wallet sign the request for a bond.";
        return Err(refused("SELLER_BOND_CHALLENGE_INVALID", why));
    }
    // Whoever lost the session would bind the seller once more.
    if bond.session.is_some_and(|epoch| epoch != known.epoch) {
        let why = "The session that asked for the bond has ended; ask for another one.";
        return Err(refused("SELLER_BOND_CHALLENGE_INVALID", why));
    }
    Ok(())
}
