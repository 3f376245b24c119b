//! Payments in an escrow contract: each is registered, and then released or refunded, by
//! transactions of the wallet that is the contract's gateway.
//!
//! A payment has one row ([`row`]) with its goal and every transaction that was signed for it. A
//! request raises the goal; who asked it, and afterwards the alarm, asks the node (`sight`), and
//! `step` decides what comes next. In reading order: `request`, [`row`], `abi`, `sight`, `step`,
//! `response`.
//! - A goal changes once, from `funded`. The contract lets a payment out once, whatever is sent.
//! - A wallet has one transaction in the air: what is signed next waits for it. A transaction is
//!   written with its bytes before it is sent; it is sent again as it is, or replaced under its
//!   nonce at a higher price.
//! - What the contract shows counts, not what a receipt says: another one may have carried it out.

mod abi;
mod request;
pub(crate) mod response;
pub mod row;
mod sight;
mod step;

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use self::request::{EscrowRequest, place_of};
use self::response::write_response;
use self::row::{EscrowFate, EscrowGoal, EscrowRow, EscrowStage, EscrowTry, NonceRow};
use self::step::{Around, EscrowBid, Move};
use super::books::{Change, Rows};
use super::chain::{ChainReader, UNCONFIGURED_SECS};
use super::config::{EscrowContract, Key, Wallet};
use super::kernel::{Decision, Grant, Job, Now};
use super::message::{Answer, Enquiry, Reply};
use super::operate::reply::{not_found, problem};
use super::payout::rules::find_rules;
use super::places::{PlacedJob, Places};
use farebox_base::chain::ChainId;
use farebox_base::encoding::hex;
use farebox_evm::account::Account;
use farebox_evm::address::Address;
use farebox_evm::contract_call::ContractCall;

/// Seconds for which who asked waits for the goal.
const WAIT_SECS: u64 = 8;
/// Seconds after which the alarm looks, if who had the grant does not report.
const LEASE_SECS: u64 = 15;
/// Milliseconds between two looks of who waits.
const PAUSE_MS: u32 = 400;
/// Payments that one alarm looks at.
const MAX_DUE: u32 = 8;
/// Seconds after which a payment is looked at again whose transaction is in the air, and whose contract
/// or node is not configured: the others of its wallet wait for it.
const MISSED_SECS: u64 = 60;

/// The payments in escrow contracts whose gateway is one of the wallets.
pub(super) struct Escrows<'t> {
    pub contracts: &'t [EscrowContract],
    pub wallets: &'t [Wallet],
    pub chain: &'t ChainReader,
}

