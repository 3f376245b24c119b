//! The scheme `Payment`: challenges, credentials, receipts, sessions and streams.

use arbitrary::Unstructured;
use farebox_core::encoding::{base64, jcs};
use farebox_core::mpp::challenge::read_list;
use farebox_core::mpp::charge::{Payload, Request};
use farebox_core::mpp::credential::{CredentialSearch, find};
use farebox_core::mpp::receipt::{Receipt, ReceivedReceipt};
use farebox_core::mpp::session::{SessionAction, SessionTerms};
use farebox_core::mpp::source::Source;
use farebox_core::mpp::stream::StreamEvent;
use farebox_core::mpp::{Challenge, Credential, Malformed, accept, id, rpc};
use farebox_core::time::UnixTime;
use serde_json::Value;

use super::support::{object, text, words};
use crate::driver::notes::met;

/// A value of `WWW-Authenticate`.
pub fn challenges(bytes: &[u8]) {
    let Some(value) = text(bytes) else { return };
    let mut written = Vec::new();
    for read in read_list(value) {
        match read {
            Ok(challenge) => {
                of_challenge(&challenge);
                written.push(challenge);
            }
            Err(error) => met(error),
        }
    }
    let all: Vec<String> = written.iter().map(|it| it.to_header().unwrap()).collect();
    for between in [", ", " ,\t, ", ", Basic realm=\"Payment id=x, \\\"\", "] {
        let read: Result<Vec<_>, _> = read_list(&all.join(between)).into_iter().collect();
        assert_eq!(read.as_ref(), Ok(&written), "what is read is written, and read again");
    }
}

