//! EVM hashes, digests and signers against published vectors and reference clients.

use farebox_core::amount::Amount;
use farebox_core::chain::ChainId;
use farebox_core::encoding::{base64, hex, json};
use farebox_core::evm::address::{Address, AddressError};
use farebox_core::evm::eip712::{Domain, TypedData};
use farebox_core::evm::eip3009::{self, Authorization};
use farebox_core::evm::keccak::{keccak256, keccak256_parts};
use farebox_core::evm::signature::{Signature, SignatureError};
use farebox_core::evm::token;
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

use crate::support::{cases, text};

#[test]
fn keccak_gives_the_published_hashes() {
    for case in cases("security/keccak256", "cases") {
        let input = hex::decode_prefixed(text(&case, "input")).unwrap();
        let expected: [u8; 32] = hex::decode_array(text(&case, "keccak256")).unwrap();
        let (head, tail) = input.split_at(input.len() / 3);
        assert_eq!(keccak256(&input), expected, "{}", name(&case));
        assert_eq!(keccak256_parts(&[head, &[], tail]), expected, "{} in parts", name(&case));
    }
}

#[test]
fn typed_data_has_the_struct_hash_and_digest_of_the_reference() {
    for case in cases("security/eip712", "cases") {
        let typed = TypedData::from_json(&case).unwrap();
        let encoding = hex::decode_prefixed(text(&case, "structEncoding")).unwrap();
        assert_eq!(typed.struct_hash(), keccak256(&encoding), "{}", name(&case));
        assert_eq!(hex::encode_prefixed(&typed.digest()), text(&case, "digest"), "{}", name(&case));
    }
}

#[test]
fn typed_data_of_the_reference_client_has_its_hashes_and_signer() {
    for case in cases("x402/client-signing", "vectors") {
        for typed_data in case["typedData"].as_array().unwrap() {
            let label = format!("{} {}", name(&case), typed_data["primaryType"]);
            let typed = TypedData::from_json(typed_data).unwrap();
            let separator = hex::encode_prefixed(&typed.domain_separator());
            assert_eq!(separator, text(typed_data, "domainSeparator"), "{label}");
            let struct_hash = hex::encode_prefixed(&typed.struct_hash());
            assert_eq!(struct_hash, text(typed_data, "structHash"), "{label}");
            assert_eq!(
                hex::encode_prefixed(&typed.digest()),
                text(typed_data, "digest"),
                "{label}"
            );
            let signature = Signature::parse(text(typed_data, "signature")).unwrap();
            let signer = signature.recover(&typed.digest()).unwrap();
            assert_eq!(signer.to_string(), text(typed_data, "recoveredSigner"), "{label}");
            assert_eq!(signer.to_string(), text(&case, "signer"), "{label}");
        }
    }
}

