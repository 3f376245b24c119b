//! `WALLETS`: the accounts that pay.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::reader::{list, members, read_named, text};
use farebox_base::chain::ChainId;
use farebox_base::encoding::hex;
use farebox_base::secret::Secret;
use farebox_common::config::Reader;
use farebox_evm::account::Account;
use farebox_evm::address::Address;

/// An account that pays.
#[derive(Debug)]
pub struct Wallet {
    /// Its name in rules and rows.
    pub name: String,
    /// Where it may pay.
    pub networks: Vec<ChainId>,
    /// Its key.
    pub key: Key,
}

/// The signer of a wallet.
#[derive(Debug)]
pub enum Key {
    /// A secret of this Worker.
    Held(Account),
    /// A bound Worker of this name, and the address whose signatures it makes.
    Bound(String, Address),
    /// The secret of this name, which is not set.
    Missing(String),
}

impl Wallet {
    /// Its address, if it is known.
    #[must_use]
    pub fn address(&self) -> Option<Address> {
        match &self.key {
            Key::Held(account) => Some(account.address()),
            Key::Bound(_, address) => Some(*address),
            Key::Missing(_) => None,
        }
    }
}

const EXAMPLE: &str = r#"[{"name": "main", "networks": ["base"], "secret": "WALLET_KEY"}]"#;
const KNOWN: [&str; 5] = ["name", "networks", "secret", "signer", "address"];

pub(super) fn read(reader: &mut Reader, only_test: bool) -> Vec<Wallet> {
    let mut wallets: Vec<Wallet> = Vec::new();
    for (index, value) in list(reader, "WALLETS", EXAMPLE).iter().enumerate() {
        let place = format!("WALLETS[{index}]");
        let Some(wallet) = wallet(reader, &place, value, only_test) else { continue };
        if wallets.iter().any(|other| other.name == wallet.name) {
            reader.fail_at(&place, "name", "is the name of another wallet; choose another");
        }
        wallets.push(wallet);
    }
    wallets
}

fn wallet(reader: &mut Reader, place: &str, value: &Value, only_test: bool) -> Option<Wallet> {
    let found = members(reader, place, value, &KNOWN)?;
    let name = text(reader, place, found, "name");
    let networks = networks(reader, place, found.get("networks"), only_test);
    let key = match (found.get("secret"), found.get("signer")) {
        (Some(_), None) => {
            let secret = text(reader, place, found, "secret")?;
            read_key(reader, place, &secret)
        }
        (None, Some(_)) => {
            let signer = text(reader, place, found, "signer")?;
            if !reader.is_bound(&signer) {
                let remedy = format!("{signer} is not bound; bind the Worker that signs");
                reader.fail_at(place, "signer", remedy);
            }
            let address = text(reader, place, found, "address")?;
            match Address::parse_checksummed(&address) {
                Ok(address) => Some(Key::Bound(signer, address)),
                Err(_) => {
                    reader.fail_at(place, "address", "must be an address with its checksum");
                    None
                }
            }
        }
        _ => {
            reader.fail(place, "must have either secret or signer: the name of one");
            None
        }
    };
    let wallet = Wallet { name: name?, networks: networks?, key: key? };
    if let (Some(written), Some(address)) = (found.get("address"), wallet.address())
        && written.as_str().and_then(|text| Address::parse(text).ok()) != Some(address)
    {
        reader.fail_at(place, "address", "is not the address of the secret; correct one");
    }
    Some(wallet)
}

/// A key in a secret; one that is not set is found out when it is needed, one that is wrong here.
fn read_key(reader: &mut Reader, place: &str, name: &str) -> Option<Key> {
    let Some(text) = read_named(reader, name) else { return Some(Key::Missing(name.to_string())) };
    let bytes = hex::decode_array::<32>(text).ok().map(Secret::new);
    let account = bytes.and_then(|bytes| Account::from_candidates(core::iter::once(bytes)));
    if account.is_none() {
        let remedy = format!("{name} must hold 0x and 64 hex digits; set it again");
        reader.fail_at(place, "secret", remedy);
    }
    account.map(Key::Held)
}

fn networks(
    reader: &mut Reader,
    place: &str,
    value: Option<&Value>,
    only_test: bool,
) -> Option<Vec<ChainId>> {
    let place = format!("{place}.networks");
    let names = value.and_then(Value::as_array).filter(|names| !names.is_empty());
    let Some(names) = names else {
        reader.fail(&place, "must list networks, such as [\"base\"]");
        return None;
    };
    let mut networks = Vec::new();
    for name in names {
        let network = name.as_str().and_then(|name| ChainId::parse_or_name(name).ok());
        match network.filter(|network| network.evm_id().is_some()) {
            Some(network) if only_test && network.is_main_network() => {
                let remedy = format!(
                    "{network} is or counts as a main network and TEST_NETWORKS_ONLY is true; use a test network"
                );
                reader.fail(&place, remedy);
            }
            Some(network) => networks.push(network),
            None => reader.fail(&place, format!("{name} is not an EVM network; use a CAIP-2 id")),
        }
    }
    Some(networks)
}
