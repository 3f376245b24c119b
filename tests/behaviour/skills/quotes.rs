//! Quotes of the original's shapes: what they ask for, and what settles them.

use farebox_core::skills::message::{Answer, Command, OriginalRequest, Viewer};
use serde_json::{Value, json};

use super::node::Node;
use super::world::{TX, Told, USDC, World, decision, echo, owner, vars, wallet};

/// Variables of a market that pretends payments.
pub fn mock_vars() -> Value {
    let mut vars = vars();
    (vars["COMPATIBILITY"], vars["MOCK"]) = ("open-stellar".into(), true.into());
    vars
}

/// Variables of one that reads the chain.
pub fn real_vars() -> Value {
    let mut vars = vars();
    vars["COMPATIBILITY"] = "open-stellar".into();
    vars["PAY_TO"] = owner(5).into();
    vars["RPC_URL"] = "https://node.example.com".into();
    vars
}

pub fn request(method: &str, path: &str, body: &Value) -> OriginalRequest {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    OriginalRequest {
        method: method.into(),
        path: path.into(),
        query: query.into(),
        body: if body.is_null() { String::new() } else { body.to_string() },
        client: "192.0.2.7".into(),
        ..OriginalRequest::default()
    }
}

pub fn send(world: &mut World, request: OriginalRequest) -> Answer {
    world.send(Command::Original(Box::new(request)))
}

pub fn told(world: &mut World, request: OriginalRequest) -> Told {
    world.reply(Command::Original(Box::new(request)))
}

pub fn quote(world: &mut World, body: &Value) -> Value {
    let told = told(world, request("POST", "/api/protocol/x402/quote", body));
    assert_eq!(told.status, 200, "{told:?}");
    told.body["quote"].clone()
}

/// Settles as the Worker does, with what a node says.
pub fn settle(world: &mut World, node: &Node, body: &Value) -> Told {
    read(world, node, request("POST", "/api/protocol/x402/settle", body))
}

fn read(world: &mut World, node: &Node, mut asked: OriginalRequest) -> Told {
    loop {
        match send(world, asked.clone()) {
            Answer::Reply(response) => return Told::of(response),
            Answer::Evidence(call) => {
                assert_eq!(call.url, "https://node.example.com");
                let replies = call.requests.iter().map(|request| node.reply(request));
                asked.replies.extend(replies);
            }
            other => panic!("{other:?}"),
        }
    }
}

/// A market with a quote of 0.3 dollars, its chain, and the quote.
fn quoted() -> (World, Node, Value) {
    let mut world = World::of(&real_vars());
    let node = Node::at(world.now);
    let quote = quote(&mut world, &json!({"serviceId": "svc", "units": 3, "unitPriceUsd": 0.1}));
    (world, node, quote)
}

fn pay(node: &mut Node, number: u8, quote: &Value) -> String {
    let (to, units) = (quote["address"].as_str().unwrap(), quote["amountUnits"].as_str().unwrap());
    node.send(wallet(number).address(), USDC, to, units)
}

/// What a settlement ends as once all blocks are safe.
fn later(world: &mut World, node: &mut Node, quote: &Value, tx: &str) -> Told {
    world.now += 20_000;
    node.mine(world.now);
    let body = json!({"paymentRef": quote["paymentRef"], "chain": "base", "txHash": tx});
    settle(world, node, &body)
}

#[test]
pub fn a_quote_says_what_it_costs_and_where_and_until_when() {
    let mut world = World::of(&mock_vars());
    let asked = json!({"serviceId": "test-svc", "chain": "stellar", "payer": "agent-1", "units": 3, "unitPriceUsd": 0.1});
    let quote = quote(&mut world, &asked);
    assert_eq!(quote["code"], 402);
    assert_eq!(quote["amountUsd"], 0.3);
    assert!(quote["paymentRef"].as_str().unwrap().starts_with("test-svc:stellar:"));
    assert_eq!(quote["expiresAt"], "2025-11-20T06:05:00.000Z");
    let options: Vec<_> = quote["options"].as_array().unwrap().iter().collect();
    let units: Vec<_> = options.iter().map(|it| it["amountUnits"].as_str().unwrap()).collect();
    assert_eq!(units, ["30000000", "545454545454546", "100000000000000"]);
    let amounts: Vec<_> = options.iter().map(|it| it["amount"].as_str().unwrap()).collect();
    assert_eq!(amounts, ["3 XLM", "0.00054545 BNB", "0.0001 ETH"]);
}

