//! A deployment that must never take real money.

use alloc::format;

use super::Reader;
use crate::chain::ChainId;

/// Refuses main networks where `TEST_NETWORKS_ONLY` is set; a network that is not known counts as one.
pub(super) fn check(reader: &mut Reader, networks: &[ChainId]) {
    const NAME: &str = "TEST_NETWORKS_ONLY";
    let only = match reader.value(NAME) {
        Some(value) => value.as_bool(),
        None => Some(false),
    };
    match only {
        Some(false) => {}
        None => reader.fail(NAME, "must be true or false"),
        Some(true) => {
            for main in networks.iter().filter(|network| network.is_main_network()) {
                let remedy =
                    format!("{main} is a main network and {NAME} is true; name a test network");
                reader.fail("NETWORK", remedy);
            }
        }
    }
}
