//! Receipts against what the reference signed: digest, signature and the whole extension, to the byte.

use std::fs;

use farebox_core::amount::Amount;
use farebox_core::encoding::hex;
use farebox_core::evm::account::Account;
use farebox_core::evm::address::Address;
use farebox_core::evm::eip712::TypedData;
use farebox_core::evm::signature::Signature;
use farebox_core::gate::keys::Keys;
use farebox_core::payment::{PaymentKey, Receipt, TxHash};
use farebox_core::secret::Secret;
use farebox_core::time::UnixTime;
use farebox_core::x402::extension::offer_receipt::{Payload, SignedReceipt, extensions, key_id};
use serde_json::{Value, json};

/// The first account of every development chain; its key is published.
const TEST_KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

fn text(file: &str) -> String {
    let path = format!("{}/../../tests/vectors/x402/{file}.json", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).expect(&path)
}

fn reference() -> Value {
    let vectors: Value = serde_json::from_str(&text("extensions")).unwrap();
    vectors["offerReceiptEip712"].clone()
}

fn account() -> Account {
    let key = Secret::new(hex::decode_array(TEST_KEY).unwrap());
    Account::from_candidates([key].into_iter()).unwrap()
}

/// The receipt that a payload of the reference speaks of.
fn receipt(payload: &Value) -> Receipt {
    let member = |name: &str| payload[name].as_str().unwrap();
    Receipt {
        id: "rcpt_".to_owned(),
        route: "/premium-data".to_owned(),
        resource_url: member("resourceUrl").to_owned(),
        payer: member("payer").to_owned(),
        network: member("network").to_owned(),
        asset: String::new(),
        amount: Amount::from_u64(1),
        pay_to: String::new(),
        transaction: TxHash::parse(member("transaction")).unwrap(),
        issued_at: UnixTime::from_secs(payload["issuedAt"].as_u64().unwrap()),
    }
}

/// Typed data of a receipt on the wire, built from its JSON alone.
fn typed(payload: &Value) -> TypedData {
    let field = |name: &str, kind: &str| json!({ "name": name, "type": kind });
    let mut message = payload.clone();
    for name in ["version", "issuedAt"] {
        message[name] = json!(payload[name].as_u64().unwrap().to_string());
    }
    TypedData::from_json(&json!({
        "domain": { "name": "x402 receipt", "version": "1", "chainId": 1 },
        "types": { "Receipt": [
            field("version", "uint256"), field("network", "string"), field("resourceUrl", "string"),
            field("payer", "string"), field("issuedAt", "uint256"), field("transaction", "string"),
        ] },
        "primaryType": "Receipt",
        "message": message,
    }))
    .unwrap()
}

fn signer_of(signed: &Value) -> Address {
    assert_eq!(signed["format"], "eip712");
    let signature = Signature::parse(signed["signature"].as_str().unwrap()).unwrap();
    signature.recover(&typed(&signed["payload"]).digest()).unwrap()
}

#[test]
fn a_receipt_has_the_digest_and_the_signature_of_the_reference() {
    let reference = reference();
    let theirs = &reference["receiptWithTx"];
    let ours = receipt(&theirs["payload"]);
    let digest = reference["typedData"][2]["digest"].as_str().unwrap();
    assert_eq!(hex::encode_prefixed(&Payload::new(&ours).digest()), digest);
    let signed = SignedReceipt::new(&ours, &account()).unwrap();
    assert_eq!(serde_json::to_value(&signed).unwrap(), *theirs);
    assert_eq!(account().address().to_checksum(), reference["signer"].as_str().unwrap());
}

#[test]
fn every_digest_and_signer_of_the_reference_follows_from_its_typed_data() {
    let reference = reference();
    for (at, member) in [(0, "offer"), (1, "receipt"), (2, "receiptWithTx")] {
        let case = &reference["typedData"][at];
        let digest = TypedData::from_json(case).unwrap().digest();
        assert_eq!(hex::encode_prefixed(&digest), case["digest"].as_str().unwrap(), "{member}");
        let signature = Signature::parse(reference[member]["signature"].as_str().unwrap()).unwrap();
        let signer = signature.recover(&digest).unwrap();
        assert_eq!(signer.to_checksum(), reference["signer"].as_str().unwrap(), "{member}");
    }
}