// A-720
#[test]
pub fn no_quote_asks_for_whole_tenths_of_a_cent() {
    let units_of = |price: &str| {
        let body = json!({"serviceId": "svc", "units": 1, "unitPriceUsd": price});
        let quote = quote(&mut World::of(&real_vars()), &body);
        quote["amountUnits"].as_str().unwrap().parse::<u64>().unwrap()
    };
    let first_mark = units_of("1").checked_sub(1_000_000).unwrap();
    let price = format!("0.{:06}", 1_000_000 - first_mark);
    let units = units_of(&price);
    assert_ne!(units % 1_000, 0, "{price}: {units}");
    assert!((1_000_000 - first_mark..1_001_000).contains(&units));
}

#[test]
fn numbers_are_read_as_the_original_reads_them_and_never_as_floats() {
    let mut world = World::of(&mock_vars());
    let mut usd = |units: Value, price: Value| {
        let body = json!({"units": units, "unitPriceUsd": price});
        let told = told(&mut world, request("POST", "/api/protocol/x402/quote", &body));
        let error = told.body["error"].as_str().unwrap_or_default().to_owned();
        (told.status, told.body["quote"]["amountUsd"].to_string(), error)
    };
    let good = |text: &str| (200, text.to_owned(), String::new());
    let bad = |text: &str| (500, "null".to_owned(), text.to_owned());
    assert_eq!(usd(Value::Null, Value::Null), good("0.1"));
    assert_eq!(usd(json!(0), json!("")), good("0.1"));
    assert_eq!(usd(json!(3), json!("0.1")), good("0.3"));
    assert_eq!(usd(json!(1), json!(0.000_000_5)), good("1e-6"));
    assert_eq!(usd(json!(1), json!(0.000_000_4)), bad("unitPriceUsd must be > 0"));
    assert_eq!(usd(json!(-1), json!(1)), bad("units must be > 0"));
    assert_eq!(usd(json!("many"), json!(1)), bad("units must be > 0"));
    assert_eq!(usd(json!(1), json!(-0.1)), bad("unitPriceUsd must be > 0"));
    let (status, ..) = usd(json!(1e20), json!(1e20));
    assert_eq!(status, 400);
}

