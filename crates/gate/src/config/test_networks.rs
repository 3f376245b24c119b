//! Test networks: their money is worth nothing, so no gate mixes them with main networks, and some
//! gates accept no others.

use alloc::format;

use farebox_base::chain::ChainId;
use farebox_common::config::Reader;

/// Refuses test networks beside main ones, where goods sold for money could be had for nothing, and
/// main networks if `TEST_NETWORKS_ONLY` is set; an unknown network counts as a main one.
pub(super) fn check(reader: &mut Reader, networks: &[ChainId]) {
    const NAME: &str = "TEST_NETWORKS_ONLY";
    let is_main = |network: &&ChainId| network.is_main_network();
    let only = match reader.value(NAME) {
        Some(value) => value.as_bool(),
        None => Some(false),
    };
    match only {
        Some(false) => {
            let test = networks.iter().find(|network| !network.is_main_network());
            if let (Some(main), Some(test)) = (networks.iter().find(is_main), test) {
                let remedy = format!(
                    "{test} is a test network and {main} is or counts as a main one, so test money would buy what \
                     you sell; list networks of one kind here, and the others in a separate environment"
                );
                reader.fail("NETWORK", remedy);
            }
        }
        None => reader.fail(NAME, "must be true or false"),
        Some(true) => {
            for main in networks.iter().filter(is_main) {
                let remedy = format!(
                    "{main} is or counts as a main network and {NAME} is true; use a test network"
                );
                reader.fail("NETWORK", remedy);
            }
        }
    }
}
