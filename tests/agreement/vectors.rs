//! The vectors of `tests/vectors/mpp`: both readers take and refuse the same, but for the cases that are named here.

use std::fs;

use farebox_core::mpp::accept;
use farebox_core::mpp::challenge::read_list;
use farebox_core::mpp::credential::{CredentialSearch, find};
use farebox_core::mpp::receipt::ReceivedReceipt;
use farebox_core::mpp::{Challenge, Credential};
use mpp::accept_payment::{self, HasMethodIntent};
use serde_json::Value;

use crate::ours;

fn cases(file: &str, member: &str) -> Vec<Value> {
    let path = format!("{}/../vectors/mpp/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let document: Value = serde_json::from_slice(&fs::read(&path).expect(&path)).expect(&path);
    document[member].as_array().filter(|cases| !cases.is_empty()).expect(member).clone()
}

fn text<'a>(case: &'a Value, member: &str) -> &'a str {
    case[member].as_str().unwrap_or_else(|| panic!("{member} of {case}"))
}

/// Names of the cases in which the readers of `file` disagree.
fn disagreements(file: &str, member: &str, agree: impl Fn(&Value) -> bool) -> Vec<String> {
    let cases = cases(file, member).into_iter().filter(|case| !agree(case));
    cases.map(|case| text(&case, "name").to_owned()).collect()
}

fn both(header: &str) -> (Vec<Option<Challenge>>, Vec<Option<Challenge>>) {
    let theirs = mpp::parse_www_authenticate_all([header]);
    let theirs = theirs.into_iter().map(|read| read.ok().map(|read| ours(&read))).collect();
    (read_list(header).into_iter().map(Result::ok).collect(), theirs)
}

#[test]
fn challenges_of_the_vectors_are_read_alike() {
    let alike = |case: &Value| {
        let (ours, theirs) = both(text(case, "header"));
        ours.iter().flatten().eq(theirs.iter().flatten())
    };
    assert_eq!(disagreements("challenge-headers", "vectors", alike), [""; 0]);
    assert_eq!(disagreements("challenge-lists", "vectors", alike), [""; 0]);
    // mpp.md 15, row 5: for them no time is a time that has passed; for us and `mppx` it is absent.
    assert_eq!(disagreements("challenge-parse", "vectors", alike), ["expires empty"]);
}

#[test]
fn credentials_of_the_vectors_are_read_alike() {
    let alike = |case: &Value, member: &str| {
        let header = text(case, member);
        let theirs = mpp::parse_authorization(header).ok();
        let ours = match find([header].into_iter()) {
            CredentialSearch::One(token) => Credential::read(token).ok(),
            CredentialSearch::None | CredentialSearch::Several => None,
        };
        match (ours, theirs) {
            (Some(ours), Some(theirs)) => {
                ours.challenge.id == theirs.challenge.id
                    && ours.challenge.request == theirs.challenge.request.raw()
                    && ours.challenge.expires == theirs.challenge.expires
                    && ours.challenge.opaque.as_deref()
                        == theirs.challenge.opaque.as_ref().map(|opaque| opaque.raw())
                    && Value::Object(ours.payload) == theirs.payload
                    && ours.source == theirs.source
            }
            (None, None) => true,
            _ => false,
        }
    };
    assert_eq!(disagreements("credentials", "vectors", |case| alike(case, "header")), [""; 0]);
    assert_eq!(
        disagreements("okx-credentials", "vectors", |case| alike(case, "authorization")),
        [""; 0]
    );
    // In both we read what `mppx` reads: the shape of a payload is judged later, and an empty payer is none.
    assert_eq!(
        disagreements("credentials-parse", "vectors", |case| alike(case, "header")),
        ["missing payload (accepted here; schema check later)", "source empty string dropped"]
    );
}

#[test]
fn receipts_of_the_vectors_are_read_alike() {
    let alike = |case: &Value| {
        let ours = ReceivedReceipt::read(text(case, "header")).ok();
        let theirs = mpp::parse_receipt(text(case, "header")).ok();
        match (&ours, &theirs) {
            (Some(ours), Some(theirs)) => {
                Value::Object(ours.members.clone()) == serde_json::to_value(theirs).unwrap()
            }
            (None, None) => true,
            _ => false,
        }
    };
    assert!(cases("receipts", "vectors").iter().all(alike));
    assert_eq!(disagreements("receipts", "parse", alike), [""; 0]);
}

struct Offer(String, String);

impl HasMethodIntent for Offer {
    fn method(&self) -> &str {
        &self.0
    }

    fn intent(&self) -> &str {
        &self.1
    }
}

#[test]
fn offers_of_the_vectors_are_ranked_alike() {
    let offers = || -> Vec<Offer> {
        let named =
            |offer: &Value| Offer(text(offer, "method").into(), text(offer, "intent").into());
        cases("accept-payment", "offers").iter().map(named).collect()
    };
    let name = |offer: &Offer| format!("{}/{}", offer.0, offer.1);
    let mut different = Vec::new();
    for case in cases("accept-payment", "vectors") {
        let header = text(&case, "header");
        let all = offers();
        let theirs: Vec<String> = match accept_payment::parse(header) {
            Ok(entries) => accept_payment::rank(&all, &entries).into_iter().map(name).collect(),
            Err(_) => Vec::new(),
        };
        let ranked = accept::rank(Some(header), offers(), |offer| (&offer.0, &offer.1));
        let ours: Vec<String> = ranked.iter().map(name).collect();
        if theirs != ours && !(theirs.is_empty() && ours.len() == all.len()) {
            different.push(header.to_owned());
        }
    }
    // We allow spaces around the slash, as `mppx` does.
    assert_eq!(different, ["tempo / charge"]);
}