#[test]
fn the_extension_is_that_of_the_reference_to_the_byte() {
    let recorded: String =
        text("offer-receipt-settlement").chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let signed = &reference()["receiptWithTx"];
    let ours = SignedReceipt::new(&receipt(&signed["payload"]), &account()).unwrap();
    let ours = extensions(&ours);
    assert_eq!(recorded.find(ours.trim_start_matches('{')).map(|_| ()), Some(()), "{ours}");
}

//
#[test]
fn a_key_is_derived_from_the_secret_and_stays_listed_for_one_rotation() {
    let (first, second) = ([1_u8; 32], [2_u8; 32]);
    let before = Keys::new(&first, b"salt-salt-salt-1", None);
    let after = Keys::new(&second, b"salt-salt-salt-1", None).rotated_from(&first);
    let later = Keys::new(&[3; 32], b"salt-salt-salt-1", None).rotated_from(&second);
    let listed = |keys: &Keys| -> Vec<(String, String)> {
        let document: Value = serde_json::from_str(&keys.document()).unwrap();
        let entry = |key: &Value| {
            assert_eq!((&key["format"], &key["use"]), (&json!("eip712"), &json!("offer-receipt")));
            let member = |name: &str| key[name].as_str().unwrap().to_owned();
            assert_eq!(member("kid"), format!("did:pkh:eip155:1:{}", member("address")));
            (member("status"), member("address"))
        };
        document["keys"].as_array().unwrap().iter().map(entry).collect()
    };
    let address = |keys: &Keys| keys.receipt_signer().unwrap().address().to_checksum();
    let named = |status: &str, keys: &Keys| (status.to_owned(), address(keys));
    assert_eq!(listed(&before), [named("current", &before)]);
    assert_eq!(listed(&after), [named("current", &after), named("previous", &before)]);
    assert_eq!(listed(&later), [named("current", &later), named("previous", &after)]);
    assert_eq!(
        key_id(before.receipt_signer().unwrap()),
        format!("did:pkh:eip155:1:{}", address(&before))
    );
    // Receipts of both sides of a rotation have a listed signer; a transplanted one has none.
    let theirs = &reference()["receiptWithTx"];
    let receipt = receipt(&theirs["payload"]);
    for keys in [&before, &after] {
        let signed = serde_json::to_value(keys.sign_receipt(&receipt).unwrap()).unwrap();
        let signer = signer_of(&signed).to_checksum();
        assert!(listed(&after).iter().any(|(_, address)| *address == signer));
        let mut other = signed.clone();
        other["payload"]["resourceUrl"] = json!("https://api.example.com/dearer-data");
        let signer = signer_of(&other).to_checksum();
        assert!(listed(&after).iter().all(|(_, address)| *address != signer));
    }
    // The salt and the origin's secret have no part in it.
    assert_eq!(address(&before), address(&Keys::new(&first, b"other-other-salt", Some(b"x"))));
    let key = PaymentKey::from_bytes([9; 32]);
    assert_ne!(
        before.receipt_id(&key, 3),
        after.receipt_id(&key, 3),
        "which is why rows keep theirs"
    );
    let start = Some("09".repeat(6));
    assert_eq!(before.key_start(&before.receipt_id(&key, 3)), start);
    assert_eq!(after.key_start(&before.receipt_id(&key, 3)), start, "both lead to the row");
    assert_ne!(
        Keys::new(&first, b"other-other-salt", None).key_start(&before.receipt_id(&key, 3)),
        start,
        "and nobody else learns the key from one"
    );
    assert_eq!(before.key_start("rcpt_short"), None);
}
