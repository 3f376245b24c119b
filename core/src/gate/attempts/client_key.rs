//! The name of a client: keyed hashes, so that no address is kept.

use alloc::format;
use alloc::string::String;

use crate::encoding::hex;
use crate::gate::call::object;
use crate::gate::keys::Keys;
use crate::hash::mac;

/// Key under which the isolate counts a client: keyed hashes of its network and of the route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientKey {
    pub(super) network: [u8; 16],
    route: u64,
}

impl ClientKey {
    /// The key for a network at a route.
    #[must_use]
    pub fn of(keys: &Keys, network: &str, route: u64) -> Self {
        Self { network: keys.network(network), route }
    }

    /// The object that counts its client.
    #[must_use]
    pub fn object(&self, keys: &Keys, shards: u64) -> String {
        object(shards, keys.network_shard(&self.network, shards))
    }

    /// Name of an unproven client, under the salt of a day.
    #[must_use]
    pub fn name(&self, salt: &[u8; 32], route: &str) -> String {
        let digest = mac(salt, &[&self.network, route.as_bytes()]);
        let head = digest.first_chunk::<16>().map(|head| hex::encode(head)).unwrap_or_default();
        format!("net_{head}")
    }
}
