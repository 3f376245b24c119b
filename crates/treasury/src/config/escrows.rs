//! `ESCROWS`: the escrow contracts whose gateway is a wallet of this treasury.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::organizations::Organization;
use super::reader::{list, members, text};
use super::wallets::{Key, Wallet};
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_common::config::Reader;
use farebox_evm::address::Address;
use farebox_evm::token::{Token, by_symbol};

/// An escrow contract, and what its transactions may cost.
#[derive(Debug)]
pub struct EscrowContract {
    /// The organization whose books its payments are in: one alone, so that one object gives out
    /// the nonces.
    pub organization: String,
    /// The wallet that is its gateway.
    pub wallet: String,
    /// Its chain.
    pub network: ChainId,
    /// Where it stands.
    pub contract: Address,
    /// Its payment token.
    pub token: &'static Token,
    /// Most wei for a unit of gas.
    pub max_fee: Amount,
    /// The first offer to the block's producer, wei for a unit of gas.
    pub tip: Amount,
    /// Gas limit of a transaction.
    pub gas: u64,
    /// Seconds after which a transaction that is in no block is offered at a higher price.
    pub bump_secs: u64,
}

const EXAMPLE: &str = r#"[{"organization": "exchange", "wallet": "gateway", "network": "base", "contract": "0x…", "asset": "USDC"}]"#;
const KNOWN: [&str; 9] = [
    "organization",
    "wallet",
    "network",
    "contract",
    "asset",
    "maxFeeGwei",
    "tipGwei",
    "gas",
    "bumpSecs",
];
/// Decimals of a gwei.
const GWEI: u8 = 9;

pub(super) fn read(
    reader: &mut Reader,
    wallets: &[Wallet],
    organizations: &[Organization],
) -> Vec<EscrowContract> {
    let mut escrows: Vec<EscrowContract> = Vec::new();
    if reader.is_absent("ESCROWS") {
        return escrows;
    }
    for (index, value) in list(reader, "ESCROWS", EXAMPLE).iter().enumerate() {
        let place = format!("ESCROWS[{index}]");
        let Some(found) = members(reader, &place, value, &KNOWN) else { continue };
        let Some(escrow) = escrow(reader, &place, found, wallets) else { continue };
        if !organizations.iter().any(|it| it.name == escrow.organization) {
            reader.fail_at(&place, "organization", "is not one of ORGANIZATIONS");
        }
        // Two names may be of one account, which has one row of nonces.
        let account = |name: &str| wallets.iter().find(|it| it.name == name)?.address();
        let is_shared = |other: &EscrowContract| {
            let is_same = other.wallet == escrow.wallet
                || account(&other.wallet).is_some_and(|it| account(&escrow.wallet) == Some(it));
            is_same && other.network == escrow.network
        };
        if escrows.iter().any(is_shared) {
            let remedy =
                "is the gateway of another escrow of this network; give each a wallet of its own";
            reader.fail_at(&place, "wallet", remedy);
        }
        escrows.push(escrow);
    }
    escrows
}

fn escrow(
    reader: &mut Reader,
    place: &str,
    found: &Map<String, Value>,
    wallets: &[Wallet],
) -> Option<EscrowContract> {
    let mut named = |name: &str| text(reader, place, found, name);
    let (organization, wallet) = (named("organization"), named("wallet"));
    let (network, contract, asset) = (named("network"), named("contract"), named("asset"));
    let max_fee = gwei(reader, place, found, "maxFeeGwei", "50");
    let tip = gwei(reader, place, found, "tipGwei", "0.1");
    let gas = number(reader, place, found, GAS);
    let bump_secs = number(reader, place, found, BUMP_SECS);
    let network = ChainId::parse_or_name(&network?).ok().filter(|it| it.evm_id().is_some());
    if network.is_none() {
        reader.fail_at(place, "network", "must be an EVM network such as base");
    }
    let (network, wallet, asset) = (network?, wallet?, asset?);
    let key = wallets.iter().find(|it| it.name == wallet && it.networks.contains(&network));
    match key.map(|it| &it.key) {
        Some(Key::Held(_) | Key::Missing(_)) => {}
        Some(Key::Bound(..)) => {
            let remedy = "is one of a signer, which signs no transactions; name one with a secret";
            reader.fail_at(place, "wallet", remedy);
        }
        None => reader.fail_at(
            place,
            "wallet",
            "is not the name of a wallet in WALLETS that has this network",
        ),
    }
    let contract = contract?;
    let contract = Address::parse_checksummed(&contract).ok().filter(|it| !it.is_low());
    if contract.is_none() {
        let remedy = "must be an address; with capital letters they are its checksum";
        reader.fail_at(place, "contract", remedy);
    }
    let token = by_symbol(&network, &asset);
    if token.is_none() {
        reader.fail_at(place, "asset", "is not a known asset of this network");
    }
    let (max_fee, tip) = (max_fee?, tip?);
    if tip > max_fee || max_fee.is_zero() {
        reader.fail_at(place, "tipGwei", "must not be above maxFeeGwei, which is above 0");
    }
    Some(EscrowContract {
        organization: organization?,
        wallet,
        network,
        contract: contract?,
        token: token?,
        max_fee,
        tip,
        gas: gas?,
        bump_secs: bump_secs?,
    })
}

/// A price of gas as decimal text.
fn gwei(
    reader: &mut Reader,
    place: &str,
    found: &Map<String, Value>,
    name: &str,
    default: &str,
) -> Option<Amount> {
    let written = found.get(name).map_or(Some(default), Value::as_str);
    let price = written.and_then(|text| Amount::from_decimal(text, GWEI).ok());
    if price.is_none() {
        let remedy = "must be decimal text with at most 9 fraction digits, such as \"0.5\"";
        reader.fail_at(place, name, remedy);
    }
    price
}

/// A member that is a number.
struct NumberMember {
    name: &'static str,
    default: u64,
    least: u64,
    most: u64,
}

const GAS: NumberMember =
    NumberMember { name: "gas", default: 300_000, least: 60_000, most: 10_000_000 };
const BUMP_SECS: NumberMember =
    NumberMember { name: "bumpSecs", default: 30, least: 1, most: 3_600 };

fn number(
    reader: &mut Reader,
    place: &str,
    found: &Map<String, Value>,
    member: NumberMember,
) -> Option<u64> {
    let NumberMember { name, default, least, most } = member;
    let written = found.get(name).map_or(Some(default), Value::as_u64);
    let number = written.filter(|number| (least..=most).contains(number));
    if number.is_none() {
        let remedy = format!("must be a number from {least} to {most}");
        reader.fail_at(place, name, &remedy);
    }
    number
}
