//! Contract wallets that may pay.

use alloc::format;
use alloc::vec::Vec;

use farebox_common::config::Reader;
use farebox_evm::address::Address;
use farebox_evm::wallet::Wallets;

/// Reads `CONTRACT_WALLETS` and the factories that may deploy them.
pub(super) fn read(reader: &mut Reader) -> Option<Wallets> {
    let served = match reader.text("CONTRACT_WALLETS").as_deref() {
        None | Some("refuse") => false,
        Some("facilitator") => true,
        Some(_) => {
            reader.fail("CONTRACT_WALLETS", "must be \"refuse\" or \"facilitator\"");
            return None;
        }
    };
    let listed = reader.texts("WALLET_FACTORIES");
    if listed.is_some() && !served {
        reader.fail("WALLET_FACTORIES", "needs CONTRACT_WALLETS = \"facilitator\"; set it");
    }
    let mut factories = Vec::new();
    for text in listed.iter().flatten() {
        match Address::parse_checksummed(text) {
            Ok(address) if !address.is_low() => factories.push(address),
            _ => reader.fail(
                "WALLET_FACTORIES",
                format!(
                    "{text:?} is not a contract's address with a correct EIP-55 checksum; copy it again"
                ),
            ),
        }
    }
    served.then(|| Wallets::new(factories))
}
