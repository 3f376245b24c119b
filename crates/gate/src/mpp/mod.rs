//! MPP at the gate: the challenge beside the x402 terms, and the credential that answers it.
//!
//! One challenge serves every payer of method `evm`: those of `mppx` read `credentialTypes`, OKX's
//! read `feePayer`, and each ignores the other's. No state is kept of a challenge: its id binds all
//! of it, [`reference`](mod@reference) binds the request that it was issued for, and its terms are
//! compared with the route's present ones. The payer signs an EIP-3009 authorization as in x402, so
//! the ledger knows a payment by one key, whichever protocol carried it. Spec: Payment
//! authentication scheme; charge intent, method `evm`; docs/payments.md, "MPP".

pub mod credential;
pub mod issue;
pub mod reference;

use farebox_base::http::{Headers, MAX_PROOF_BYTES};
use farebox_common::problem::Code;
use farebox_wire::mpp::Credential;
use farebox_wire::mpp::credential::{CredentialSearch, find};

/// Whether a request brings a credential.
#[must_use]
pub fn brings(headers: &Headers) -> bool {
    checked(headers) != CredentialSearch::None
}

/// The credential of a request, in either of the fields that may carry it.
#[must_use]
pub fn checked(headers: &Headers) -> CredentialSearch<'_> {
    find(headers.rows("authorization").chain(headers.rows("payment-authorization")))
}

/// Reads a credential.
///
/// # Errors
/// [`Code::ProofTooLarge`], [`Code::MalformedCredential`].
pub(crate) fn read(token: &str) -> Result<Credential, Code> {
    if token.len() > MAX_PROOF_BYTES {
        return Err(Code::ProofTooLarge);
    }
    Credential::read(token).map_err(|_| Code::MalformedCredential)
}
