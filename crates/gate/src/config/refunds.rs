//! `REFUNDS`: the treasury that pays debts back, its token and its binding.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use super::shape::REFUNDS;
use crate::offer::Offer;
use crate::parts::{Chains, Refunds};
use farebox_base::chain::ChainId;
use farebox_common::config::{Reader, network};
use farebox_ledger::entry::RefundPlan;

const NAME: &str = "REFUNDS";
const TOKEN: &str = "REFUNDS_TOKEN";
/// Name of the service binding.
const BINDING: &str = "TREASURY";
/// Longest names of organization and wallet, bytes: that of the organization is in the key of a
/// begin, which an operator writes to take it back.
const MAX_NAMES: [usize; 2] = [55, 64];

/// Reads the treasury that pays debts to `pay_to` back; the chain proves each refund, so that a node
/// has to be there.
pub(super) fn read(
    reader: &mut Reader,
    networks: &[ChainId],
    pay_to: Option<&Value>,
    chains: &Chains,
) -> Option<Refunds> {
    if reader.is_absent(NAME) {
        if !reader.is_absent(TOKEN) {
            reader.fail(TOKEN, "is set without REFUNDS; set both or neither");
        }
        return None;
    }
    let purse = reader.value(NAME).and_then(|value| reader.shaped(NAME, &value, &REFUNDS));
    let names = purse.and_then(|purse: Value| names(reader, &purse));
    let token = reader.secret(TOKEN, 32);
    if token.as_ref().is_some_and(|token| !token.expose().bytes().all(|b| b.is_ascii_graphic())) {
        reader.fail(TOKEN, "must be visible ASCII without spaces; set it again");
    }
    if !reader.is_bound(BINDING) {
        let remedy = "needs the treasury as the service binding TREASURY; add it to [[services]]";
        reader.fail(NAME, remedy);
    }
    if !reader.is_absent("REFUND_TOKEN") {
        let remedy = "lets another program pay back what REFUNDS pays back; set one of them";
        reader.fail("REFUND_TOKEN", remedy);
    }
    let readable: Vec<_> =
        networks.iter().filter(|it| chains.rpc_url(it.as_str()).is_some()).collect();
    if readable.is_empty() {
        reader.fail(NAME, "needs RPC_URL, by which the chain proves refunds; set both or neither");
    }
    let mut payees = Vec::new();
    for network in readable {
        let payee = network::pay_to(reader, "PAY_TO", pay_to?, network)?;
        payees.push((network.as_str().to_owned(), payee));
    }
    let [organization, wallet] = names?;
    let plan = RefundPlan { key: RefundPlan::key_of(&organization), payees };
    Some(Refunds { organization, wallet, token: token?, plan })
}

/// The names of organization and wallet, as a treasury has them.
fn names(reader: &mut Reader, purse: &Value) -> Option<[String; 2]> {
    let known = reader.errors.len();
    let names = ["organization", "wallet"].map(|member| {
        let name = purse.get(member).and_then(Value::as_str).unwrap_or_default();
        (member, name.to_owned())
    });
    for ((member, name), max) in names.iter().zip(MAX_NAMES) {
        let is_letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if !(1..=max).contains(&name.len()) || !name.bytes().all(is_letter) {
            let remedy = format!(
                "{member} must have 1 to {max} of a to z, 0 to 9 and -, as at the treasury"
            );
            reader.fail(NAME, remedy);
        }
    }
    (reader.errors.len() == known).then(|| names.map(|(_, name)| name))
}

/// Refuses the treasury at the gate of an exchange, which pays the debts of its till back by itself.
pub(super) fn check_till(reader: &mut Reader, refunds: Option<&Refunds>, offers: &[Option<Offer>]) {
    let is_till =
        |offer: &Offer| offer.pricer.is_some() && offer.settings.route.starts_with("/till/");
    if refunds.is_some() && offers.iter().flatten().any(is_till) {
        let remedy = "would pay back what the exchange of this gate's till pays back too; remove it, \
                      and give the exchange REFUND_TOKEN";
        reader.fail(NAME, remedy);
    }
}
