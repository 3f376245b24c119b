//! Variables of a treasury: each wrong one is refused with its place and what to do.

use farebox_core::treasury::Treasury;
use farebox_core::treasury::message::Operation;
use farebox_core::treasury::row::Scope;
use serde_json::{Value, json};

use super::world::{BUYER_KEY, World, variables};

/// The errors of variables in which one place has another value.
fn errors(change: impl Fn(&mut Value)) -> Vec<String> {
    let mut variables = variables();
    variables["bindings"] = json!(["GATE"]);
    variables["PAY_KEY"] = json!("payouts-0123456789abcdef0123456789ab");
    variables["SHORT_KEY"] = json!("payouts-0123456789abcdef0123456");
    change(&mut variables);
    let read = Treasury::from_vars(&variables.to_string());
    read.err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

/// Whether the only error begins like this.
fn is_only(found: &[String], start: &str) {
    assert!(matches!(found, [only] if only.starts_with(start)), "{start}: {found:?}");
}

#[test]
fn every_wrong_variable_is_the_one_error_and_is_named_with_what_to_do() {
    let set: [(&str, Value, &str); 49] = [
        ("/TREASURY_SECRET", json!("short"), "TREASURY_SECRET: must have at least 32 bytes"),
        ("/TREASURY_SECRET", json!(null), "TREASURY_SECRET: is missing"),
        ("/OPERATOR_TOKEN", json!("short"), "OPERATOR_TOKEN: must have at least 32 bytes"),
        ("/WALLETS", json!([]), "WALLETS: must be a list"),
        ("/WALLETS", json!("{"), "WALLETS: is not valid JSON"),
        ("/WALLETS", json!(null), "WALLETS: is missing"),
        ("/WALLETS/0", json!(7), "WALLETS[0]: must be an object with name"),
        ("/WALLETS/0/name", json!(7), "WALLETS[0].name: must be text"),
        ("/WALLETS/0/networks", json!([]), "WALLETS[0].networks: must list networks"),
        (
            "/WALLETS/0/networks",
            json!(["solana"]),
            "WALLETS[0].networks: \"solana\" is not an EVM network",
        ),
        (
            "/WALLETS/0/secret",
            json!("BUYER_KEY"),
            "WALLETS[0].secret: BUYER_KEY must hold 0x and 64 hex digits",
        ),
        ("/WALLETS/0/signer", json!("SIGNER"), "WALLETS[0]: must have either secret or signer"),
        (
            "/WALLETS/0/address",
            json!("0x70997970C51812dc3A010C7d01b50e0d17dc79C8"),
            "WALLETS[0].address: is not the address of the secret",
        ),
        ("/WALLETS/0/colour", json!("red"), "WALLETS[0].colour: is unknown"),
        ("/ORGANIZATIONS", json!(null), "ORGANIZATIONS: is missing"),
        ("/ORGANIZATIONS/0/name", json!("Acme"), "ORGANIZATIONS[0].name: must be 3 to 64"),
        (
            "/ORGANIZATIONS/0/environment",
            json!("prod"),
            "ORGANIZATIONS[0].environment: must be \"test\" or \"main\"",
        ),
        (
            "/ORGANIZATIONS/0/policy/allowedOrigins",
            json!(["https://a.example/path"]),
            "ORGANIZATIONS[0].policy.allowedOrigins: must list origins",
        ),
        (
            "/ORGANIZATIONS/0/policy/perMonth",
            json!(5),
            "ORGANIZATIONS[0].policy.perMonth: must be decimal text",
        ),
        (
            "/ORGANIZATIONS/0/policy/perMonth",
            json!({"USDC": "5 dollars"}),
            "ORGANIZATIONS[0].policy.perMonth: must be decimal text",
        ),
        (
            "/ORGANIZATIONS/0/policy/payees",
            json!(["0x1"]),
            "ORGANIZATIONS[0].policy.payees: must list addresses",
        ),
        (
            "/ORGANIZATIONS/0/policy/expires",
            json!("soon"),
            "ORGANIZATIONS[0].policy.expires: must be a time",
        ),
        (
            "/ORGANIZATIONS/0/policy/wallet",
            json!("other"),
            "ORGANIZATIONS[0].policy.wallet: is not the name of a wallet",
        ),
        (
            "/ORGANIZATIONS/0/policy/perWeek",
            json!("5"),
            "ORGANIZATIONS[0].policy.perWeek: is unknown",
        ),
        (
            "/ORGANIZATIONS/0/policy/mpp",
            json!({"a.example": {"nonce": 7}}),
            "ORGANIZATIONS[0].policy.mpp: must name hosts",
        ),
        ("/ORGANIZATIONS/0/agents", json!({}), "ORGANIZATIONS[0].agents: must be a list"),
        (
            "/ORGANIZATIONS/0/agents/1/name",
            json!("buyer"),
            "ORGANIZATIONS[0].agents[1].name: is the name of another agent",
        ),
        (
            "/ORGANIZATIONS/0/agents/0/bootstrapKey",
            json!("NONE"),
            "ORGANIZATIONS[0].agents[0].bootstrapKey: the secret NONE is not set",
        ),
        (
            "/ORGANIZATIONS/0/agents/0/bootstrapKey",
            json!("WALLET_KEY"),
            "ORGANIZATIONS[0].agents[0].bootstrapKey: WALLET_KEY must hold fbk_acme_",
        ),
        ("/ALLOW_LOCAL_MERCHANTS", json!(true), "ALLOW_LOCAL_MERCHANTS: needs TEST_NETWORKS_ONLY"),
        ("/CONFIRMATIONS", json!(0), "CONFIRMATIONS: "),
        ("/SEND_SECS", json!("soon"), "SEND_SECS: "),
        ("/KEEP_DAYS", json!(39), "KEEP_DAYS: "),
        ("/RPC_URL", json!("http://node.example.com"), "RPC_URL: must be https"),
        ("/RPC_URL", json!({"nowhere": "https://a.example"}), "RPC_URL.nowhere: is not a network"),
        ("/WEBHOOK_URL", json!("https://hooks.example"), "WEBHOOK_SECRET: is missing"),
        ("/LOOKUP_TOKEN", json!("short"), "LOOKUP_TOKEN: must have at least 32 bytes"),
        (
            "/LOOKUP_TOKEN",
            json!("operator-0123456789abcdef0123456789"),
            "LOOKUP_TOKEN: is the OPERATOR_TOKEN",
        ),
        ("/PAYOUT_TOKENS", json!({}), "PAYOUT_TOKENS: must be a list"),
        (
            "/PAYOUT_TOKENS",
            payout_token("nowhere", "main", "PAY_KEY"),
            "PAYOUT_TOKENS[0].organization: is not",
        ),
        (
            "/PAYOUT_TOKENS",
            payout_token("acme", "none", "PAY_KEY"),
            "PAYOUT_TOKENS[0].wallet: is not",
        ),
        (
            "/PAYOUT_TOKENS",
            payout_token("acme", "main", "NONE"),
            "PAYOUT_TOKENS[0].secret: the secret NONE is not set",
        ),
        (
            "/PAYOUT_TOKENS",
            payout_token("acme", "main", "OPERATOR_TOKEN"),
            "PAYOUT_TOKENS[0].secret: OPERATOR_TOKEN is the OPERATOR_TOKEN",
        ),
        (
            "/PAYOUT_TOKENS",
            payout_token("acme", "main", "SHORT_KEY"),
            "PAYOUT_TOKENS[0].secret: SHORT_KEY must have at least 32 bytes",
        ),
        (
            "/PAYOUT_TOKENS",
            json!([{"organization": "acme", "wallet": "main"}]),
            "PAYOUT_TOKENS[0].secret: is missing",
        ),
        (
            "/PAYOUT_TOKENS",
            json!([{"organization": "acme", "wallet": "main", "secret": "PAY_KEY", "amount": "1"}]),
            "PAYOUT_TOKENS[0].amount: is unknown",
        ),
        ("/MERCHANT_BINDINGS", json!(["GATE"]), "MERCHANT_BINDINGS: must be an object of bindings"),
        (
            "/MERCHANT_BINDINGS",
            json!({"https://market.example": "NONE"}),
            "MERCHANT_BINDINGS[0]: is not the name of a bound Worker",
        ),
        (
            "/MERCHANT_BINDINGS",
            json!({"https://market.example/": "GATE"}),
            "MERCHANT_BINDINGS[0]: must be named by an origin",
        ),
    ];
    assert_eq!(errors(|_| ()), Vec::<String>::new());
    for (place, value, start) in set {
        let found = errors(|variables| {
            let (parent, name) = place.rsplit_once('/').unwrap();
            match variables.pointer_mut(parent).unwrap() {
                Value::Array(list) => list[name.parse::<usize>().unwrap()] = value.clone(),
                parent => parent[name] = value.clone(),
            }
        });
        is_only(&found, start);
    }
}

/// Variables with a second organization, which has these rules.
fn with_second(variables: &mut Value, policy: Value) {
    let second = json!({"name": "second", "environment": "test", "policy": policy});
    variables["ORGANIZATIONS"].as_array_mut().unwrap().push(second);
}

/// The same with a second wallet, of this key and on this network.
fn with_wallet(variables: &mut Value, key: &str, network: &str) {
    variables["SECOND_KEY"] = json!(key);
    let second = json!({"name": "second", "networks": [network], "secret": "SECOND_KEY"});
    variables["WALLETS"].as_array_mut().unwrap().push(second);
    variables["ORGANIZATIONS"][0]["policy"]["wallet"] = json!("main");
}

pub const OTHER_KEY: &str = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";

#[test]
pub fn two_organizations_do_not_pay_from_one_account() {
    let all = || json!({"allowedOrigins": ["*"]});
    let of_second = || json!({"allowedOrigins": ["*"], "wallet": "second"});
    let found = errors(|variables| with_second(variables, all()));
    is_only(&found, "ORGANIZATIONS[1]: pays on eip155:84532 from the wallet main, as acme does");
    let found = errors(|variables| {
        with_wallet(variables, super::world::WALLET_KEY, "base-sepolia");
        with_second(variables, of_second());
    });
    is_only(&found, "ORGANIZATIONS[1]: pays on eip155:84532 from the wallet second, as acme does");
    let found = errors(|variables| {
        with_wallet(variables, OTHER_KEY, "base-sepolia");
        with_second(variables, of_second());
        let agents = json!([{"name": "buyer", "policy": {"wallet": "main"}}]);
        variables["ORGANIZATIONS"][1]["agents"] = agents;
    });
    is_only(&found, "ORGANIZATIONS[1]: pays on eip155:84532 from the wallet main, as acme does");
    // Another account, another network, another environment, or no one to pay.
    let right: [&dyn Fn(&mut Value); 4] = [
        &|variables| {
            with_wallet(variables, OTHER_KEY, "base-sepolia");
            with_second(variables, of_second());
        },
        &|variables| {
            with_wallet(variables, super::world::WALLET_KEY, "polygon-amoy");
            with_second(variables, of_second());
        },
        &|variables| {
            with_second(variables, all());
            variables["ORGANIZATIONS"][1]["environment"] = json!("main");
        },
        &|variables| with_second(variables, json!({})),
    ];
    for change in right {
        assert_eq!(errors(change), Vec::<String>::new());
    }
}

#[test]
fn rules_that_would_pay_from_the_account_of_another_organization_are_not_put() {
    let mut variables = variables();
    with_wallet(&mut variables, OTHER_KEY, "base-sepolia");
    with_second(&mut variables, json!({"allowedOrigins": ["*"], "wallet": "second"}));
    let mut world = World::of(&variables);
    let put = |scope: Scope, rules: &Value| Operation::PutPolicy(scope, rules.to_string());
    let rules = json!({"allowedOrigins": ["*"], "wallet": "second"});
    let told = world.operate(put(Scope::Organization, &rules));
    assert_eq!((told.status, told.text("code")), (400, "invalid_policy"));
    assert!(told.text("detail").starts_with("wallet: is that of second"), "{}", told.text);
    let told = world.operate(put(Scope::Agent("buyer".to_owned()), &json!({"wallet": "second"})));
    assert_eq!(told.status, 400);
    let rules = json!({"allowedOrigins": ["*"], "wallet": "main"});
    assert_eq!(world.operate(put(Scope::Organization, &rules)).status, 200);
}

#[test]
fn main_networks_are_refused_where_only_test_networks_are_allowed() {
    let found = errors(|variables| {
        variables["TEST_NETWORKS_ONLY"] = json!(true);
        variables["WALLETS"][0]["networks"] = json!(["base"]);
    });
    is_only(&found, "WALLETS[0].networks: eip155:8453 is or counts as a main network");
    let found = errors(|variables| {
        variables["TEST_NETWORKS_ONLY"] = json!(true);
        variables["ORGANIZATIONS"][0]["environment"] = json!("main");
    });
    is_only(&found, "ORGANIZATIONS[0].environment: is \"main\"");
}

#[test]
fn a_seed_is_applied_once_for_each_version_of_it() {
    let mut world = World::new();
    let log = world.rows.log.len();
    world.seed();
    assert_eq!(world.rows.log.len(), log);
    let mut changed = variables();
    changed["ORGANIZATIONS"][0]["policy"]["perMonth"] = json!("9.00");
    let mut other = World { rows: world.rows.clone(), ..World::of(&changed) };
    other.seed();
    assert_eq!(other.rows.policies["organization"].version, 2);
    assert!(!other.token(BUYER_KEY).is_empty());
}

#[test]
fn a_merchant_is_asked_through_its_binding_and_others_are_not() {
    let mut variables = variables();
    variables["bindings"] = json!(["GATE"]);
    variables["MERCHANT_BINDINGS"] = json!({"https://market.example": "GATE"});
    let treasury = Treasury::from_vars(&variables.to_string()).unwrap();
    let of = |url: &str| treasury.binding(url);
    assert_eq!(of("https://market.example/s/1?x"), Some("GATE"));
    assert_eq!(of("https://Market.example:443/"), Some("GATE"));
    for other in [
        "https://market.example.com/",
        "http://market.example/",
        "https://market.example:8443/",
        "https://me@market.example/",
    ] {
        assert_eq!(of(other), None, "{other}");
    }
}

#[test]
fn decisions_are_looked_up_with_a_token_of_their_own() {
    let token = "lookup-0123456789abcdef0123456789abc";
    let mut variables = variables();
    let without = Treasury::from_vars(&variables.to_string()).unwrap();
    variables["LOOKUP_TOKEN"] = json!(token);
    let treasury = Treasury::from_vars(&variables.to_string()).unwrap();
    assert!(treasury.may_look_up(&format!("Bearer {token}")));
    assert!(!treasury.is_operator(&format!("Bearer {token}")));
    for wrong in ["", "Bearer ", "Bearer operator-0123456789abcdef0123456789"] {
        assert!(!treasury.may_look_up(wrong) && !without.may_look_up(wrong), "{wrong}");
    }
}

fn payout_token(organization: &str, wallet: &str, secret: &str) -> Value {
    json!([{"organization": organization, "wallet": wallet, "secret": secret}])
}

#[test]
fn the_token_of_a_wallet_is_compared_whole_and_is_no_other_token() {
    let token = "payouts-0123456789abcdef0123456789ab";
    let mut variables = variables();
    variables["PAY_KEY"] = json!(token);
    let without = Treasury::from_vars(&variables.to_string()).unwrap();
    variables["PAYOUT_TOKENS"] = payout_token("acme", "main", "PAY_KEY");
    let treasury = Treasury::from_vars(&variables.to_string()).unwrap();
    let right = format!("Bearer {token}");
    let found = treasury.payout_token(&right).unwrap();
    assert_eq!((found.organization.as_str(), found.wallet.as_str()), ("acme", "main"));
    assert!(!treasury.is_operator(&right) && !treasury.may_look_up(&right));
    assert!(without.payout_token(&right).is_none());
    assert!(!format!("{treasury:?}").contains(token), "it is shown nowhere");
    let short = format!("Bearer {}", &token[..35]);
    let operator = "Bearer operator-0123456789abcdef0123456789";
    for wrong in ["", "Bearer ", token, &short, operator, &format!("{right}x")] {
        assert!(treasury.payout_token(wrong).is_none(), "{wrong}");
    }
    variables["PAYOUT_TOKENS"] = json!([
        {"organization": "acme", "wallet": "main", "secret": "PAY_KEY"},
        {"organization": "acme", "wallet": "main", "secret": "PAY_KEY"},
    ]);
    let errors = Treasury::from_vars(&variables.to_string()).unwrap_err();
    assert!(
        errors[0]
            .to_string()
            .starts_with("PAYOUT_TOKENS[1].secret: PAY_KEY is the secret of another")
    );
}

#[test]
fn the_operators_token_is_compared_whole() {
    let world = World::new();
    assert!(world.treasury.is_operator("Bearer operator-0123456789abcdef0123456789"));
    for wrong in [
        "",
        "Bearer ",
        "Bearer operator-0123456789abcdef012345678",
        "operator-0123456789abcdef0123456789",
    ] {
        assert!(!world.treasury.is_operator(wrong), "{wrong}");
    }
}
