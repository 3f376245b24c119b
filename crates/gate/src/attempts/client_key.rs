//! The name of a client: keyed hashes, so that no address is kept.

use alloc::format;
use alloc::string::String;

use super::handle::NewHandle;
use crate::call::object;
use crate::diagnose::Failures;
use crate::keys::Keys;
use farebox_base::encoding::hex;
use farebox_base::hash::mac;
use farebox_ledger::attempts::{ALIKE, ALONE, FailureStreak, KNOWN};

/// Whoever sends a request, as far as it says so itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountedBy<'a> {
    /// The holder of the API key with this name.
    Holder(&'a str),
    /// The client that was given this handle.
    Handle(&'a str),
    /// A client that proves nothing: the prefix of its network and its `User-Agent`.
    Stranger(&'a str, &'a str),
}

/// The clients that one key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sharing {
    /// All clients of a network.
    Network,
    /// Those of a network whose `User-Agent` falls into this one of 64 groups: a network takes no
    /// more places, whatever names it thinks up.
    Alike(u8),
    /// The client that shows a handle.
    Alone,
    /// The holder of an API key.
    Known,
}

/// Key under which the isolate counts a client: keyed hashes of whoever it is and of the route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientKey {
    pub(super) owner: [u8; 16],
    sharing: Sharing,
    route: u64,
}

impl ClientKey {
    /// The key for a caller at a route.
    #[must_use]
    pub fn of(keys: &Keys, caller: CountedBy<'_>, route: u64) -> Self {
        let (owner, sharing) = match caller {
            CountedBy::Holder(name) => (keys.network(&format!("key {name}")), Sharing::Known),
            CountedBy::Handle(handle) => {
                (keys.network(&format!("handle {handle}")), Sharing::Alone)
            }
            CountedBy::Stranger(network, agent) => {
                let owner = keys.network(network);
                (owner, Sharing::Alike(keys.agent_group(&owner, agent)))
            }
        };
        Self { owner, sharing, route }
    }

    /// The key for all clients of a network at a route.
    #[must_use]
    pub fn of_network(keys: &Keys, network: &str, route: u64) -> Self {
        Self { owner: keys.network(network), sharing: Sharing::Network, route }
    }

    /// Whether it stands for one client only.
    #[must_use]
    pub const fn is_alone(&self) -> bool {
        matches!(self.sharing, Sharing::Alone | Sharing::Known)
    }

    /// The client's failures in a row, as they may be held against a request.
    #[must_use]
    pub const fn failures<'a>(
        &self,
        counts: &'a FailureStreak,
        handle: NewHandle<'a>,
    ) -> Failures<'a> {
        match self.is_alone() {
            true => Failures::Own(counts),
            false => Failures::Alike(counts, handle),
        }
    }

    /// The object that counts its client.
    #[must_use]
    pub fn object(&self, keys: &Keys, shards: u64) -> String {
        object(shards, keys.network_shard(&self.owner, shards))
    }

    /// Name of the client, under the salt of a day.
    #[must_use]
    pub fn name(&self, salt: &[u8; 32], route: &str) -> String {
        let (prefix, group) = match self.sharing {
            Sharing::Network => (ALIKE, None),
            Sharing::Alike(group) => (ALIKE, Some([0, group])),
            Sharing::Alone => (ALONE, None),
            Sharing::Known => (KNOWN, None),
        };
        let group = group.as_ref().map_or(&[][..], |group| group.as_slice());
        let digest = mac(salt, &[&self.owner, route.as_bytes(), group]);
        let head = digest.first_chunk::<16>().map(|head| hex::encode(head)).unwrap_or_default();
        format!("{prefix}{head}")
    }
}
