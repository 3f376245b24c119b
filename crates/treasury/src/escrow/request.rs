//! Requests for an escrow contract, read from their bodies.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::row::{EscrowGoal, EscrowRow, EscrowStage};
use crate::config::EscrowContract;
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_base::encoding::hex;
use farebox_evm::address::Address;

/// A request about a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EscrowRequest {
    pub wallet: String,
    pub network: ChainId,
    pub contract: Address,
    pub id: String,
    pub buyer: Address,
    pub seller: Address,
    pub amount: Amount,
    pub settlement: String,
    pub goal: EscrowGoal,
}

impl EscrowRequest {
    /// The row of a payment that begins with this.
    pub fn row(&self, escrow: &EscrowContract, now: u64) -> EscrowRow {
        EscrowRow {
            id: self.id.clone(),
            wallet: place_of(escrow),
            network: escrow.network.as_str().to_string(),
            contract: escrow.contract.to_checksum(),
            buyer: self.buyer.to_checksum(),
            seller: self.seller.to_checksum(),
            amount: self.amount.to_string(),
            settlement: self.settlement.clone(),
            goal: EscrowGoal::Funded,
            stage: EscrowStage::Open,
            tries: Vec::new(),
            sent: 0,
            resent: 0,
            gone: 0,
            seen: None,
            why: None,
            failures: 0,
            sending: false,
            fence: 0,
            until: 0,
            due: None,
            created: now,
            changed: now,
        }
    }
}

const MEMBERS: [&str; 10] = [
    "organization",
    "wallet",
    "network",
    "contract",
    "payment",
    "buyer",
    "seller",
    "amountMinor",
    "settlement",
    "goal",
];

/// Reads a body; otherwise everything that is wrong with it.
pub(super) fn read(members: &Map<String, Value>) -> Result<EscrowRequest, String> {
    let mut faults: Vec<String> = Vec::new();
    for name in members.keys().filter(|name| !MEMBERS.contains(&name.as_str())) {
        let shown: String = name.chars().filter(char::is_ascii_alphanumeric).take(24).collect();
        faults.push(format!("{shown}: is unknown"));
    }
    let text = |name: &str| members.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut checked = |name: &str, is_right: bool, what: &str| {
        if !is_right {
            faults.push(format!("{name}: must be {what}"));
        }
    };
    // Only with its checksum: a slip in it pays someone else.
    let address = |name: &str| {
        let read = Address::parse(text(name)).ok();
        read.filter(|it| it.to_checksum() == text(name) && !it.is_low())
    };
    let (contract, buyer, seller) = (address("contract"), address("buyer"), address("seller"));
    for (name, it) in [("contract", contract), ("buyer", buyer), ("seller", seller)] {
        checked(name, it.is_some(), "an address with its checksum");
    }
    let word = |name: &str| hex::decode_array::<32>(&text(name).to_ascii_lowercase()).ok();
    let (payment, settlement) = (word("payment"), word("settlement"));
    checked("payment", payment.is_some(), "0x and 64 hex digits");
    let settlement = settlement.filter(|it| *it != [0; 32]);
    checked("settlement", settlement.is_some(), "the hash of the transaction that paid it");
    let amount = Amount::from_atomic(text("amountMinor")).ok().filter(|it| !it.is_zero());
    checked("amountMinor", amount.is_some(), "a whole number of atomic units above 0");
    let network = ChainId::parse_or_name(text("network")).ok();
    checked("network", network.is_some(), "a CAIP-2 id such as eip155:8453");
    let goal = match text("goal") {
        "funded" => Some(EscrowGoal::Funded),
        "released" => Some(EscrowGoal::Released),
        "refunded" => Some(EscrowGoal::Refunded),
        _ => None,
    };
    checked("goal", goal.is_some(), "funded, released or refunded");
    let wallet = text("wallet").to_string();
    checked("wallet", (1..=64).contains(&wallet.chars().count()), "the name of a wallet");
    let all = (network, contract, payment, buyer, seller);
    match (all, amount, settlement, goal) {
        (
            (Some(network), Some(contract), Some(payment), Some(buyer), Some(seller)),
            Some(amount),
            Some(settlement),
            Some(goal),
        ) if faults.is_empty() => Ok(EscrowRequest {
            wallet,
            network,
            contract,
            id: format!("esc_{}", hex::encode(&payment)),
            buyer,
            seller,
            amount,
            settlement: hex::encode_prefixed(&settlement),
            goal,
        }),
        _ => Err(faults.join("; ")),
    }
}

/// The name of a wallet on its network.
pub(super) fn place_of(escrow: &EscrowContract) -> String {
    format!("{} {}", escrow.wallet, escrow.network)
}
