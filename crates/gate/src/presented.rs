//! The payment that a request presents, decoded once: checks against other terms and look-ups of
//! the payer read the same.

use alloc::boxed::Box;
use alloc::string::String;

use serde_json::Value;

use super::mpp;
use super::request::IncomingRequest;
use farebox_base::http::Headers;
use farebox_common::problem::Code;
use farebox_evm::address::Address;
use farebox_wire::mpp::Credential;
use farebox_wire::mpp::credential::CredentialSearch;
use farebox_wire::x402::Version;
use farebox_wire::x402::exact;
use farebox_wire::x402::extension::diagnostic;
use farebox_wire::x402::header::{self, Message};

/// Whether a request shows something that may be a payment, so that its work must outlive the
/// client.
#[must_use]
pub fn shows_proof(headers: &Headers) -> bool {
    [Version::V1, Version::V2].iter().any(|v| headers.joined(v.proof_header()).is_some())
        || mpp::brings(headers)
}

/// A proof as presented.
#[derive(Clone, Debug)]
pub(super) enum Presented {
    /// None.
    Nothing,
    /// Several that differ.
    Several,
    /// An x402 payment in this version, or why it cannot be read.
    X402(Version, Result<Message, Code>),
    /// An MPP credential, or why it cannot be read.
    Mpp(Result<Box<Credential>, Code>),
}

/// A request, and the proof that it presents.
#[derive(Clone, Debug)]
pub(super) struct PresentedRequest {
    pub(super) request: IncomingRequest,
    pub(super) presented: Presented,
}

impl PresentedRequest {
    /// Reads the proof of a request.
    pub(super) fn new(request: IncomingRequest) -> Self {
        let presented = Presented::of(&request.head.headers);
        Self { request, presented }
    }

    /// A request whose proof, if it has one, does not count.
    pub(super) const fn without_proof(request: IncomingRequest) -> Self {
        Self { request, presented: Presented::Nothing }
    }
}

impl Presented {
    /// Reads the proof from the headers of a request.
    pub(super) fn of(headers: &Headers) -> Self {
        let value = |version: Version| headers.joined(version.proof_header());
        match (value(Version::V1), value(Version::V2), mpp::checked(headers)) {
            (None, None, CredentialSearch::None) => Self::Nothing,
            (None, None, CredentialSearch::One(token)) => Self::Mpp(mpp::read(token).map(Box::new)),
            (Some(value), None, CredentialSearch::None) => {
                Self::X402(Version::V1, header::decode(&value))
            }
            (None, Some(value), CredentialSearch::None) => {
                Self::X402(Version::V2, header::decode(&value))
            }
            _ => Self::Several,
        }
    }

    /// The handle in the diagnostic that it echoes.
    pub(super) fn handle(&self) -> Option<&str> {
        let Self::X402(_, Ok(message)) = self else { return None };
        diagnostic::handle(message.object.get("extensions")?)
    }

    /// The payer that it names; this proves nothing.
    pub(super) fn claims(&self) -> Option<String> {
        let payload = match self {
            Self::X402(_, Ok(message)) => header::object(&message.object, "payload").ok()?,
            Self::Mpp(Ok(credential)) => &credential.payload,
            Self::X402(_, Err(_)) | Self::Mpp(Err(_)) | Self::Nothing | Self::Several => {
                return None;
            }
        };
        let inner = payload.get("authorization").or_else(|| payload.get(exact::PERMIT));
        let inner = inner.and_then(Value::as_object);
        let from = inner.unwrap_or(payload).get("from")?.as_str()?;
        Some(Address::parse(from).ok()?.to_lower_hex())
    }
}
