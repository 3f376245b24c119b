//! The secrets of a gate, from which its keys are derived.

use alloc::string::String;

use crate::keys::{self, Keys};
use farebox_base::secret::Secret;
use farebox_common::config::Reader;
use farebox_evm::account::Account;

/// The secrets of a gate; one that is missing is an error of the reader.
pub(super) struct GateSecrets {
    gate: Option<Secret<String>>,
    /// The one before the last rotation.
    previous: Option<Secret<String>>,
    salt: Option<Secret<String>>,
    origin: Option<Secret<String>>,
}

impl GateSecrets {
    /// Reads the secrets.
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            gate: reader.secret("GATE_SECRET", 32),
            previous: match reader.vars.contains_key("GATE_SECRET_PREVIOUS") {
                true => reader.secret("GATE_SECRET_PREVIOUS", 32),
                false => None,
            },
            salt: reader.secret("LEDGER_SALT", 16),
            origin: reader.text("ORIGIN_SECRET").map(Secret::new),
        }
    }

    /// The account that signs claims and refunds, after a restore at this time, Unix seconds.
    pub(super) fn authorizer(&self, restored: u64) -> Option<Account> {
        keys::authorizer(self.salt.as_ref()?.expose().as_bytes(), restored)
    }

    /// The keys; `None` if a secret is missing.
    pub(super) fn keys(&self) -> Option<Keys> {
        let keys = Keys::new(
            self.gate.as_ref()?.expose().as_bytes(),
            self.salt.as_ref()?.expose().as_bytes(),
            self.origin.as_ref().map(|secret| secret.expose().as_bytes()),
        );
        Some(match &self.previous {
            Some(previous) => keys.rotated_from(previous.expose().as_bytes()),
            None => keys,
        })
    }
}
