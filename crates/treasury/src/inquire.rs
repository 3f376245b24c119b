//! Questions that change nothing: who a token is, what a decision was, what became of a payment.

use alloc::string::ToString;
use alloc::vec::Vec;

use serde_json::json;

use super::access::{read_caller, read_holder};
use super::books::Rows;
use super::config::Owners;
use super::kernel::{Decision, Now};
use super::message::{Caller, Reply};
use super::operate::lists::decision as listed;
use super::receipt::Receipts;
use super::row::{Money, PAYOUTS, TokenKind, write_key};
use super::{keep, refused};

/// Open decisions at most that an agent is told of.
const MAX_OPEN: u32 = 100;
/// The header with where the money of a decision stands, for who looks it up.
const MONEY: &str = "farebox-money";
/// The header with the transaction in which the chain shows, with enough confirmations, that it moved.
const TRANSACTION: &str = "farebox-transaction";
/// The header with the receipt that it has by now.
const RECEIPT: &str = "farebox-receipt";

/// Names the agent to whom a runtime token belongs. Other Workers ask, so that the version of a
/// client does not count.
pub(super) fn identify<B: Rows>(
    books: &B,
    owners: &Owners,
    caller: &Caller,
    scene: Now<'_>,
) -> Result<Decision, B::Error> {
    let told = |reply| Ok(Decision::reply(reply));
    let token = match read_holder(books, caller, TokenKind::Runtime, scene)? {
        Ok(token) => token,
        Err(reply) => return told(reply),
    };
    let Some(organization) = owners.organization(scene.organization) else {
        return told(refused::unauthorized());
    };
    let body = json!({
        "organization": organization.name,
        "agent": token.agent,
        "environment": organization.environment.name(),
    });
    told(Reply::json(200, body.to_string()))
}

/// The decisions of an agent whose payments delivered nothing so far, the newest first.
pub(super) fn list_open<B: Rows>(
    books: &B,
    caller: &Caller,
    scene: Now<'_>,
) -> Result<Decision, B::Error> {
    let token = match read_caller(books, caller, TokenKind::Runtime, scene)? {
        Ok(token) => token,
        Err(reply) => return Ok(Decision::reply(reply)),
    };
    let mut items = Vec::new();
    for row in books.open_of(&token.agent, MAX_OPEN)? {
        let attempt = books.attempt(&row.attempt)?;
        let mut item = listed(&row);
        if let (Some(attempt), Some(members)) = (attempt, item.as_object_mut()) {
            let receipt = attempt.receipt.map(|_| attempt.receipt_id);
            members.insert("money".to_string(), money(attempt.money).into());
            members.insert("receiptId".to_string(), receipt.into());
        }
        items.push(item);
    }
    Ok(Decision::reply(Reply::json(200, json!({"items": items}).to_string())))
}

/// The decision of an agent under its key, as the agent would see it, and how its payment stands.
pub(super) fn show_decision<B: Rows>(
    books: &B,
    receipts: &Receipts,
    agent: &str,
    key: &str,
) -> Result<Decision, B::Error> {
    let told = |reply| Ok(Decision::reply(reply));
    let key = write_key(key, None);
    let Some(row) = books.decision_by_key(agent, &key)?.filter(|row| !row.is_payout()) else {
        let is_traced = agent != PAYOUTS && books.is_traced(&keep::of_key(agent, &key))?;
        return told(match is_traced {
            true => refused::decision_removed(),
            false => refused::no_decision(),
        });
    };
    let mut reply = Reply { status: 200, ..receipts.reply(&row) };
    if let Some(attempt) = books.attempt(&row.attempt)? {
        reply = reply.with(MONEY, money(attempt.money));
        // Beside the word that it moved stands the transaction in which it did, never one that was only named.
        if let Some(transaction) = attempt.shown_transaction() {
            reply = reply.with(TRANSACTION, transaction);
        }
        if attempt.receipt.is_some() {
            reply = reply.with(RECEIPT, &attempt.receipt_id);
        }
    }
    told(reply)
}

/// The receipt of an agent's own payment.
pub(super) fn show_own_receipt<B: Rows>(
    books: &B,
    receipts: &Receipts,
    caller: &Caller,
    id: &str,
    scene: Now<'_>,
) -> Result<Decision, B::Error> {
    match read_caller(books, caller, TokenKind::Runtime, scene)? {
        Ok(token) => show_receipt(books, receipts, id, Some(&token.agent), scene),
        Err(reply) => Ok(Decision::reply(reply)),
    }
}

/// A receipt; with an agent, only its own.
pub(super) fn show_receipt<B: Rows>(
    books: &B,
    receipts: &Receipts,
    id: &str,
    agent: Option<&str>,
    scene: Now<'_>,
) -> Result<Decision, B::Error> {
    let told = |reply| Ok(Decision::reply(reply));
    let Some(attempt) = books.attempt_by_receipt(&id.to_ascii_lowercase())? else {
        return told(refused::no_receipt());
    };
    let Some(decision) = books.decision(&attempt.decision)? else {
        return told(refused::no_receipt());
    };
    let is_own = agent.is_none_or(|agent| attempt.agent == agent);
    let receipt = receipts.document(scene.organization, &decision, &attempt).filter(|_| is_own);
    told(match receipt {
        Some(receipt) => receipts.sign(Reply::json(200, json!({"receipt": receipt}).to_string())),
        None => refused::no_receipt(),
    })
}

const fn money(money: Money) -> &'static str {
    match money {
        Money::Reserved => "reserved",
        Money::Signed => "signed",
        Money::Spent => "spent",
        Money::Void => "void",
    }
}