#[test]
fn a_settlement_is_refused_with_the_originals_words() {
    let mut world = World::of(&mock_vars());
    let node = Node::at(world.now);
    let quote = quote(&mut world, &json!({"chain": "stellar", "payer": "agent-1"}));
    let hash = "ab".repeat(32);
    let body = |change: Value| {
        let mut body = json!({"paymentRef": quote["paymentRef"], "chain": "stellar", "txHash": hash, "paidBy": "agent-1"});
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    let mut refused = |change: Value| {
        let told = settle(&mut world, &node, &body(change));
        (told.status, told.body["error"].as_str().unwrap_or_default().to_owned())
    };
    for (change, error) in [
        (json!({"paymentRef": "other"}), "Quote not found for paymentRef"),
        (json!({"chain": "base"}), "Settlement chain does not match quote chain"),
        (
            json!({"paymentRef": "", "quoteId": quote["quoteId"], "chain": "solana"}),
            "Settlement chain is not available for quote",
        ),
        (json!({"paidBy": "agent-2"}), "paidBy does not match quote payer"),
        (json!({"txHash": "pending"}), "Invalid tx hash format"),
        (json!({"subscriptionId": "sub_1"}), "Subscription not found"),
    ] {
        assert_eq!(refused(change), (400, error.to_owned()));
    }
    let told = settle(&mut world, &node, &body(json!({})));
    assert_eq!((told.status, &told.body["receipt"]["txHash"]), (200, &json!(hash)));
    assert_eq!(told.body["receipt"]["accepted"], true);
}

#[test]
pub fn a_hash_settles_one_quote() {
    let mut world = World::of(&mock_vars());
    let node = Node::at(world.now);
    let mut settled = || {
        world.now += 1;
        let quote = quote(&mut world, &json!({"chain": "base"}));
        let body = json!({"paymentRef": quote["paymentRef"], "txHash": TX});
        settle(&mut world, &node, &body).status
    };
    assert_eq!((settled(), settled()), (200, 400));
}

#[test]
pub fn a_quote_that_has_ended_is_not_settled() {
    let mut world = World::of(&mock_vars());
    let node = Node::at(world.now);
    let quote = quote(&mut world, &json!({"chain": "base", "ttlSeconds": 60}));
    world.now += 60_001;
    let body = json!({"paymentRef": quote["paymentRef"], "txHash": TX});
    assert_eq!(settle(&mut world, &node, &body).error(), (400, "Quote expired"));
    assert_eq!(settle(&mut world, &node, &body).error(), (400, "Quote not found for paymentRef"));
}

#[test]
fn a_transfer_of_the_amount_settles_a_quote_and_a_repeat_is_answered_alike() {
    let (mut world, mut node, quote) = quoted();
    let tx = pay(&mut node, 9, &quote);
    let first = later(&mut world, &mut node, &quote, &tx);
    assert_eq!(first.status, 200, "{first:?}");
    let receipt = &first.body["receipt"];
    assert_eq!((&receipt["agent"], &receipt["amountUsd"]), (&json!(owner(9)), &json!(0.3)));
    assert_eq!(receipt["passportVerified"], false);
    assert_eq!(later(&mut world, &mut node, &quote, &tx).text, first.text);
    let other = pay(&mut node, 9, &quote);
    assert_eq!(later(&mut world, &mut node, &quote, &other).status, 400);
}

// A-384
#[test]
pub fn a_transaction_that_a_seller_names_stays_its_payers() {
    let (mut world, mut node, quote) = quoted();
    let tx = pay(&mut node, 9, &quote);
    // Before the quote is settled, a seller names it as the payment of an invocation.
    assert_eq!(world.publish(&echo()).status, 201);
    assert_eq!(world.buy("key", decision("allow", &tx)).body["receipt"]["txHash"], tx);
    assert_eq!(later(&mut world, &mut node, &quote, &tx).status, 200);
}

#[test]
fn what_was_transferred_before_a_quote_or_after_its_end_pays_nothing() {
    let (mut world, mut node, quote) = quoted();
    node.mine(world.now - 60_000);
    let early = pay(&mut node, 9, &quote);
    let refused = later(&mut world, &mut node, &quote, &early);
    assert_eq!(refused.error(), (400, "Payment was made before the quote"));
    world.now += 301_000;
    node.mine(world.now);
    let late = pay(&mut node, 9, &quote);
    assert_eq!(later(&mut world, &mut node, &quote, &late).error(), (400, "Quote expired"));
}

#[test]
fn what_was_transferred_in_time_counts_after_the_end() {
    let (mut world, mut node, quote) = quoted();
    let tx = pay(&mut node, 9, &quote);
    world.now += 600_000;
    assert_eq!(later(&mut world, &mut node, &quote, &tx).status, 200);
}

#[test]
fn another_token_payee_amount_or_chain_pays_nothing() {
    let (mut world, mut node, quote) = quoted();
    let (to, units) = (quote["address"].as_str().unwrap(), quote["amountUnits"].as_str().unwrap());
    let from = wallet(9).address();
    for tx in [
        node.send(from, &owner(3), to, units),
        node.send(from, USDC, &owner(3), units),
        node.send(from, USDC, to, "300000"),
    ] {
        let refused = later(&mut world, &mut node, &quote, &tx);
        assert_eq!(refused.error(), (400, "Transaction does not pay this quote"));
    }
    let tx = pay(&mut node, 9, &quote);
    node.chain = 8_453;
    assert_eq!(later(&mut world, &mut node, &quote, &tx).error(), (503, "Chain cannot be read"));
}

#[test]
pub fn money_of_another_wallet_than_the_named_one_pays_nothing() {
    let mut world = World::of(&real_vars());
    let mut node = Node::at(world.now);
    let quote = quote(&mut world, &json!({"payer": owner(8)}));
    let tx = pay(&mut node, 9, &quote);
    let refused = later(&mut world, &mut node, &quote, &tx);
    assert_eq!(refused.error(), (400, "paidBy does not match quote payer"));
}

#[test]
pub fn a_block_that_may_be_reorganized_settles_nothing_yet() {
    let (mut world, mut node, quote) = quoted();
    let tx = pay(&mut node, 9, &quote);
    let body = json!({"paymentRef": quote["paymentRef"], "txHash": tx});
    let early = settle(&mut world, &node, &body);
    assert_eq!(early.error(), (402, "Payment is not final yet"));
    assert_eq!(later(&mut world, &mut node, &quote, &tx).status, 200);
}

// A-429
#[test]
pub fn a_payment_whose_block_becomes_safe_hours_later_settles_its_quote() {
    let (mut world, mut node, quote) = quoted();
    let tx = pay(&mut node, 9, &quote);
    let body = json!({"paymentRef": quote["paymentRef"], "txHash": tx});
    // Asked for every 20 minutes while the safe block stands still.
    for _ in 0..12 {
        world.now += 1_200_000;
        let waits = settle(&mut world, &node, &body);
        assert_eq!(waits.error(), (402, "Payment is not final yet"));
    }
    assert_eq!(later(&mut world, &mut node, &quote, &tx).status, 200);
    // No longer than a day after its end, and what is in no block is not waited for.
    let (mut world, mut node, quote) = quoted();
    let tx = pay(&mut node, 9, &quote);
    let body = json!({"paymentRef": quote["paymentRef"], "txHash": tx});
    let mut waited = 0;
    while settle(&mut world, &node, &body).status == 402 {
        (world.now, waited) = (world.now + 1_200_000, waited + 1_200);
    }
    assert!((86_400..90_000).contains(&waited), "{waited}");
    let (mut world, node, quote) = quoted();
    let lost = format!("0x{}", "ab".repeat(32));
    let body = json!({"paymentRef": quote["paymentRef"], "txHash": lost});
    let asked = [0, 1_200_000, 1_200_000].map(|more| {
        world.now += more;
        settle(&mut world, &node, &body).status
    });
    assert_eq!(asked, [402, 402, 400]);
}

// A-458
#[test]
pub fn a_node_that_is_silent_ends_no_quote_that_was_paid() {
    let (mut world, mut node, paid) = quoted();
    let tx = pay(&mut node, 9, &paid);
    let body = json!({"paymentRef": paid["paymentRef"], "txHash": tx});
    for _ in 0..12 {
        world.now += 1_200_000;
        let mut asked = request("POST", "/api/protocol/x402/settle", &body);
        let Answer::Evidence(_) = send(&mut world, asked.clone()) else { panic!("it is read") };
        asked.replies.push(String::new());
        assert_eq!(told(&mut world, asked).error(), (503, "Chain cannot be read"));
        // Another one's quote takes away those that have ended.
        quote(&mut world, &json!({}));
    }
    assert_eq!(later(&mut world, &mut node, &paid, &tx).status, 200);
}

/// A quote of a market whose settlements ask who vouches for their agent.
fn quoted_to_agents() -> (World, Node, Value) {
    let mut vars = real_vars();
    vars["bindings"] = json!(["REPUTATION"]);
    let mut world = World::of(&vars);
    let node = Node::at(world.now);
    let quote = quote(&mut world, &json!({"serviceId": "svc", "units": 3, "unitPriceUsd": 0.1}));
    (world, node, quote)
}

/// The settlement of a quote by an agent, and what the Worker says of it.
fn settlement(quote: &Value, tx: &str, word: &str) -> OriginalRequest {
    let body = json!({"paymentRef": quote["paymentRef"], "txHash": tx, "agentId": "agent-1"});
    let asked = request("POST", "/api/protocol/x402/settle", &body);
    OriginalRequest { reputation: Some(word.into()), ..asked }
}

// A-462
#[test]
pub fn a_silent_reputation_worker_ends_no_quote_that_was_paid() {
    let (mut world, mut node, paid) = quoted_to_agents();
    let tx = pay(&mut node, 9, &paid);
    for turn in 0..12 {
        world.now += 1_200_000;
        let mut asked = settlement(&paid, &tx, "");
        let waits = match turn {
            // The node is silent too.
            0..4 => {
                asked.replies.push(String::new());
                (503, "Chain cannot be read")
            }
            4..8 => (402, "Payment is not final yet"),
            _ => {
                node.mine(world.now);
                (503, "Reputation cannot be asked")
            }
        };
        assert_eq!(read(&mut world, &node, asked).error(), waits);
        // Another one's quote takes away those that have ended.
        quote(&mut world, &json!({}));
    }
    let told = read(&mut world, &node, settlement(&paid, &tx, r#"{"ok": true}"#));
    assert_eq!((told.status, &told.body["receipt"]["passportVerified"]), (200, &json!(true)));
}

// A-469
#[test]
pub fn a_silent_reputation_worker_keeps_no_quote_that_is_unpaid() {
    let (mut world, mut node, unpaid) = quoted_to_agents();
    let made_up = format!("0x{}", "ab".repeat(32));
    let to = unpaid["address"].as_str().unwrap();
    let other = node.send(wallet(9).address(), USDC, to, "1");
    for (more, tx, said) in [
        (20_000, &made_up, (402, "Payment is not final yet")),
        (1_200_000, &other, (400, "Transaction does not pay this quote")),
        (0, &made_up, (402, "Payment is not final yet")),
        (1_200_000, &made_up, (400, "Quote expired")),
    ] {
        world.now += more;
        node.mine(world.now);
        let told = read(&mut world, &node, settlement(&unpaid, tx, ""));
        assert_eq!(told.error(), said);
    }
    // Nor one whose payment would be pretended.
    let mut vars = mock_vars();
    vars["bindings"] = json!(["REPUTATION"]);
    let mut world = World::of(&vars);
    let pretended = quote(&mut world, &json!({"chain": "base"}));
    let before = world.rows.original.quotes.clone();
    world.now += 200_000;
    let told = read(&mut world, &node, settlement(&pretended, TX, ""));
    assert_eq!(told.error(), (503, "Reputation cannot be asked"));
    assert_eq!(world.rows.original.quotes, before);
}

#[test]
pub fn two_quotes_never_ask_for_the_same_amount() {
    let mut world = World::of(&real_vars());
    let mut amounts = std::collections::BTreeSet::new();
    for number in 0..200 {
        world.now += 1;
        let client = format!("192.0.2.{number}");
        let asked = OriginalRequest {
            client,
            ..request("POST", "/api/protocol/x402/quote", &json!({"unitPriceUsd": 0.1}))
        };
        let units =
            told(&mut world, asked).body["quote"]["amountUnits"].as_str().unwrap().to_owned();
        let amount: u64 = units.parse().unwrap();
        assert!((100_001..=100_999).contains(&amount), "{amount}");
        assert!(amounts.insert(amount), "{amount} twice");
    }
}

#[test]
pub fn a_client_holds_thirty_two_quotes() {
    let mut world = World::of(&real_vars());
    let asked = || request("POST", "/api/protocol/x402/quote", &json!({}));
    let status = |world: &mut World, asked| {
        world.now += 1;
        told(world, asked).status
    };
    for _ in 0..32 {
        assert_eq!(status(&mut world, asked()), 200);
    }
    assert_eq!(status(&mut world, asked()), 429);
    let other = OriginalRequest { client: "192.0.2.8".into(), ..asked() };
    assert_eq!(status(&mut world, other), 200);
    world.now += 300_000 + 1_800_000;
    assert_eq!(status(&mut world, asked()), 200);
    assert_eq!(world.rows.original.quotes.len(), 1, "what has ended is forgotten");
}

#[test]
pub fn a_few_networks_leave_quotes_to_others() {
    let mut world = World::of(&real_vars());
    let ask = |world: &mut World, client: String| {
        world.now += 1;
        let asked = request("POST", "/api/protocol/x402/quote", &json!({}));
        told(world, OriginalRequest { client, ..asked }).status
    };
    // Hundreds of networks take all they are given: of equal amounts, and none is free of its own.
    for number in 0..300 {
        while ask(&mut world, format!("10.0.{}.{}", number / 250, number % 250)) == 200 {}
    }
    assert_eq!(ask(&mut world, "192.0.2.8".into()), 200, "a newcomer's first");
    assert_eq!(ask(&mut world, "192.0.2.8".into()), 429);
    for number in 0..200 {
        ask(&mut world, format!("10.1.0.{number}"));
    }
    assert_eq!(world.rows.original.quotes.len(), 960);
}

#[test]
pub fn a_node_is_asked_about_a_quote_once_a_second() {
    let (mut world, node, quote) = quoted();
    let body = json!({"paymentRef": quote["paymentRef"], "txHash": TX});
    assert_eq!(settle(&mut world, &node, &body).status, 402);
    assert_eq!(settle(&mut world, &node, &body).status, 429);
    world.now += 1_000;
    assert_eq!(settle(&mut world, &node, &body).status, 402);
}

#[test]
fn without_a_chain_that_can_be_read_no_quote_is_given() {
    let mut vars = real_vars();
    vars["RPC_URL"] = Value::Null;
    let mut world = World::of(&vars);
    let refused = told(&mut world, request("POST", "/api/protocol/x402/quote", &json!({})));
    assert_eq!(refused.error(), (400, "Settlement chain is not available for quote"));
    let mut world = World::of(&real_vars());
    let stellar = request("POST", "/api/protocol/x402/quote", &json!({"chain": "stellar"}));
    let refused = told(&mut world, stellar);
    assert_eq!(refused.error(), (400, "Settlement chain is not available for quote"));
}

#[test]
pub fn whom_the_operator_s_worker_denies_gets_no_quote() {
    let asked = request("POST", "/api/protocol/x402/quote", &json!({"minReputation": 50}));
    let mut world = World::of(&mock_vars());
    let refused = told(&mut world, asked.clone());
    assert_eq!(refused.error(), (503, "Reputation cannot be asked"), "nothing is bound");
    let mut vars = mock_vars();
    vars["bindings"] = json!(["REPUTATION"]);
    let mut world = World::of(&vars);
    let Answer::Reputation(question) = send(&mut world, asked.clone()) else { panic!() };
    let question: Value = serde_json::from_str(&question).unwrap();
    assert_eq!(question["minReputation"], 50);
    let mut answered = |word: &str| {
        world.now += 1;
        let told =
            told(&mut world, OriginalRequest { reputation: Some(word.into()), ..asked.clone() });
        (told.status, told.body["error"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(answered("").0, 503);
    assert_eq!(answered("{}").0, 503);
    assert_eq!(answered(r#"{"ok": true}"#).0, 200);
    let usual = (500, "Reputation too low for this service".to_owned());
    assert_eq!(answered(r#"{"ok": false}"#), usual);
    assert_eq!(answered(r#"{"ok": false, "reason": "too new"}"#), (500, "too new".to_owned()));
}

#[test]
fn an_agent_settles_only_if_the_operator_s_worker_approves_of_it() {
    let mut vars = mock_vars();
    vars["bindings"] = json!(["REPUTATION"]);
    let mut world = World::of(&vars);
    let quote = quote(&mut world, &json!({"chain": "base", "payer": "agent-1"}));
    let body = json!({"quoteId": quote["quoteId"], "txHash": TX, "agentId": "agent-1"});
    let asked = request("POST", "/api/protocol/x402/settle", &body);
    assert!(matches!(send(&mut world, asked.clone()), Answer::Reputation(_)));
    let word = |word: &str| OriginalRequest { reputation: Some(word.into()), ..asked.clone() };
    let denied = told(&mut world, word(r#"{"ok": false, "reason": "no passport"}"#));
    assert_eq!(denied.error(), (402, "Passport gate: no passport"));
    let told = told(&mut world, word(r#"{"ok": true}"#));
    assert_eq!((told.status, &told.body["receipt"]["passportVerified"]), (200, &json!(true)));
}

#[test]
fn receipts_are_listed_by_page_searched_and_summed() {
    let mut world = World::of(&mock_vars());
    let node = Node::at(world.now);
    for number in 1..=3_u8 {
        world.now += 1;
        let payer = if number == 3 { "Agent-B" } else { "agent-a" };
        let asked = json!({"chain": "base", "payer": payer, "serviceId": format!("svc-{number}"), "unitPriceUsd": 0.7});
        let quote = quote(&mut world, &asked);
        let tx = format!("0x{number:064x}");
        let body = json!({"paymentRef": quote["paymentRef"], "txHash": tx});
        assert_eq!(settle(&mut world, &node, &body).status, 200);
    }
    let mut listed = |query: &str| {
        let path = format!("/api/protocol/x402/receipts{query}");
        let told = told(&mut world, request("GET", &path, &Value::Null));
        let services = told.body["receipts"].as_array().unwrap().iter();
        let services: Vec<_> =
            services.map(|row| row["serviceId"].as_str().unwrap().to_owned()).collect();
        (services.join(" "), told.body)
    };
    let (all, body) = listed("");
    assert_eq!(all, "svc-3 svc-2 svc-1");
    assert_eq!(
        body["stats"],
        json!({"totalPayments": 3, "totalUsd": 2.1, "uniqueAgents": 2, "services": 3})
    );
    assert_eq!(
        (&body["page"], &body["pageSize"], &body["total"]),
        (&json!(1), &json!(50), &json!(3))
    );
    assert_eq!(listed("?agent=agent-b").0, "svc-3");
    assert_eq!(listed("?q=SVC-2").0, "svc-2");
    assert_eq!(listed("?service=svc-1&chain=base").0, "svc-1");
    assert_eq!(listed("?chain=bnb").0, "");
    let (page, body) = listed("?page=2&pageSize=2");
    assert_eq!((page.as_str(), &body["totalPages"]), ("svc-1", &json!(2)));
    assert_eq!(listed("?pageSize=0").1["pageSize"], 1);
    assert_eq!(listed("?pageSize=-5").1["pageSize"], 1);
    assert_eq!(listed("?pageSize=1000").1["pageSize"], 50);
    let id = listed("?pageSize=1").1["receipts"][0]["id"].as_str().unwrap().to_owned();
    let one = |id: &str| request("GET", &format!("/api/protocol/x402/receipts/{id}"), &Value::Null);
    assert_eq!(told(&mut world, one(&id)).body["receipt"]["serviceId"], "svc-3");
    assert_eq!(told(&mut world, one("rcpt_x")).error(), (404, "Receipt not found"));
}

#[test]
pub fn the_operator_s_numbers_are_shown_to_the_operator_alone() {
    let mut world = World::of(&mock_vars());
    quote(&mut world, &json!({}));
    let refused = world.reply(Command::Metrics(Viewer::Anyone));
    assert_eq!(refused.status, 401);
    let shown = world.reply(Command::Metrics(Viewer::Operator));
    assert!(shown.text.contains("\nfarebox_market_quotes 1\n"), "{}", shown.text);
}

#[test]
fn the_switch_is_needed() {
    let mut world = World::new();
    let refused = told(&mut world, request("POST", "/api/protocol/x402/quote", &json!({})));
    assert_eq!(refused.error(), (404, "Not found"));
}