#[test]
fn an_authorization_hashes_as_its_typed_data_does() {
    let mut compared = 0;
    for case in cases("x402/client-signing", "vectors") {
        for typed_data in case["typedData"].as_array().unwrap() {
            if typed_data["primaryType"] == "TransferWithAuthorization" {
                let authorization = authorization(&typed_data["message"]).unwrap();
                let typed = TypedData::from_json(typed_data).unwrap();
                let domain = domain(&typed_data["domain"]);
                assert_eq!(domain.separator(), typed.domain_separator(), "{}", name(&case));
                assert_eq!(authorization.struct_hash(), typed.struct_hash(), "{}", name(&case));
                let digest = authorization.digest(&domain.separator());
                assert_eq!(digest, typed.digest(), "{}", name(&case));
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 9);
}

#[test]
fn version_one_payments_recover_to_their_payer_under_the_pinned_domain() {
    for case in cases("x402/v1-client-signing", "vectors") {
        let requirements = &case["paymentRequirements"];
        let chain = ChainId::from_name(text(requirements, "network")).unwrap();
        let asset = Address::parse(text(requirements, "asset")).unwrap();
        let token = token::by_address(&chain, &asset).unwrap();
        let domain = token.domain(chain.evm_id().unwrap());
        assert_eq!(domain.name, requirements["extra"]["name"], "{}", name(&case));
        assert_eq!(domain.version, requirements["extra"]["version"], "{}", name(&case));

        let header = base64::decode(text(&case["headers"], "X-PAYMENT")).unwrap();
        let payment = json::parse(&header).unwrap();
        assert_eq!(payment, case["decoded"], "{}", name(&case));
        let payload = &payment["payload"];
        let authorization = authorization(&payload["authorization"]).unwrap();
        let signature = Signature::parse(text(payload, "signature")).unwrap();
        let signer = signature.recover(&authorization.digest(&domain.separator())).unwrap();
        assert_eq!(signer.to_checksum(), text(&case, "signer"), "{}", name(&case));
    }
}

#[test]
fn payments_hash_alike_on_both_paths_and_acceptable_ones_are_signed_by_their_payer() {
    let (mut compared, mut recovered) = (0, 0);
    for case in cases("security/eip3009_payments", "cases") {
        let requirements = &case["requirements"];
        let payload = &case["payment"]["payload"];
        let Some(authorization) = authorization(&payload["authorization"]) else {
            assert_ne!(case["expect"], "accept", "{}", name(&case));
            continue;
        };
        let chain = ChainId::parse(text(requirements, "network")).unwrap();
        let domain = Domain {
            name: text(&requirements["extra"], "name"),
            version: text(&requirements["extra"], "version"),
            chain_id: chain.evm_id().unwrap(),
            verifying_contract: Address::parse(text(requirements, "asset")).unwrap(),
        };
        let typed = TypedData::from_json(&transfer_typed_data(&domain, &authorization)).unwrap();
        let digest = authorization.digest(&domain.separator());
        assert_eq!(digest, typed.digest(), "{}", name(&case));
        compared += 1;
        if case["expect"] == "accept" {
            let signature = Signature::parse(text(payload, "signature")).unwrap();
            assert_eq!(signature.recover(&digest), Ok(authorization.from), "{}", name(&case));
            assert_eq!(hex::encode_prefixed(&digest), text(&case, "digest"), "{}", name(&case));
            recovered += 1;
        }
    }
    assert!(compared >= 90 && recovered >= 10, "{compared} compared, {recovered} recovered");
}

#[test]
fn the_type_hash_of_transfers_is_that_of_their_type() {
    assert_eq!(keccak256(eip3009::TYPE.as_bytes()), eip3009::TYPE_HASH);
}

//
#[test]
fn signatures_recover_to_their_signer_or_are_refused_for_the_stated_reason() {
    for file in ["security/secp256k1_recover", "security/secp256k1_wycheproof"] {
        for case in cases(file, "cases") {
            let label = name(&case);
            let digest = hex::decode_array(text(&case, "digest")).unwrap();
            let claimed = Address::parse(text(&case, "claimed")).unwrap();
            let recovered = Signature::parse(text(&case, "signature"))
                .and_then(|signature| signature.recover(&digest));
            match (text(&case, "expect"), case["code"].as_str()) {
                ("accept", None) => {
                    assert_eq!(recovered, Ok(claimed), "{label}");
                    assert_eq!(claimed.to_lower_hex(), text(&case, "signer"), "{label}");
                }
                // Two spellings of an address are one address, a wrong checksum included.
                ("either", Some("address_checksum")) => {
                    assert_eq!(recovered, Ok(claimed), "{label}")
                }
                // Other forms of a signature are refused, not rewritten.
                ("either" | "reject", Some(code)) => refused(code, recovered, claimed, label),
                other => panic!("{label}: {other:?}"),
            }
        }
    }
}

fn refused(code: &str, recovered: Result<Address, SignatureError>, claimed: Address, label: &str) {
    let fits = match (code, recovered) {
        ("any" | "signer_mismatch", Ok(signer)) => signer != claimed,
        // These two also have a high s, which is seen first.
        ("signer_mismatch", Err(SignatureError::HighS)) => ["wp-115", "wp-247"].contains(&label),
        ("any", Err(_))
        | ("sig_encoding", Err(SignatureError::Hex(_)))
        // Wrapped signatures are longer or shorter than 65 bytes.
        | ("sig_length" | "sig_6492_unsupported", Err(SignatureError::Length))
        | ("sig_v_invalid", Err(SignatureError::V))
        | ("sig_r_range" | "sig_s_range", Err(SignatureError::Range))
        | ("sig_high_s", Err(SignatureError::HighS))
        | ("sig_unrecoverable", Err(SignatureError::Unrecoverable))
        // There is no zero address to compare with: v is wrong, or no signer is recovered.
        | ("signer_zero", Err(SignatureError::V | SignatureError::Unrecoverable)) => true,
        (
            "sig_encoding" | "sig_length" | "sig_6492_unsupported" | "sig_v_invalid" | "sig_r_range"
            | "sig_s_range" | "sig_high_s" | "sig_unrecoverable" | "signer_zero" | "signer_mismatch",
            _,
        ) => false,
        _ => panic!("{label}: unknown code {code}"),
    };
    assert!(fits, "{label}: expected {code}, got {recovered:?}");
}

#[test]
fn a_signature_gives_back_the_bytes_it_was_read_from() {
    for case in cases("security/secp256k1_recover", "cases") {
        if let Ok(signature) = Signature::parse(text(&case, "signature")) {
            let spelt = hex::encode_prefixed(&signature.to_bytes());
            assert_eq!(spelt, text(&case, "signature").to_lowercase(), "{}", name(&case));
        }
    }
}

//
#[test]
fn addresses_are_written_with_their_checksum_and_read_in_any_case() {
    // From EIP-55.
    let table = [
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
        "0xde709f2102306220921060314715629080e2fb77",
        "0x27b1fdb04752bbc536007a920d24acb045561c26",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ];
    for text in table {
        let address = Address::parse(text).unwrap();
        let lower = text.to_lowercase();
        let upper = format!("0x{}", text[2..].to_uppercase());
        assert_eq!(address.to_checksum(), text);
        assert_eq!(address.to_lower_hex(), lower);
        for spelling in [text, &lower, &upper] {
            assert_eq!(Address::parse_checksummed(spelling), Ok(address), "{spelling}");
        }
    }
    let wrong = "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
    assert_eq!(Address::parse(wrong), Address::parse(&wrong.to_lowercase()));
    assert_eq!(Address::parse_checksummed(wrong), Err(AddressError::Checksum));
}

//
#[test]
fn addresses_without_a_key_are_recognized() {
    let table = [
        ("0x0000000000000000000000000000000000000000", [true, true, false]),
        ("0x0000000000000000000000000000000000000004", [false, true, false]),
        ("0x000000000000000000000000000000000000dEaD", [false, true, true]),
        ("0x000000000000000000000000000000000000fFFf", [false, true, false]),
        ("0x0000000000000000000000000000000000010000", [false, false, false]),
        ("0x100000000000000000000000000000000000dEaD", [false, false, false]),
    ];
    for (text, expected) in table {
        let address = Address::parse(text).unwrap();
        assert_eq!([address.is_zero(), address.is_low(), address.is_burn()], expected, "{text}");
    }
}

fn name(case: &Value) -> &str {
    text(case, "name")
}

fn authorization(message: &Value) -> Option<Authorization> {
    let text = |member: &str| message[member].as_str();
    Some(Authorization {
        from: Address::parse(text("from")?).ok()?,
        to: Address::parse(text("to")?).ok()?,
        value: Amount::from_atomic(text("value")?).ok()?,
        valid_after: UnixTime::from_text(text("validAfter")?).ok()?,
        valid_before: UnixTime::from_text(text("validBefore")?).ok()?,
        nonce: hex::decode_array(text("nonce")?).ok()?,
    })
}

fn domain(json: &Value) -> Domain<'_> {
    Domain {
        name: text(json, "name"),
        version: text(json, "version"),
        chain_id: json["chainId"].as_u64().unwrap(),
        verifying_contract: Address::parse(text(json, "verifyingContract")).unwrap(),
    }
}

fn transfer_typed_data(domain: &Domain<'_>, authorization: &Authorization) -> Value {
    json!({
        "domain": {
            "name": domain.name,
            "version": domain.version,
            "chainId": domain.chain_id.to_string(),
            "verifyingContract": domain.verifying_contract.to_string(),
        },
        "types": { "TransferWithAuthorization": [
            { "name": "from", "type": "address" },
            { "name": "to", "type": "address" },
            { "name": "value", "type": "uint256" },
            { "name": "validAfter", "type": "uint256" },
            { "name": "validBefore", "type": "uint256" },
            { "name": "nonce", "type": "bytes32" },
        ] },
        "primaryType": "TransferWithAuthorization",
        "message": {
            "from": authorization.from.to_string(),
            "to": authorization.to.to_string(),
            "value": authorization.value.to_string(),
            "validAfter": authorization.valid_after.secs().to_string(),
            "validBefore": authorization.valid_before.secs().to_string(),
            "nonce": hex::encode_prefixed(&authorization.nonce),
        },
    })
}