impl Escrows<'_> {
    /// Has a payment registered, released or refunded. With `only`, by this wallet of this
    /// organization and no other.
    pub fn hold<B: Rows>(
        &self,
        books: &B,
        body: &Map<String, Value>,
        only: Option<&str>,
        scene: Now<'_>,
    ) -> Result<Decision, B::Error> {
        let told = |reply: Reply| Ok(Decision::reply(reply));
        let asked = match request::read(body) {
            Ok(asked) => asked,
            Err(faults) => return told(problem(400, "invalid_payout", &faults)),
        };
        let named = body.get("organization").and_then(Value::as_str);
        let is_own = named == Some(scene.organization) && only == Some(asked.wallet.as_str());
        if only.is_some() && !is_own {
            let detail = "the token pays out of another wallet or organization";
            return told(problem(403, "payouts_not_allowed", detail));
        }
        let Some(escrow) = self.find_contract(&asked, scene) else {
            let detail =
                "contract: is not one of ESCROWS with this organization, wallet and network";
            return told(problem(403, "payouts_not_allowed", detail));
        };
        let known = books.escrow(&asked.id)?;
        if self.chain.node(&escrow.network).is_none() || self.gateway(escrow).is_none() {
            let detail =
                "RPC_URL has no node for this network, or the secret of the wallet is not set";
            return told(problem(409, "payouts_not_configured", detail));
        }
        let fresh = asked.row(escrow, scene.now.secs());
        let before = known.as_ref().map(|row| row.goal);
        let row = match known {
            None => fresh,
            Some(known) if !known.is_about(&fresh) => {
                let detail = "the payment is kept with other facts; nothing was done";
                return told(problem(409, "idempotency_key_conflict", detail));
            }
            Some(known) => known,
        };
        let mut row = match raise(row, asked.goal) {
            Ok(row) => row,
            Err(reply) => return told(reply),
        };
        // What was decided goes on.
        if before != Some(row.goal)
            && let Err(reply) = find_rules(books, &escrow.network, escrow.token.symbol, scene)?
        {
            return told(reply);
        }
        match row.stage {
            EscrowStage::Sent | EscrowStage::Confirmed => return told(write_response(&row)),
            EscrowStage::Open | EscrowStage::Excluded => {}
        }
        let now = scene.now.secs();
        row.until = now.saturating_add(WAIT_SECS);
        Ok(self.enquire(row, escrow, 0, now))
    }

    /// Work that is due and has places, with the writes that grant it.
    pub fn recover<B: Rows>(
        &self,
        books: &B,
        places: &mut Places,
        scene: Now<'_>,
    ) -> Result<(Vec<PlacedJob>, Vec<Change>), B::Error> {
        let (mut works, mut changes) = (Vec::new(), Vec::new());
        let now = scene.now.secs();
        for mut row in books.escrows_due(now, MAX_DUE)? {
            let Some(place) = places.take_beside_payouts(&row.id) else { continue };
            // No one waits.
            row.until = now;
            let escrow = self.contract_of(&row, scene).filter(|it| self.gateway(it).is_some());
            let Some(escrow) = escrow else {
                changes.extend(write_unconfigured(row, now).changes);
                continue;
            };
            let decision = self.enquire(row, escrow, 0, now);
            changes.extend(decision.changes);
            if let Answer::Enquire(enquiry) = decision.answer {
                works.push(PlacedJob { place, job: Job::Enquire(*enquiry) });
            }
        }
        Ok((works, changes))
    }

    /// Takes what a node answered to an enquiry.
    pub fn read_reply<B: Rows>(
        &self,
        books: &B,
        grant: Grant<'_>,
        reply: Option<&str>,
        scene: Now<'_>,
    ) -> Result<Decision, B::Error> {
        let now = scene.now.secs();
        let Some(mut row) = books.escrow(grant.id)? else {
            return Ok(Decision::reply(not_found("payout")));
        };
        let escrow = self.contract_of(&row, scene);
        let found = escrow.and_then(|it| Some((it, self.gateway(it)?)));
        let Some((escrow, gateway)) = found.filter(|_| row.fence == grant.fence) else {
            return Ok(Decision::reply(write_response(&row)));
        };
        if row.sending {
            return Ok(self.enquire(row, escrow, PAUSE_MS, now));
        }
        let sight = reply.and_then(|reply| sight::read(&row, escrow, gateway.address(), reply));
        let Some(sight) = sight else {
            row.why = Some("the node did not answer, or not as a node of this chain".to_string());
            row.due = Some(now.saturating_add(self.chain.read_secs.min(5)));
            return Ok(self.rest(row, escrow, now));
        };
        let nonces = books.nonces(&row.wallet)?;
        let is_busy = books.is_flying_beside(&row.wallet, &row.id)?;
        let around = Around { now, nonces: nonces.as_ref(), is_busy, escrow, chain: self.chain };
        let bytes = match step::advance(&mut row, &sight, around) {
            Move::Rest => return Ok(self.rest(row, escrow, now)),
            Move::Resend(bytes) => bytes,
            Move::Sign(bid) => {
                let Some(made) = sign(&row, escrow, gateway, bid) else {
                    return Ok(self.rest(row, escrow, now));
                };
                let bytes = made.bytes.clone();
                row.tries.push(made);
                let next = bid.nonce.saturating_add(1);
                let nonces = NonceRow { wallet: row.wallet.clone(), next, at: now };
                let mut decision = self.send(row, &bytes, now);
                decision.changes.push(Change::Nonces(nonces));
                return Ok(decision);
            }
        };
        Ok(self.send(row, &bytes, now))
    }

    /// Writes the row, then has its bytes sent, and a look after that.
    fn send(&self, mut row: EscrowRow, bytes: &str, now: u64) -> Decision {
        let network = ChainId::parse(&row.network).ok();
        let node = network.and_then(|network| self.chain.node(&network).map(ToString::to_string));
        let (Some(node), Some(body)) = (node, sight::sending(bytes)) else {
            return write_unconfigured(row, now);
        };
        row.fence = row.fence.saturating_add(1);
        row.resent = now;
        (row.sending, row.due) = (true, Some(now.saturating_add(LEASE_SECS)));
        let (escrow, fence) = (row.id.clone(), row.fence);
        let answer = Answer::Enquire(Box::new(Enquiry { escrow, fence, node, body, pause_ms: 0 }));
        let changes = Vec::from([put(row)]);
        Decision { answer, changes }
    }

    /// Looks again while who asked waits; afterwards the alarm does.
    fn rest(&self, row: EscrowRow, escrow: &EscrowContract, now: u64) -> Decision {
        let waits = match row.stage {
            EscrowStage::Open => now < row.until && (row.failures == 0 || row.is_flying()),
            EscrowStage::Sent | EscrowStage::Confirmed | EscrowStage::Excluded => false,
        };
        if waits {
            return self.enquire(row, escrow, PAUSE_MS, now);
        }
        let answer = Answer::Reply(write_response(&row));
        Decision { answer, changes: Vec::from([put(row)]) }
    }

    fn enquire(
        &self,
        mut row: EscrowRow,
        escrow: &EscrowContract,
        pause_ms: u32,
        now: u64,
    ) -> Decision {
        let node = self.chain.node(&escrow.network).map(ToString::to_string);
        let gateway = self.gateway(escrow).map(Account::address);
        let body = gateway.and_then(|gateway| sight::question(&row, escrow, gateway));
        let (Some(node), Some(body)) = (node, body) else {
            return write_unconfigured(row, now);
        };
        row.fence = row.fence.saturating_add(1);
        (row.sending, row.due) = (false, Some(now.saturating_add(LEASE_SECS)));
        let (id, fence) = (row.id.clone(), row.fence);
        let enquiry = Enquiry { escrow: id, fence, node, body, pause_ms };
        let answer = Answer::Enquire(Box::new(enquiry));
        Decision { answer, changes: Vec::from([put(row)]) }
    }

    /// The configured contract that a request names.
    fn find_contract(&self, asked: &EscrowRequest, scene: Now<'_>) -> Option<&EscrowContract> {
        self.contracts.iter().find(|it| {
            let is_its = it.contract == asked.contract;
            is_its
                && it.organization == scene.organization
                && it.wallet == asked.wallet
                && it.network == asked.network
        })
    }

    /// The configured contract of a row.
    fn contract_of(&self, row: &EscrowRow, scene: Now<'_>) -> Option<&EscrowContract> {
        self.contracts.iter().find(|it| {
            it.organization == scene.organization
                && it.contract.to_checksum() == row.contract
                && place_of(it) == row.wallet
        })
    }

    /// The account that is the gateway of a contract.
    fn gateway(&self, escrow: &EscrowContract) -> Option<&Account> {
        let wallet = self.wallets.iter().find(|it| it.name == escrow.wallet)?;
        match &wallet.key {
            Key::Held(account) => Some(account),
            Key::Bound(..) | Key::Missing(_) => None,
        }
    }
}

