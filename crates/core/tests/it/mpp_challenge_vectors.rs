//! Challenges as `mppx` writes, reads and binds them, and hostile ones.

use crate::support::{cases, document, text};
use farebox_core::encoding::{base64, jcs};
use farebox_core::mpp::challenge::read_list;
use farebox_core::mpp::{Challenge, Credential, Malformed, digest, id};
use farebox_core::time::UnixTime;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

#[test]
fn every_challenge_is_written_and_bound_as_the_reference_does() {
    let secret = document("mpp/challenge-headers");
    let secret = text(&secret, "secretKey").as_bytes();
    for case in cases("mpp/challenge-headers", "vectors") {
        let label = text(&case, "name");
        let read = one(text(&case, "header"));
        // Its wire form has the request as text and what `mppx` keeps beside it left out.
        let mut wire = case["challenge"].clone();
        wire["request"] = case["requestB64"].clone();
        assert_eq!(read, challenge(&wire), "{label}");
        assert_eq!(
            jcs::text(&case["input"]["request"]),
            text(&case, "canonicalRequest"),
            "{label}"
        );
        assert_eq!(
            Value::Object(read.request_object().unwrap()),
            case["input"]["request"],
            "{label}"
        );
        assert_eq!(read.id, text(&case, "id"), "{label}");
        if label == "realm containing a pipe (binding ambiguity, still accepted)" {
            // mpp.md 3: a slot that holds the separator is not bound.
            assert_eq!(id::id(secret, &read), Err(Malformed::Unbindable("realm")));
            assert!(!id::holds(&[secret], &read));
            continue;
        }
        assert_eq!(id::id(secret, &read).as_deref(), Ok(text(&case, "id")), "{label}");
        assert!(id::holds(&[b"the one before", secret], &read), "{label}");
        assert!(!id::holds(&[b"the one before", b""], &read), "{label}");
        // The order of parameters and the escapes of Latin-1 are ours.
        let header = read.to_header().unwrap();
        assert!(header.is_ascii(), "{label}");
        assert_eq!(
            sorted(&header),
            sorted(&text(&case, "header").replace('é', "\\u00e9")),
            "{label}"
        );
        assert_eq!(one(&header), read, "{label}");
    }
}

/// Read by the reference and refused here when what is asked is looked at: only the canonical text is. mpp.md 2.3.
const NOT_CANONICAL: [&str; 1] = ["request non-canonical JSON (re-serialised canonically on echo)"];
/// Read by the reference and refused here: mpp.md 3 asks for base64url, as does `opaque-not-b64` of `headers_client`.
const STRICTER: [&str; 1] = ["opaque not base64"];

#[test]
fn single_challenges_are_read_as_the_reference_reads_them() {
    let (mut stricter, mut not_canonical) = (0, 0);
    for case in cases("mpp/challenge-parse", "vectors") {
        let label = text(&case, "name");
        let mut header = text(&case, "header").to_owned();
        if header.contains("…(truncated") {
            let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(12_289));
            let request = base64::encode_url(long.as_bytes());
            assert_eq!(request.len(), 16_396);
            header = header[..header.find("eyJ").unwrap()].to_owned() + &request + "\"";
        }
        let list = read_list(&header);
        assert!(list.len() <= 1, "{label}");
        let read = list.into_iter().next().and_then(Result::ok);
        if STRICTER.contains(&label) {
            stricter += 1;
            assert_eq!(read, None, "{label}");
            continue;
        }
        assert_eq!(read.is_some(), case["ok"] == true, "{label}");
        let Some(read) = read else { continue };
        let theirs = &case["challenge"];
        for (name, ours) in [
            ("id", Some(&read.id)),
            ("realm", Some(&read.realm)),
            ("method", Some(&read.method)),
            ("intent", Some(&read.intent)),
            ("expires", read.expires.as_ref()),
            ("digest", read.digest.as_ref()),
            ("description", read.description.as_ref()),
            ("opaque", read.opaque.as_ref()),
            ("header", read.header.as_ref()),
        ] {
            assert_eq!(ours.map(String::as_str), theirs[name].as_str(), "{label}: {name}");
        }
        if NOT_CANONICAL.contains(&label) {
            not_canonical += 1;
            assert_eq!(read.request_object(), Err(Malformed::NotCanonical("request")), "{label}");
        } else if label == "request 16384 chars of base64" {
            // The file leaves out what was read.
            assert_eq!(read.request_object().unwrap()["a"].as_str().map(str::len), Some(12_280));
        } else {
            assert_eq!(Value::Object(read.request_object().unwrap()), theirs["request"], "{label}");
        }
    }
    assert_eq!((stricter, not_canonical), (STRICTER.len(), NOT_CANONICAL.len()));
}

