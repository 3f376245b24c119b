//! What stands around challenges and credentials of MPP: preferences, digests, problems, JSON-RPC, method `tempo`, and the
//! nonce that the x402 extension of the reference gives.

use crate::support::{cases, document, text};
use farebox_core::encoding::{base64, hex, jcs};
use farebox_core::evm::account::Account;
use farebox_core::evm::address::Address;
use farebox_core::evm::signature::Signature;
use farebox_core::mpp::challenge::read_list;
use farebox_core::mpp::problem::Problem;
use farebox_core::mpp::receipt::Receipt;
use farebox_core::mpp::source::Source;
use farebox_core::mpp::{Malformed, accept, digest, id, rpc, tempo};
use farebox_core::secret::Secret;
use farebox_core::time::UnixTime;
use farebox_core::x402::extension::mppx;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

#[test]
fn offers_are_ranked_as_the_reference_ranks_them() {
    let offers: Vec<(String, String)> = cases("mpp/accept-payment", "offers")
        .iter()
        .map(|offer| (text(offer, "method").to_owned(), text(offer, "intent").to_owned()))
        .collect();
    let ranked = |header: Option<&str>| -> Vec<String> {
        accept::rank(header, offers.clone(), |(method, intent)| (method, intent))
            .into_iter()
            .map(|(method, intent)| format!("{method}/{intent}"))
            .collect()
    };
    let all = ranked(None);
    assert_eq!(all.len(), 4);
    for case in cases("mpp/accept-payment", "vectors") {
        let header = text(&case, "header");
        let theirs: Vec<String> = case["ranked"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect();
        // What cannot be read, and what leaves nothing, is as if it were not there.
        let expected = if theirs.is_empty() { all.clone() } else { theirs };
        assert_eq!(ranked(Some(header)), expected, "{header}");
    }
    for (header, expected) in [
        (
            "evm/*;q=0.2, */charge;q=0.9, tempo/session;q=0.1",
            ["tempo/charge", "evm/charge", "stripe/charge", "tempo/session"].as_slice(),
        ),
        ("evm/charge;q=0, */*", &["tempo/charge", "tempo/session", "stripe/charge"]),
        ("evm/charge;q=0.001, tempo/charge;q=0.002", &["tempo/charge", "evm/charge"]),
        ("evm/charge;q=1.000", &["evm/charge"]),
    ] {
        assert_eq!(ranked(Some(header)), expected, "{header}");
    }
    for unread in
        ["evm/charge;q=1.001", "evm/charge;q=", "evm//charge", "/charge", "evm/", "evm/charge;q=00"]
    {
        assert_eq!(ranked(Some(unread)), all, "{unread}");
    }
    assert_eq!(ranked(Some(&format!("evm/charge{}", " ".repeat(5_000)))), all);
    let written = accept::header(&[("evm", "charge"), ("tempo", "charge")]);
    assert_eq!(written, "evm/charge, tempo/charge");
    assert_eq!(ranked(Some(&written)), ["tempo/charge", "evm/charge"]);
}

#[test]
fn a_digest_is_written_bare_and_read_in_both_spellings() {
    for case in cases("mpp/body-digest", "vectors") {
        let body = text(&case, "body").as_bytes();
        let hash: [u8; 32] = Sha256::digest(body).into();
        assert_eq!(digest::of(body), text(&case, "digest"));
        assert_eq!(digest::of_sha256(&hash), text(&case, "digest"));
        assert!(digest::agrees(text(&case, "digest"), &hash));
        assert!(digest::agrees(text(&case, "rfc9530"), &hash));
        let other: [u8; 32] = Sha256::digest(b"another body").into();
        assert!(!digest::agrees(text(&case, "digest"), &other));
        let bare = text(&case, "digest");
        let value = bare.strip_prefix("sha-256=").unwrap();
        for wrong in [
            value.to_owned(),
            format!("sha-512={value}"),
            format!("SHA-256={value}"),
            format!("{bare} "),
            format!("sha-256=:{value}"),
            format!("sha-256={value}:"),
            format!("sha-256=::{value}::"),
            bare.trim_end_matches('=').to_owned(),
            "sha-256=".to_owned(),
            String::new(),
        ] {
            assert!(!digest::agrees(&wrong, &hash), "{wrong}");
        }
    }
}

#[test]
fn problems_have_the_type_title_and_status_of_the_reference() {
    let all = cases("mpp/problems", "vectors");
    for case in &all {
        let uri = text(case, "type");
        let problem = Problem::ALL.into_iter().find(|problem| problem.type_uri() == uri).unwrap();
        assert_eq!(problem.title(), text(case, "title"));
        assert_eq!(case["status"], problem.status(), "{uri}");
        assert!(uri.ends_with(problem.name()), "{uri}");
    }
    assert_eq!(all.len(), Problem::ALL.len());
}

#[test]
fn payments_over_json_rpc_have_the_shapes_of_the_reference() {
    let file = document("mpp/mcp-jsonrpc");
    let secret = text(&file, "secretKey").as_bytes();
    for (name, ours) in [
        ("paymentRequired", rpc::PAYMENT_REQUIRED),
        ("verificationFailed", rpc::VERIFICATION_FAILED),
        ("invalidParams", rpc::INVALID_PARAMS),
        ("internal", rpc::INTERNAL),
    ] {
        assert_eq!(file["constants"][name], ours, "{name}");
    }
    for (name, ours) in [
        ("credentialMetaKey", rpc::CREDENTIAL),
        ("paymentRequiredMetaKey", rpc::REQUIRED),
        ("receiptMetaKey", rpc::RECEIPT),
    ] {
        assert_eq!(file["constants"][name], ours, "{name}");
    }
    for case in cases("mpp/mcp-jsonrpc", "vectors") {
        let label = text(&case, "name");
        let request = case["request"].as_object().unwrap();
        let response = &case["response"];
        let read = rpc::credential(request);
        let problem = match (label, &read) {
            ("no credential", Ok(None)) => Problem::PaymentRequired,
            ("valid", Ok(Some(credential))) => {
                assert!(id::holds(&[secret], &credential.challenge));
                assert_eq!(
                    rpc::credential_object(credential).unwrap(),
                    request["params"]["_meta"][rpc::CREDENTIAL]
                );
                let mut result = response["result"].clone();
                let receipt = result["_meta"].take();
                result.as_object_mut().unwrap().remove("_meta");
                let theirs = &receipt[rpc::RECEIPT];
                let receipt = Receipt {
                    method: text(theirs, "method"),
                    reference: text(theirs, "reference"),
                    timestamp: UnixTime::from_rfc3339(text(theirs, "timestamp")).unwrap(),
                    challenge_id: theirs["challengeId"].as_str(),
                    chain_id: None,
                    external_id: None,
                };
                rpc::put_receipt(result.as_object_mut().unwrap(), &receipt);
                let mut expected = response["result"].clone();
                // The same time, in whole seconds.
                expected["_meta"][rpc::RECEIPT]["timestamp"] = "2026-01-01T00:00:00Z".into();
                assert_eq!(result, expected);
                continue;
            }
            ("tampered request", Ok(Some(credential))) => {
                assert!(!id::holds(&[secret], &credential.challenge));
                Problem::InvalidChallenge
            }
            ("payload schema invalid", Ok(Some(credential))) => {
                assert!(id::holds(&[secret], &credential.challenge));
                assert!(credential.payload.is_empty());
                Problem::InvalidPayload
            }
            ("malformed credential (string)", Err(Malformed::Wrong("credential")))
            | ("malformed credential (no payload)", Err(Malformed::Missing("payload")))
            | ("credential with base64url request", Err(Malformed::Wrong("request"))) => {
                Problem::MalformedCredential
            }
            _ => panic!("{label}: {read:?}"),
        };
        let challenges = rpc::challenges(response.as_object().unwrap());
        let challenges: Vec<_> = challenges.into_iter().map(Result::unwrap).collect();
        assert_eq!(challenges.len(), 1, "{label}");
        assert!(id::holds(&[secret], &challenges[0]), "{label}");
        let error = &response["error"];
        let body = &error["data"]["problem"];
        assert_eq!(text(body, "type"), problem.type_uri(), "{label}");
        let ours = rpc::error(&response["id"], problem, text(error, "message"), &challenges, body);
        assert_eq!(&ours.unwrap(), response, "{label}");
    }
}

#[test]
fn a_credential_over_json_rpc_stands_in_one_of_two_places() {
    let case = &cases("mpp/mcp-jsonrpc", "vectors")[1];
    let inner = case["request"].clone();
    let credential = inner["params"]["_meta"].clone();
    let mut outer = inner.clone();
    outer["params"].as_object_mut().unwrap().remove("_meta");
    outer["_meta"] = credential.clone();
    let mut both = inner.clone();
    both["_meta"] = credential.clone();
    let mut different = both.clone();
    different["_meta"][rpc::CREDENTIAL]["payload"] = json!({"token": "u"});
    let read = |message: &Value| rpc::credential(message.as_object().unwrap());
    let expected = read(&inner).unwrap().unwrap();
    assert_eq!(read(&outer), Ok(Some(expected.clone())));
    assert_eq!(read(&both), Ok(Some(expected)));
    assert_eq!(read(&different), Err(Malformed::Duplicate));
    assert_eq!(read(&json!({"_meta": {rpc::CREDENTIAL: null}})), Ok(None));
    // A result may ask too, and a bad challenge does not spoil a good one.
    let good =
        &cases("mpp/mcp-jsonrpc", "vectors")[0]["response"]["error"]["data"]["challenges"][0];
    let asks = json!({"result": {"_meta": {rpc::REQUIRED: {"challenges": ["x", good]}}}});
    let challenges = rpc::challenges(asks.as_object().unwrap());
    assert_eq!(challenges[0], Err(Malformed::Wrong("challenges")));
    assert_eq!(challenges[1].as_ref().unwrap().id, text(good, "id"));
    assert_eq!(challenges.len(), 2);
    // What stood in `_meta` stays, and what is no object makes room.
    let mut result = json!({"_meta": {"a": 1}});
    let receipt = Receipt {
        method: "evm",
        reference: "r",
        timestamp: UnixTime::from_secs(0),
        challenge_id: None,
        chain_id: None,
        external_id: None,
    };
    rpc::put_receipt(result.as_object_mut().unwrap(), &receipt);
    assert_eq!(
        (&result["_meta"]["a"], &result["_meta"][rpc::RECEIPT]["reference"]),
        (&json!(1), &json!("r"))
    );
    let mut odd = json!({"_meta": 1});
    rpc::put_receipt(odd.as_object_mut().unwrap(), &receipt);
    assert_eq!(odd["_meta"][rpc::RECEIPT]["reference"], "r");
}

#[test]
fn an_account_proves_itself_for_one_challenge() {
    let file = document("mpp/tempo-proof");
    let challenge = read_list(text(&file, "header")).remove(0).unwrap();
    let account = Source::parse(text(&file, "sourceDid")).unwrap();
    assert_eq!(tempo::PROOF_TYPE, text(&file, "typeString"));
    let digest = tempo::proof_digest(&account, &challenge.id, &challenge.realm);
    assert_eq!(hex::encode_prefixed(&digest), text(&file, "digest"));
    // viem signs as deterministically as we do.
    let key: [u8; 32] = hex::decode_array(text(&file, "privateKey")).unwrap();
    let signer = Account::from_candidates([Secret::new(key)].into_iter()).unwrap();
    let signature = hex::encode_prefixed(&signer.sign(&digest).unwrap().to_bytes());
    assert_eq!(signature, text(&file, "signature"));
    let payload = tempo::proof_payload(&signature);
    assert_eq!(Value::Object(payload.clone()), json!({"type": "proof", "signature": signature}));
    assert!(tempo::proves(&payload, &account, &challenge));

    let draft = tempo::proof_payload(text(&file["draftForm"], "signature"));
    assert!(!tempo::proves(&draft, &account, &challenge));
    let mut other_type = payload.clone();
    other_type.insert("type".into(), "transaction".into());
    assert!(!tempo::proves(&other_type, &account, &challenge));
    let stranger = Source { address: Address::ZERO, ..account };
    assert!(!tempo::proves(&payload, &stranger, &challenge));
    let elsewhere = Source { chain_id: 42_431, ..account };
    assert!(!tempo::proves(&payload, &elsewhere, &challenge));
    let edits: [fn(&mut farebox_core::mpp::Challenge); 3] = [
        |challenge| challenge.id.push('A'),
        |challenge| challenge.realm = "other.example".into(),
        |challenge| challenge.method = "evm".into(),
    ];
    for edit in edits {
        let mut edited = challenge.clone();
        edit(&mut edited);
        assert!(!tempo::proves(&payload, &account, &edited));
    }
    // The right signature for a price above zero, and for another chain than the request's.
    for (name, value) in [("amount", json!("1")), ("methodDetails", json!({"chainId": 42_431}))] {
        let mut request = Value::Object(challenge.request_object().unwrap());
        request[name] = value;
        let mut edited = challenge.clone();
        edited.request = base64::encode_url(jcs::text(&request).as_bytes());
        assert!(!tempo::proves(&payload, &account, &edited), "{name}");
    }
}

#[test]
fn an_account_is_named_by_one_did() {
    for case in cases("mpp/tempo-proof", "didParsing") {
        let source = text(&case, "source");
        let read = Source::parse(source);
        let theirs = case["parsed"].as_object().map(|parsed| Source {
            chain_id: parsed["chainId"].as_u64().unwrap(),
            address: Address::parse(parsed["address"].as_str().unwrap()).unwrap(),
        });
        assert_eq!(read, theirs, "{source}");
        if let Some(read) = read {
            assert_eq!(read.to_text().to_lowercase(), source.to_lowercase());
        }
    }
    let widest = "did:pkh:eip155:9007199254740991:0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
    assert_eq!(Source::parse(widest).unwrap().to_text(), widest);
    for wrong in [
        "did:pkh:eip155:9007199254740992:0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
        "did:pkh:eip155::0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
        "did:pkh:eip155:+1:0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
        "DID:pkh:eip155:1:0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
        "",
    ] {
        assert_eq!(Source::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn a_memo_ties_a_transfer_to_its_challenge() {
    let mut all = Vec::new();
    for case in cases("mpp/tempo-attribution-memo", "vectors") {
        let (realm, id) = (text(&case, "serverId"), text(&case, "challengeId"));
        let memo = tempo::memo(realm, case["clientId"].as_str(), id);
        assert_eq!(hex::encode_prefixed(&memo), text(&case, "memo"));
        assert!(tempo::memo_answers(&memo, realm, id));
        assert!(!tempo::memo_answers(&memo, "other.example", id));
        assert!(!tempo::memo_answers(&memo, realm, "another"));
        for at in 0..32 {
            let mut edited = memo;
            edited[at] ^= 1;
            let of_client = (15..25).contains(&at);
            assert_eq!(tempo::memo_answers(&edited, realm, id), of_client, "{at}");
        }
        all.push(memo);
    }
    assert_eq!(all.len(), 3);
}

#[test]
fn the_nonce_of_the_extension_is_that_of_the_reference() {
    let file = document("mpp/x402-route-binding");
    let object = |name: &str| file[name].as_object().unwrap().clone();
    let mut announced = object("extensions");
    let salt = announced[mppx::NAME]["info"].as_object_mut().unwrap().remove("nonce").unwrap();
    let extensions = mppx::salted(&announced, salt.as_str().unwrap()).unwrap();
    assert_eq!(extensions, object("extensions"));
    let nonce = mppx::nonce(&object("accepted"), &object("resource"), &extensions);
    assert_eq!(hex::encode_prefixed(&nonce), text(&file, "nonce"));
    let other = mppx::salted(&announced, "another").unwrap();
    assert_ne!(mppx::nonce(&object("accepted"), &object("resource"), &other), nonce);
    assert_eq!(mppx::salted(&object("resource"), "x"), None);
    assert_eq!(mppx::salted(json!({"mppx": {"info": 1}}).as_object().unwrap(), "x"), None);
}

// A-27
#[test]
fn challenges_in_hostile_headers_are_read_as_the_vectors_say() {
    let now = UnixTime::from_rfc3339("2027-01-15T08:00:00Z").unwrap();
    let mut seen = 0;
    for case in cases("security/headers_client", "cases") {
        if case["class"] != "www_authenticate" {
            continue;
        }
        seen += 1;
        let label = text(&case, "name");
        let rows: Vec<&str> = case["headers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row[1].as_str().unwrap())
            .collect();
        let ids: Vec<String> = read_list(&rows.join(", "))
            .into_iter()
            .filter_map(Result::ok)
            .filter(|challenge| challenge.expires_at().unwrap().is_none_or(|end| now < end))
            .inspect(|challenge| {
                assert_eq!(challenge.request_object().unwrap()["amount"], "1000", "{label}");
            })
            .map(|challenge| challenge.id)
            .collect();
        let theirs: Vec<&str> = case["challengeIds"]
            .as_array()
            .unwrap()
            .iter()
            .map(|id| id.as_str().unwrap())
            .collect();
        match (text(&case, "expect"), label) {
            // Refused rather than read by the first: mpp.md 2.2.
            ("either", "dup-id" | "dup-request") => assert_eq!(ids, [""; 0], "{label}"),
            ("accept" | "reject" | "either", _) => assert_eq!(ids, theirs, "{label}"),
            (other, _) => panic!("{label}: {other}"),
        }
    }
    assert!(seen > 40, "{seen}");
}

/// A signature that another reader could take for another spelling of this one is none.
#[test]
fn a_proof_has_one_signature() {
    let file = document("mpp/tempo-proof");
    let challenge = read_list(text(&file, "header")).remove(0).unwrap();
    let account = Source::parse(text(&file, "sourceDid")).unwrap();
    let signature = text(&file, "signature");
    assert!(Signature::parse(signature).is_ok());
    let recovery = &signature[130..];
    let raw = if recovery == "1b" { "00" } else { "01" };
    for twin in [format!("{}{raw}", &signature[..130]), signature[..130].to_owned(), String::new()]
    {
        assert!(!tempo::proves(&tempo::proof_payload(&twin), &account, &challenge), "{twin}");
    }
}
