//! Agreement with the crate `mpp`: what this project writes it reads, what it writes this project reads, and ids are the same.
//!
//! Where the two differ on purpose, the case is named. Spec: draft-httpauth-payment.
#![cfg(test)]

mod random;
mod vectors;

use farebox_core::mpp::Challenge;
use mpp::{Base64UrlJson, PaymentChallenge};

/// The same challenge in their type.
fn theirs(ours: &Challenge) -> PaymentChallenge {
    PaymentChallenge {
        id: ours.id.clone(),
        realm: ours.realm.clone(),
        method: ours.method.as_str().into(),
        intent: ours.intent.as_str().into(),
        request: Base64UrlJson::from_raw(&ours.request),
        expires: ours.expires.clone(),
        description: ours.description.clone(),
        digest: ours.digest.clone(),
        opaque: ours.opaque.as_ref().map(Base64UrlJson::from_raw),
        header: ours.header.clone(),
    }
}

/// The same challenge in our type.
fn ours(theirs: &PaymentChallenge) -> Challenge {
    Challenge {
        id: theirs.id.clone(),
        realm: theirs.realm.clone(),
        method: theirs.method.as_str().into(),
        intent: theirs.intent.as_str().into(),
        request: theirs.request.raw().into(),
        expires: theirs.expires.clone(),
        description: theirs.description.clone(),
        digest: theirs.digest.clone(),
        opaque: theirs.opaque.as_ref().map(|opaque| opaque.raw().into()),
        header: theirs.header.clone(),
    }
}

/// The id that they give a challenge.
fn their_id(secret: &str, challenge: &Challenge) -> String {
    mpp::compute_challenge_id_with_header(
        secret,
        &challenge.realm,
        &challenge.method,
        &challenge.intent,
        &challenge.request,
        challenge.expires.as_deref(),
        challenge.digest.as_deref(),
        challenge.opaque.as_deref(),
        challenge.header.as_deref(),
    )
}