/// What holds of every challenge.
fn of_challenge(challenge: &Challenge) {
    let header = challenge.to_header().expect("what is read can be written");
    assert!(header.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{header:?}");
    assert_eq!(read_list(&header), [Ok(challenge.clone())]);
    let member = rpc::challenge_object(challenge);
    if let Ok(Value::Object(members)) = &member {
        assert_eq!(rpc::challenge(members), Ok(challenge.clone()), "and by JSON-RPC");
    }
    met(("challenge", member.is_ok(), challenge.expires.is_some(), challenge.opaque.is_some()));
    match id::id(b"a key of the server", challenge) {
        Ok(made) => {
            let issued = Challenge { id: made.clone(), ..challenge.clone() };
            assert!(id::holds(&[b"another", b"a key of the server"], &issued));
            assert!(!id::holds(&[b"another"], &issued));
            bound(&issued);
        }
        Err(error) => assert!(matches!(error, Malformed::Unbindable(_)), "{error}"),
    }
    if let Ok(object) = challenge.request_object() {
        assert_eq!(base64::encode_url(jcs::object_text(&object).as_bytes()), challenge.request);
        match Request::read(&object) {
            Ok(request) => {
                assert!(
                    request.has_splits
                        || Request::read(&parsed(&request.to_text())).is_ok_and(|it| it == request)
                );
            }
            Err(error) => met(("charge", error)),
        }
        match SessionTerms::read(&object) {
            Ok(terms) => assert!(!terms.amount.is_zero() && terms.step() >= terms.amount),
            Err(error) => met(("session", error)),
        }
    }
}

/// An id stands for every slot that it binds: what is changed is another challenge.
fn bound(issued: &Challenge) {
    let keys: [&[u8]; 1] = [b"a key of the server"];
    let slide = |one: &str, more: &str| format!("{one}{more}");
    let others = [
        Challenge { realm: slide(&issued.realm, "x"), ..issued.clone() },
        Challenge { method: slide(&issued.method, "x"), ..issued.clone() },
        Challenge { intent: slide(&issued.intent, "x"), ..issued.clone() },
        Challenge { request: slide(&issued.request, "AAAA"), ..issued.clone() },
        Challenge { opaque: Some("AAAA".into()), ..issued.clone() },
        Challenge { opaque: None, ..issued.clone() },
        Challenge { digest: None, ..issued.clone() },
        Challenge { expires: None, ..issued.clone() },
        Challenge { expires: None, digest: issued.expires.clone(), ..issued.clone() },
        Challenge {
            opaque: issued.digest.clone(),
            digest: issued.opaque.clone(),
            ..issued.clone()
        },
        Challenge { header: Some("X-Other".into()), ..issued.clone() },
    ];
    for other in others.iter().filter(|other| *other != issued) {
        assert!(!id::holds(&keys, other), "{other:?} has the id of {issued:?}");
    }
}

fn parsed(text: &str) -> serde_json::Map<String, Value> {
    object(text.as_bytes()).expect("an object")
}

/// Rows of `Authorization`, or the JSON of a credential.
pub fn credential(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let token = if text.starts_with('{') { base64::encode_url(bytes) } else { String::new() };
    let header = format!("Payment {token}");
    let rows: Vec<&str> = if token.is_empty() { text.split('\n').collect() } else { vec![&header] };
    let token = match find(rows.iter().copied()) {
        CredentialSearch::One(token) => token,
        other => return met(other),
    };
    let twice: Vec<&str> = rows.iter().chain(&rows).copied().collect();
    assert_eq!(find(twice.into_iter()), CredentialSearch::One(token), "copies count once");
    let credential = match Credential::read(token) {
        Ok(credential) => credential,
        Err(error) => return met(error),
    };
    let written = credential.to_header();
    let CredentialSearch::One(again) = find([written.as_str()].into_iter()) else {
        panic!("{written}")
    };
    assert_eq!(Credential::read(again).as_ref(), Ok(&doubles(&credential)), "{written}");
    let crowd = ["Bearer x", &format!("Basic y, {written}")];
    assert_eq!(find(crowd.into_iter()), CredentialSearch::One(again), "among others it is found");
    if let Ok(object) = rpc::credential_object(&credential) {
        let message =
            serde_json::json!({"params": {"_meta": {"org.paymentauth/credential": object}}});
        let read = rpc::credential(message.as_object().unwrap());
        assert_eq!(read, Ok(Some(credential.clone())), "and by JSON-RPC");
    }
    of_challenge(&credential.challenge);
    of_payload(&credential);
}

/// A number in canonical JSON is a double.
fn doubles(credential: &Credential) -> Credential {
    let payload = parsed(&jcs::object_text(&credential.payload));
    Credential { payload, ..credential.clone() }
}

fn of_payload(credential: &Credential) {
    let (charge, session) =
        (Payload::read(&credential.payload), SessionAction::read(&credential.payload));
    met((charge.as_ref().err(), session.as_ref().err()));
    assert!(
        charge.is_err() || !matches!(session, Ok(SessionAction::Voucher { .. })),
        "a payload is of one intent: {credential:?}"
    );
    if let Some(source) = credential.source.as_deref().and_then(Source::parse) {
        assert_eq!(Source::parse(&source.to_text()), Some(source));
    }
}

/// The JSON of a receipt, or behind `*` what a receipt is made from.
pub fn receipt(bytes: &[u8]) {
    match bytes.split_first() {
        Some((b'*', rest)) => _ = written_receipt(&mut Unstructured::new(rest)),
        _ => match ReceivedReceipt::read(&base64::encode_url(bytes)) {
            Ok(receipt) => {
                let members = &receipt.members;
                assert_eq!(members["status"], "success");
                assert_eq!(
                    (&members["method"], &members["reference"]),
                    (&receipt.method.clone().into(), &receipt.reference.clone().into())
                );
                assert_eq!(receipt.chain_id, members.get("chainId").and_then(Value::as_u64));
                let written = Receipt {
                    method: &receipt.method,
                    reference: &receipt.reference,
                    timestamp: receipt.timestamp,
                    challenge_id: receipt.challenge_id.as_deref(),
                    chain_id: receipt.chain_id.filter(|id| *id <= 1 << 53),
                    external_id: receipt.external_id.as_deref(),
                };
                agrees(&written);
            }
            Err(error) => met(error),
        },
    }
}

fn written_receipt(from: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let (method, reference) = (words(from, 8)?, words(from, 40)?);
    let (challenge, external) = (words(from, 20)?, words(from, 20)?);
    agrees(&Receipt {
        method: &method,
        reference: &reference,
        timestamp: UnixTime::from_secs(from.int_in_range(0..=253_402_300_799)?),
        challenge_id: from.arbitrary::<bool>()?.then_some(challenge.as_str()),
        chain_id: from.arbitrary::<bool>()?.then_some(from.int_in_range(0..=1 << 53)?),
        external_id: from.arbitrary::<bool>()?.then_some(external.as_str()),
    });
    Ok(())
}

/// What is written is read.
fn agrees(written: &Receipt<'_>) {
    let header = written.to_header();
    let read = match ReceivedReceipt::read(&header) {
        Ok(read) => read,
        Err(error) => {
            assert_eq!(error, Malformed::TooLarge, "{written:?}");
            return;
        }
    };
    assert_eq!(
        (read.method.as_str(), read.reference.as_str()),
        (written.method, written.reference)
    );
    assert_eq!((read.timestamp, read.chain_id), (written.timestamp, written.chain_id));
    assert_eq!(read.challenge_id.as_deref(), written.challenge_id);
    assert_eq!(read.external_id.as_deref(), written.external_id);
    met(("receipt", read.chain_id.is_some(), read.external_id.is_some()));
}

/// One event of a stream.
pub fn stream(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let Some(event) = StreamEvent::read(text) else { return met("no event") };
    let written = event.to_text();
    assert!(written.ends_with("\n\n"));
    // A receipt that is written with more bytes than it was read from may be too long to be read.
    let is_short = written.len() <= farebox_core::encoding::json::MAX_BYTES;
    assert!(!is_short || StreamEvent::read(&written) == Some(event.clone()), "{event:?}");
    met(matches!(event, StreamEvent::Message(_)));
}

/// A value of `Accept-Payment`: what is offered is ranked, and nothing is lost or made.
pub fn accepts(bytes: &[u8]) {
    let Some(value) = text(bytes) else { return };
    let offers =
        vec![("tempo", "charge"), ("evm", "charge"), ("evm", "session"), ("stripe", "charge")];
    let ranked = accept::rank(Some(value), offers.clone(), |offer| *offer);
    assert!(ranked.iter().all(|it| offers.contains(it)), "{ranked:?}");
    let mut once = ranked.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), ranked.len(), "each offer once");
    assert!(!ranked.is_empty() || !value.is_empty());
    let pairs: Vec<(&str, &str)> = ranked.clone();
    assert_eq!(accept::rank(Some(&accept::header(&pairs)), pairs.clone(), |offer| *offer), pairs);
    met(ranked);
}