#[test]
fn joined_challenges_are_read_one_by_one_and_a_bad_one_is_skipped() {
    let secret = document("mpp/challenge-headers");
    let secret = text(&secret, "secretKey").as_bytes();
    for case in cases("mpp/challenge-lists", "vectors") {
        let label = text(&case, "name");
        let list = read_list(text(&case, "header"));
        if label == "one good one bad: whole parse fails" {
            // mpp.md 15, row 8.
            assert_eq!(list[0].as_ref().unwrap().method, "tempo");
            assert_eq!(list[1], Err(Malformed::Missing("realm")));
            assert_eq!(list.len(), 2);
            continue;
        }
        let ours: Vec<Value> = list
            .iter()
            .map(|read| {
                let read = read.as_ref().unwrap();
                let mut members = json!({
                    "id": read.id, "realm": read.realm, "method": read.method, "intent": read.intent,
                    "verifies": id::holds(&[secret], read),
                });
                if let Some(description) = &read.description {
                    members["description"] = description.as_str().into();
                }
                members
            })
            .collect();
        let theirs = case["challenges"].as_array().cloned().unwrap_or_default();
        assert_eq!(ours, theirs, "{label}");
    }
}

// A-101
#[test]
fn an_edited_challenge_is_known_as_ours_where_the_reference_knows_it() {
    let file = document("mpp/challenge-verify");
    let secret = text(&file, "secretKey").as_bytes();
    let wire = |mut challenge: Value| {
        let request = challenge["request"].clone();
        challenge["request"] = base64::encode_url(jcs::text(&request).as_bytes()).into();
        challenge
    };
    for case in cases("mpp/challenge-verify", "vectors") {
        let mut edited = file["base"].clone();
        for (name, value) in case["change"].as_object().unwrap() {
            edited[name] = value.clone();
        }
        let holds = id::holds(&[secret], &challenge(&wire(edited)));
        assert_eq!(case["verifies"], holds, "{}", text(&case, "name"));
    }
}

/// Refused by the vectors, known as ours here: the object that `mppx` reads as its canonical text, which is what the id binds.
/// It cannot say anything that the text does not.
const OPAQUE_OBJECT: &str = "tamper-opaque-object";
/// Either would be safe, and is refused: mpp.md 15, row 5, and times as the reference reads them.
const REFUSED: [&str; 4] =
    ["valid-no-expires", "expired-exactly", "expires-lowercase-z", "expires-leap-second"];

// A-101
#[test]
fn an_id_holds_for_exactly_what_it_was_made_of() {
    let file = document("security/mpp_challenge_ids");
    for case in cases("security/mpp_challenge_ids", "cases") {
        let label = text(&case, "name");
        let secrets: Vec<&[u8]> = match case["serverSecrets"].as_array() {
            Some(secrets) => secrets.iter().map(|it| it.as_str().unwrap().as_bytes()).collect(),
            None => vec![text(&file, "secret").as_bytes()],
        };
        let ours = judged(&case, &secrets);
        match text(&case, "expect") {
            "accept" => assert_eq!(ours, Ok(()), "{label}"),
            _ if label == OPAQUE_OBJECT => assert_eq!(ours, Ok(())),
            "either" => {
                assert!(REFUSED.contains(&label), "{label}");
                assert_eq!(ours, Err(text(&case, "code")), "{label}");
            }
            "reject" => assert_eq!(ours, Err(text(&case, "code")), "{label}"),
            other => panic!("{label}: {other}"),
        }
    }
}

/// What a gate makes of an echoed challenge, in the vectors' words.
fn judged(case: &Value, secrets: &[&[u8]]) -> Result<(), &'static str> {
    let now = UnixTime::from_rfc3339(text(case, "now")).unwrap();
    let token = json!({ "challenge": case["echoed"], "payload": {} }).to_string();
    let credential = Credential::read(&base64::encode_url(token.as_bytes()));
    let challenge = match credential {
        Ok(credential) => credential.challenge,
        Err(Malformed::Wrong("expires")) if !text(&case["echoed"], "expires").contains('|') => {
            return Err("challenge_expired");
        }
        Err(_) => return Err("challenge_invalid"),
    };
    if !id::holds(secrets, &challenge) {
        return Err("challenge_invalid");
    }
    if challenge.expires_at().unwrap().is_none_or(|end| now >= end) {
        return Err("challenge_expired");
    }
    let body: [u8; 32] = Sha256::digest(case["requestBody"].as_str().unwrap_or_default()).into();
    match challenge.digest {
        Some(digest) if !digest::agrees(&digest, &body) => Err("digest_mismatch"),
        _ => Ok(()),
    }
}

/// The only challenge of a header.
fn one(header: &str) -> Challenge {
    let mut list = read_list(header);
    assert_eq!(list.len(), 1, "{header}");
    list.remove(0).unwrap()
}

/// A challenge of JSON whose `request` is text, member by member.
fn challenge(members: &Value) -> Challenge {
    let optional = |name: &str| members[name].as_str().map(str::to_owned);
    let required = |name: &str| text(members, name).to_owned();
    Challenge {
        id: required("id"),
        realm: required("realm"),
        method: required("method"),
        intent: required("intent"),
        request: required("request"),
        expires: optional("expires"),
        digest: optional("digest"),
        description: optional("description"),
        opaque: optional("opaque"),
        header: optional("header"),
    }
}

/// The parameters without their order.
fn sorted(header: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = header.strip_prefix("Payment ").unwrap().split(", ").collect();
    parts.sort_unstable();
    parts
}
