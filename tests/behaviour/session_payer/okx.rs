//! The payer beside what OKX's client was recorded to answer.

use farebox_core::client::Policy;
use farebox_core::client::channel::{
    ChannelAim, ChannelLimits, ChannelNext, ChannelPayer, ChannelUse,
};
use farebox_core::client::session::{SessionMeans, SessionPurchase};
use farebox_core::encoding::hex;
use farebox_core::evm::account::Account;
use farebox_core::evm::eip712::TypedData;
use farebox_core::http::Headers;
use farebox_core::secret::Secret;
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

use super::seller::none;

/// The credentials of `okx-credentials.json`, by their names: a session opened, used, topped up and closed, by either proof.
#[test]
fn sessions_of_okx_are_answered_to_the_last_byte_as_its_client_answers_them() {
    let file: Value =
        serde_json::from_str(include_str!("../../vectors/mpp/okx-credentials.json")).unwrap();
    let case = |name: &str| {
        let named = |it: &&Value| it["name"].as_str().unwrap().starts_with(name);
        file["vectors"].as_array().unwrap().iter().find(named).unwrap()
    };
    let headers = |name: &str| {
        let line = format!("www-authenticate: {}", case(name)["challengeHeader"].as_str().unwrap());
        Headers::from_lines(core::iter::once(line.as_str()))
    };
    let key = hex::decode_array(file["privateKey"].as_str().unwrap()).unwrap();
    let key = Account::from_candidates([Secret::new(key)].into_iter()).unwrap();
    let sign = |typed_data: &Value| {
        let digest = TypedData::from_json(typed_data).unwrap().digest();
        hex::encode_prefixed(&key.sign(&digest).unwrap().to_bytes())
    };
    let domain = &file["tokenDomain"];
    let token = json!({"symbol": "USDT0", "network": "eip155:196", "name": domain["name"],
        "address": domain["verifyingContract"], "version": domain["version"], "decimals": 6});
    let policy = json!({"assets": [token], "escrows": [super::ESCROW]}).to_string();
    let now = UnixTime::from_secs(2_051_222_400 - 240);
    // The answer to the challenge of this name, with this salt.
    let answer = |name: &str, aim: ChannelAim, salt: u8, record: &mut Option<String>| {
        let address = key.address();
        let payer = ChannelPayer { payer: address, voucher_signer: address, salt: [0; 32] };
        let means = SessionMeans { broadcasts: true, authorization_is_free: true };
        let limits = ChannelLimits { max_deposit: Some("10".into()), ..ChannelLimits::default() };
        let policy = Policy::from_json(&policy).unwrap();
        let (url, endpoint) = ("https://merchant.example/", "GET /");
        let request = ChannelUse { url, endpoint, random: [salt; 48] };
        let mut buyer = SessionPurchase::new(policy, limits, payer, aim, means, request);
        let mut next = buyer.answered(402, &headers(name), b"", now);
        loop {
            next = match next {
                ChannelNext::Update => {
                    *record = buyer.update(record.as_deref(), now).unwrap().or(record.take());
                    buyer.updated()
                }
                ChannelNext::Sign { deposit, voucher } => buyer.signed(
                    deposit.as_deref().map(sign).as_deref(),
                    voucher.as_deref().map(sign).as_deref(),
                ),
                ChannelNext::Broadcast => buyer.broadcasted(&hex::encode_prefixed(&[0xab; 32])),
                ChannelNext::Send { field, payment: credential, .. } => {
                    assert_eq!(
                        (field, &json!(credential)),
                        ("Authorization", &case(name)["authorization"]),
                        "{name}"
                    );
                    next = buyer.answered(200, &none(), b"", now);
                    *record = buyer.update(record.as_deref(), now).unwrap().or(record.take());
                    assert!(matches!(next, ChannelNext::Update));
                    return;
                }
                _ => panic!("{name}: {next:?}"),
            };
        }
    };
    for (open, top_up) in [
        ("session open transaction", Some("session topUp transaction")),
        // The recorded challenge of the other top-up has the payee pay the gas.
        ("session open hash", None),
    ] {
        let mut record = None;
        answer(open, ChannelAim::Pay, 0xaa, &mut record);
        // The request that opened it has ended.
        let until = now.plus(60).secs().to_string();
        record = record.map(|text| text.replace(&until, "0"));
        answer("session voucher", ChannelAim::Pay, 0xbb, &mut record);
        let mut full = Some(
            record
                .clone()
                .unwrap()
                .replace(r#"\"cumulative\":\"100\""#, r#"\"cumulative\":\"5000000\""#)
                .replace(r#"\"spent\":\"100\""#, r#"\"spent\":\"5000000\""#),
        );
        if let Some(top_up) = top_up {
            answer(top_up, ChannelAim::Pay, 0xcc, &mut full);
        }
        answer("session close", ChannelAim::Refund(None), 0xdd, &mut record);
    }
}