/// A payment about which no node can be asked: the configuration has changed. What it has in the air
/// keeps its wallet waiting for an hour at most: after that another may have its nonce.
fn write_unconfigured(mut row: EscrowRow, now: u64) -> Decision {
    row.why = Some("its contract, its wallet or its node is not configured any more".to_string());
    let seen = row.changed.max(row.sent);
    if now >= seen.saturating_add(UNCONFIGURED_SECS) {
        row.overtake();
    }
    let pause = if row.is_flying() { MISSED_SECS } else { UNCONFIGURED_SECS };
    row.due = Some(now.saturating_add(pause));
    let answer = Answer::Reply(write_response(&row));
    Decision { answer, changes: Vec::from([put(row)]) }
}

/// Raises the goal of a payment, which is decided once.
fn raise(mut row: EscrowRow, goal: EscrowGoal) -> Result<EscrowRow, Reply> {
    match (row.goal, goal) {
        (EscrowGoal::Released, EscrowGoal::Refunded)
        | (EscrowGoal::Refunded, EscrowGoal::Released) => {
            let detail = "it was decided where the payment goes; nothing was done";
            return Err(problem(409, "escrow_decided", detail));
        }
        (_, EscrowGoal::Funded) => {}
        (known, goal) if known == goal => {}
        (_, goal) => {
            (row.goal, row.stage, row.seen) = (goal, EscrowStage::Open, None);
            (row.failures, row.why) = (0, None);
        }
    }
    Ok(row)
}

fn put(row: EscrowRow) -> Change {
    Change::Escrow(Box::new(row))
}

/// Signs a transaction for a payment.
fn sign(
    row: &EscrowRow,
    escrow: &EscrowContract,
    gateway: &Account,
    bid: EscrowBid,
) -> Option<EscrowTry> {
    let EscrowBid { deed, nonce, tip, max_fee } = bid;
    let call = ContractCall {
        chain_id: escrow.network.evm_id()?,
        nonce,
        tip,
        max_fee,
        gas: escrow.gas,
        to: Address::parse(&row.contract).ok()?,
        data: abi::data(row, deed)?,
    };
    let made = call.sign(gateway)?;
    Some(EscrowTry {
        deed,
        nonce,
        tip: tip.to_string(),
        max_fee: max_fee.to_string(),
        hash: hex::encode_prefixed(&made.hash),
        bytes: hex::encode_prefixed(&made.bytes),
        fate: EscrowFate::Flying,
    })
}
