//! Bonds: a seller proves its wallet by a small transfer, made after it was asked for. What the bond
//! proved is renewed by a token, without another transfer.
//!
//! A transfer is public, and anyone may ask for a bond of any wallet: what tells who asked is the
//! amount. So no two challenges of a wallet have one amount, and a transfer proves the challenge that
//! only one asker was told. There are 499 amounts: strangers have their share of them, the wallet's
//! sessions another, and its signatures a third one, which no others can use up.
//!
//! A transfer tells that the wallet paid, not that its owner asked: a merchant, or another exchange, may
//! have named payee and amount. So whoever has signed once, or has had an identity, is bound anew by a
//! signature or its session alone. A stranger may have a session by such a transfer: that is told nothing of
//! a signed bond, and what it asked for ends with it.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::body::Fields;
use super::kernel::{Applied, Decision, Now};
use super::message::{Answer, JsonAnswer, SellerRequest};
use super::personal::{Personal, read_bond};
use super::records::{Change, Rows};
use super::refused::{no_seller, no_signature, refusal};
use super::row::{Asker, BondRow, SellerRow};
use super::session::Sessions;
use super::settings::Profile;
use crate::text::{object, quoted, time};
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;
use farebox_evm::address::Address;
use farebox_evm::rpc::error::RpcError;
use farebox_evm::rpc::reply::Replies;
use farebox_evm::rpc::{Call, batch};

mod open;

/// Milliseconds in which a bond is to be transferred.
const BOND_MS: u64 = 600_000;
/// The least amount of a bond, in whole tokens.
const BASE: &str = "0.01";
/// Amounts of a profile: those of the demo are even, the others odd, so that a transfer proves nothing
/// in another profile of the same network.
const AMOUNTS: u64 = 499;
/// Milliseconds in which no amount is asked for twice of a wallet: a transfer that comes late proves
/// no other challenge.
const APART_MS: u64 = 12 * HOUR_MS;
/// Most bonds of a wallet in an hour for strangers, for its sessions, and for its signatures. Strangers
/// ask for none of a wallet that has signed, so that there is an amount for that one.
const MAX_OF_WALLET: usize = 20;
/// Most of them that one client asks for.
const MAX_NEAR: usize = 3;
/// How many strangers may have asked for before the others are kept for clients that ask for their
/// first one.
const MAX_AGAIN: usize = 5;
/// Most bonds that one client asks for in an hour, of all wallets that are not its own.
const MAX_ASKED: u64 = 20;
const HOUR_MS: u64 = 3_600_000;

/// The answer to who has asked for as many as a wallet or a client may.
fn too_many() -> JsonAnswer {
    let why = "Too many bonds were asked for; sign the request, transfer one of them, or come back later.";
    refusal(429, "SELLER_BOND_LIMIT_REACHED", why).with("retry-after", "600")
}

/// Whether a client has asked for as many bonds in an hour as it may, of all wallets that are not its
/// own.
fn has_asked_enough<R: Rows>(records: &R, client: &str, tick: Now<'_>) -> Result<bool, R::Error> {
    let since = tick.now.saturating_sub(HOUR_MS);
    Ok(records.bonds_asked(client, since)? >= MAX_ASKED)
}

/// Whether a wallet has as many bonds of an hour as the asker of this one may ask for, who has those.
fn is_over_limit(
    bonds: &[BondRow],
    asked: &BondRow,
    is_its: impl Fn(&&BondRow) -> bool,
    tick: Now<'_>,
) -> bool {
    let since = tick.now.saturating_sub(HOUR_MS);
    let lately = || bonds.iter().filter(|bond| bond.created >= since && asked.is_asked_as(bond));
    let (all, own) = (lately().count(), lately().filter(is_its).count());
    let is_crowded = own > 0 && all >= MAX_AGAIN;
    let is_stranger = asked.asker == Asker::Anyone;

    all >= MAX_OF_WALLET || is_stranger && (own >= MAX_NEAR || is_crowded)
}

/// A row that counts as a bond of whoever asks; until it names a wallet it is one of none, and over.
fn begin_bond(client: &str, asker: Asker, tick: Now<'_>) -> BondRow {
    BondRow {
        id: hex::encode(tick.id),
        client: client.to_string(),
        asker,
        session: None,
        seller: String::new(),
        agent: String::new(),
        units: String::new(),
        block: 0,
        created: tick.now,
        until: tick.now,
        transaction: String::new(),
        proven: 0,
    }
}

