//! Nonces, and the bytes of other clients.

use super::*;

#[test]
fn the_nonce_lists_id_and_realm_unless_the_payer_knows_that_the_host_joins_them() {
    let headers = asking(&[evm("a", &request())]);
    for (rules, framing) in [
        ("{}", Framing::Listed),
        (r#"{"mpp": {"shop.example": {"nonce": "listed"}}}"#, Framing::Listed),
        (r#"{"mpp": {"else.example": {"nonce": "joined"}}}"#, Framing::Listed),
        (r#"{"mpp": {"SHOP.example": {"nonce": "joined", "realm": "x"}}}"#, Framing::Joined),
    ] {
        let (_, value) = paid(&mut exchange(rules, 1), &headers);
        assert_eq!(credential(&value)["payload"]["nonce"], nonce_of("a", framing), "{rules}");
    }
    for wrong in [
        r#"{"mpp": ["shop.example"]}"#,
        r#"{"mpp": {"shop.example": "joined"}}"#,
        r#"{"mpp": {"shop.example": {"nonce": "both"}}}"#,
        r#"{"mpp": {"shop.example": {"nonce": true}}}"#,
        r#"{"mpp": {"shop.example": {"other": "x"}}}"#,
    ] {
        let error = Policy::from_json(wrong).unwrap_err();
        assert_eq!(error.reason.code(), "invalid_policy", "{wrong}");
        assert!(error.message.starts_with("mpp: "), "{}", error.message);
    }
}

#[test]
fn whatever_a_server_says_of_the_nonce_one_challenge_is_signed_once() {
    let asked = evm("a", &request());
    let said = [
        (402, problem("nonce_mismatch", Some(true))),
        (402, br#"{"type":"https://paymentauth.org/problems/verification-failed","detail":"nonce does not match challenge"}"#.to_vec()),
        (402, b"{}".to_vec()),
        (409, problem("nonce_mismatch", None)),
        (503, problem("nonce_mismatch", None)),
        (400, problem("nonce_mismatch", Some(true))),
    ];
    for (status, body) in said {
        // The same challenge again, and a fresh one beside it.
        for rows in [vec![asked.clone()], vec![evm("b", &request()), asked.clone()]] {
            let mut exchange = exchange("{}", 1);
            let first = paid(&mut exchange, &asking(core::slice::from_ref(&asked)));
            for _ in 0..3 {
                match exchange.answered(status, &asking(&rows), &body, at(1)) {
                    Next::Send { headers, .. } => {
                        assert_eq!(headers, std::slice::from_ref(&first), "{status}")
                    }
                    Next::Fail(_) | Next::Return(_) => {}
                    next => panic!("{status}: {next:?}"),
                }
            }
            assert_eq!(exchange.payment().unwrap()["header"][1], first.1, "{status}");
        }
    }
}

#[test]
fn a_charge_is_answered_to_the_last_byte_as_mppx_answers_it() {
    let file: Value =
        serde_json::from_str(include_str!("../../vectors/mpp/server-http-evm.json")).unwrap();
    let named = |name: &str| {
        file["vectors"].as_array().unwrap().iter().find(|it| it["name"] == name).unwrap()
    };
    let asked = &named("no credential")["response"]["headers"]["www-authenticate"];
    let theirs = &named("valid credential")["request"]["headers"]["authorization"];
    // Recorded of a version that joins id and realm.
    let policy = json!({"mpp": {"api.example.com": {"nonce": "joined"}}});
    let ours = answer_recorded(&policy, asked.as_str().unwrap(), 1);
    assert_eq!(ours, credential(theirs.as_str().unwrap()));
}

#[test]
fn a_charge_of_okx_is_answered_to_the_last_byte_as_its_client_answers_it() {
    let file: Value =
        serde_json::from_str(include_str!("../../vectors/mpp/okx-credentials.json")).unwrap();
    let case = &file["vectors"][0];
    let domain = &file["tokenDomain"];
    let token = json!({"symbol": "USDT0", "network": "eip155:196", "name": domain["name"],
        "address": domain["verifyingContract"], "version": domain["version"], "decimals": 6});
    let policy = json!({ "assets": [token] });
    let asked = case["challengeHeader"].as_str().unwrap();
    assert_eq!(answer_recorded(&policy, asked, 0x22), case["credential"]);
}
