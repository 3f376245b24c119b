//! The organizations of a treasury, and the wallets that pay for them.

use alloc::vec::Vec;

use super::accounts::{PayingAccount, shared};
use super::organizations::Organization;
use super::wallets::Wallet;

/// All organizations and wallets, in the order of the configuration.
#[derive(Debug)]
pub(crate) struct Owners {
    pub organizations: Vec<Organization>,
    pub wallets: Vec<Wallet>,
}

impl Owners {
    /// The organization of this name.
    pub fn organization(&self, name: &str) -> Option<&Organization> {
        self.organizations.iter().find(|it| it.name == name)
    }

    /// The other organization whose rules pay from one of these accounts to begin with.
    pub fn owner_beside(&self, name: &str, accounts: &[PayingAccount]) -> Option<&str> {
        let mut others = self.organizations.iter().filter(|it| it.name != name);
        let owns = |it: &&Organization| shared(accounts, &it.accounts(&self.wallets)).is_some();
        others.find(owns).map(|it| it.name.as_str())
    }
}
