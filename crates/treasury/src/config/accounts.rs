//! The accounts from which an organization pays. Two organizations that share one would count each
//! other's payments, as the chain tells them apart by payer and nonce alone.

use alloc::string::String;
use alloc::vec::Vec;

use super::environment::Environment;
use super::wallets::Wallet;
use crate::policy::Rules;
use farebox_base::chain::ChainId;
use farebox_evm::address::Address;

/// A wallet on a network: its name, and its address if it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PayingAccount {
    wallet: String,
    address: Option<Address>,
    network: ChainId,
}

impl PayingAccount {
    /// A wallet on one of its networks.
    pub(crate) fn of(wallet: &Wallet, network: &ChainId) -> Self {
        Self { wallet: wallet.name.clone(), address: wallet.address(), network: network.clone() }
    }
}

/// Wallet and network of the first that is one of the others.
pub(crate) fn find_shared<'a>(
    own: &'a [PayingAccount],
    others: &[PayingAccount],
) -> Option<(&'a str, &'a ChainId)> {
    let is_one = |it: &PayingAccount, other: &PayingAccount| {
        let is_address = it.address.is_some() && it.address == other.address;
        it.network == other.network && (it.wallet == other.wallet || is_address)
    };
    let found = own.iter().find(|it| others.iter().any(|other| is_one(it, other)));
    found.map(|it| (it.wallet.as_str(), &it.network))
}

/// The accounts from which rules pay that allow something; those of an agent come beside its
/// organization's.
pub(crate) fn of_rules(
    rules: &Rules,
    own: Option<&Rules>,
    environment: Environment,
    wallets: &[Wallet],
) -> Vec<PayingAccount> {
    if !rules.pays_anyone() {
        return Vec::new();
    }
    let named = own.and_then(|own| own.wallet.as_ref()).or(rules.wallet.as_ref());
    let is_main = environment == Environment::Main;
    let fits = |network: &ChainId| {
        network.is_main_network() == is_main
            && rules.allows_network(network)
            && own.is_none_or(|own| own.allows_network(network))
    };
    let mut found = Vec::new();
    for wallet in wallets.iter().filter(|wallet| named.is_none_or(|name| *name == wallet.name)) {
        // Of several that have a network none pays unless it is named.
        let is_only = |network: &&ChainId| {
            let have = wallets.iter().filter(|other| other.networks.contains(*network));
            named.is_some() || have.count() == 1
        };
        for network in wallet.networks.iter().filter(|network| fits(network)).filter(is_only) {
            found.push(PayingAccount::of(wallet, network));
        }
    }
    found
}