/// Bonds of the sellers of a profile.
pub(super) struct Bonds<'g> {
    /// The wallet that they are transferred to.
    pub wallet: &'g Address,
    pub sessions: Sessions<'g>,
}

/// The seller that a session is asked for.
pub(super) struct AskedSeller<'a> {
    /// As it is known.
    pub known: &'a SellerRow,
    /// As it would be, with the offer of the request.
    pub seller: SellerRow,
    /// The agent in whose name.
    pub agent: &'a str,
}

/// The transfer that is shown for a bond.
pub(super) struct BondProof {
    /// The bond.
    pub id: String,
    /// The transaction.
    pub hash: String,
}

impl Bonds<'_> {
    /// Asks a seller for a bond.
    pub fn challenge<R: Rows>(
        &self,
        records: &R,
        client: &str,
        request: &SellerRequest,
        evidence: Option<&str>,
        tick: Now<'_>,
    ) -> Applied<R> {
        let read =
            Fields::of_profile(&request.body, self.sessions.profile.kind).and_then(|fields| {
                let agent = fields.text("passport_agent_id")?;
                let signed = read_bond(&fields, &agent, self.sessions.profile, tick)?;
                Ok((fields.seller_id()?, agent, signed))
            });
        let (id, agent, signed) = or_reply!(read);
        let seller = or_reply!(records.seller(&id)?.ok_or_else(no_seller));
        // What the wallet's key did not sign, a contract may have.
        let contract = signed.as_ref().filter(|signed| !signed.is_by_key());
        let calls = [Call::ChainId, Call::BlockNumber];
        let calls: Vec<Call> = calls.into_iter().chain(contract.map(Personal::call)).collect();
        let replies = evidence.map(|reply| Replies::read(reply.as_bytes(), calls.len()));
        if let Some(contract) = contract {
            let Some(replies) = &replies else {
                // The node runs code that its asker chose: each question counts as a bond of no wallet.
                if has_asked_enough(records, client, tick)? {
                    return Ok(Decision::reply(too_many()));
                }
                let asked = begin_bond(client, Asker::Anyone, tick);
                let changes = Vec::from([Change::Bond(Box::new(asked))]);
                return Ok(Decision { answer: Answer::Evidence(batch(&calls)), changes });
            };
            let is_its = replies.as_ref().is_ok_and(|replies| {
                replies.quantity(0) == Ok(self.sessions.profile.chain_id)
                    && contract.is_taken(replies, 2)
            });
            if !is_its {
                return Ok(Decision::reply(no_signature("seller_signature is not the wallet's.")));
            }
        }
        let has_session = self.sessions.check(&seller, &request.authorization, tick).is_ok();
        let asker = if signed.is_some() || has_session { Asker::Seller } else { Asker::Anyone };
        let session = (signed.is_none() && has_session).then_some(seller.epoch);
        let is_known = self.sessions.is_renewable(&seller) && seller.agent == agent;
        if asker == Asker::Anyone && (is_known || seller.binds_itself()) {
            return Ok(Decision::reply(self.show_proven(&id, &agent)));
        }
        let asked = BondRow { seller: id, agent, session, ..begin_bond(client, asker, tick) };
        let mut decision = self.ask(records, asked, &calls, replies, tick)?;
        if signed.is_some() && !seller.signs {
            let row = SellerRow { signs: true, ..seller };
            decision.changes.push(Change::Seller(Box::new(row)));
        }
        Ok(decision)
    }

    /// Asks for this bond, or once more for the one that its seller was asked for.
    fn ask<R: Rows>(
        &self,
        records: &R,
        asked: BondRow,
        calls: &[Call],
        replies: Option<Result<Replies, RpcError>>,
        tick: Now<'_>,
    ) -> Applied<R> {
        let BondRow { client, asker, .. } = &asked;
        let bonds = records.bonds_of(&asked.seller, tick.now.saturating_sub(APART_MS))?;
        // Each client has its own: what it is told proves the seller, together with the transfer.
        let is_stranger = *asker == Asker::Anyone;
        let is_its =
            |bond: &&BondRow| asked.is_asked_as(bond) && (!is_stranger || bond.client == *client);
        let is_open = |bond: &&BondRow| bond.transaction.is_empty() && tick.now < bond.until;
        // Whoever merely shares a network would show the transfer first: what nobody proved is told once.
        let mut known = bonds.iter().rev().filter(is_its).filter(is_open);
        let offer = (&asked.agent, asked.session);
        if let Some(bond) = known.find(|it| (&it.agent, it.session) == offer && !is_stranger) {
            return Ok(Decision::reply(self.show(bond)));
        }
        if is_over_limit(&bonds, &asked, is_its, tick)
            || is_stranger && has_asked_enough(records, client, tick)?
        {
            return Ok(Decision::reply(too_many()));
        }
        let Some(replies) = replies else {
            return Ok(Decision::told(Answer::Evidence(batch(calls))));
        };
        Ok(self.make(asked, &bonds, replies, tick))
    }

    /// Makes a bond beside these others of its wallet.
    fn make(
        &self,
        asked: BondRow,
        others: &[BondRow],
        replies: Result<Replies, RpcError>,
        tick: Now<'_>,
    ) -> Decision {
        let block = replies
            .ok()
            .filter(|replies| replies.quantity(0) == Ok(self.sessions.profile.chain_id));
        let Some(block) = block.and_then(|replies| replies.quantity(1).ok()) else {
            let why = "The chain could not be read; try again.";
            return Decision::reply(refusal(500, "SELLER_BOND_CHALLENGE_CREATE_FAILED", why));
        };
        let Some(units) = self.choose_units(others, tick) else {
            let why = "The bond cannot be expressed in the token.";
            return Decision::reply(refusal(500, "SELLER_BOND_CONFIG_INVALID", why));
        };
        let until = tick.now.saturating_add(BOND_MS);
        let bond = BondRow { units: units.to_string(), block, until, ..asked };
        let reaction = Answer::Reply(self.show(&bond));
        Decision { answer: reaction, changes: Vec::from([Change::Bond(Box::new(bond))]) }
    }

    /// The base and some dust, by which the bonds of a wallet are told apart.
    fn choose_units(&self, others: &[BondRow], tick: Now<'_>) -> Option<Amount> {
        let (head, _) = tick.seed.split_first_chunk::<8>()?;
        let first = u64::from_be_bytes(*head) % AMOUNTS;
        let base = Amount::from_decimal(BASE, self.sessions.profile.token.decimals).ok()?;
        let least = match self.sessions.profile.kind {
            Profile::DemoTestnet => 2,
            Profile::LiveTestnet | Profile::LiveMainnet => 1,
        };
        let taken: Vec<&str> = others.iter().map(|bond| bond.units.as_str()).collect();
        (0..AMOUNTS).find_map(|turn| {
            let place = first.saturating_add(turn) % AMOUNTS;
            let dust = place.saturating_mul(2).saturating_add(least);
            let units = base.checked_add(Amount::from_u64(dust))?;
            let is_free = !taken.contains(&units.to_string().as_str());
            is_free.then_some(units)
        })
    }

    fn show(&self, bond: &BondRow) -> JsonAnswer {
        let units = Amount::from_atomic(&bond.units).unwrap_or(Amount::ZERO);
        let amount = units.to_decimal(self.sessions.profile.token.decimals);
        let (to, asset) =
            (self.wallet.to_checksum(), self.sessions.profile.token.address.to_checksum());
        let command = format!("kpass wallet send --to {to} --asset {asset} --amount {amount}");
        let members = [
            ("status", quoted("ok")),
            ("challenge_id", quoted(&bond.id)),
            ("seller_id", quoted(&bond.seller)),
            ("network_profile", quoted(self.sessions.profile.name())),
            ("network", quoted(self.sessions.profile.network.as_str())),
            ("chain_id", format!("{}", self.sessions.profile.chain_id)),
            ("to", quoted(&to)),
            ("asset", quoted(&asset)),
            ("amount", quoted(&amount)),
            ("amount_atomic", quoted(&bond.units)),
            ("expires_at", quoted(&time(bond.until))),
            ("kpass_command", quoted(&command)),
        ];
        JsonAnswer::new(200, object(&members))
    }

    /// The answer to who says nothing of a seller that is bound. A stranger learns no agent by it.
    fn show_proven(&self, seller: &str, agent: &str) -> JsonAnswer {
        let why = "The seller is bound already; open a session by seller_renewal_token or by its \
                   identity, or let its wallet sign this request.";
        let members = [
            ("status", quoted("already_verified")),
            ("seller_id", quoted(seller)),
            ("passport_agent_id", quoted(agent)),
            ("network_profile", quoted(self.sessions.profile.name())),
            ("message", quoted(why)),
        ];
        JsonAnswer::new(200, object(&members))
    }
}
