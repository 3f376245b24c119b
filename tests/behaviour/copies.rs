//! Copies of the ledger: objects are held together or not at all, rows come into none that has sold, and a copy of
//! rows as of different moments is answered as each of them would be. Spec: docs/operations.md, "Copies of the ledger".

use std::collections::BTreeMap;

use farebox_core::gate::Gate;
use farebox_core::gate::operator::{CopyCall, CopyStep, OperatorStep};
use farebox_core::gate::reply::{Body, Reply};
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

use crate::dice::Dice;
use crate::sessions::mpp_payer::variables as by_mpp;
use crate::world::ledger::Ledger;
use crate::world::payer::{Payer, Payment};
use crate::world::{BEGIN, With, World, paid, request, vars};

const OPERATOR: &str = "operator-0123456789abcdef0123456789";
const COPY: &str = "00112233445566778899aabbccddeeff";
const LIST: &str = "channels";

fn gate(more: &Value) -> Gate {
    let mut vars = World::chain_vars();
    vars["OPERATOR_TOKEN"] = json!(OPERATOR);
    vars["LEDGER_SHARDS"] = json!(6);
    vars.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Gate::from_vars(&vars.to_string()).unwrap()
}

/// Objects as far as a copy sees them: their states, and what was asked of each.
#[derive(Default)]
struct Objects {
    states: BTreeMap<String, &'static str>,
    asked: Vec<(String, String)>,
    /// The object that sells something once it was looked at.
    sells: Option<String>,
    page: Option<String>,
}

impl Objects {
    fn state(&self, object: &str) -> &'static str {
        self.states.get(object).copied().unwrap_or("empty")
    }

    fn answer(&mut self, call: &CopyCall) -> Option<String> {
        let command: Value = serde_json::from_str(&call.command).unwrap();
        let deed = command["do"].as_str().unwrap();
        let (name, state) = (call.object.clone(), self.state(&call.object));
        self.asked.push((name.clone(), deed.to_owned()));
        let next = match (deed, state) {
            ("hold", "empty") => "held",
            ("take", "empty") if command["holds"] == true => "held",
            ("free", "held") => "empty",
            ("open", "held") => "open",
            _ => state,
        };
        self.states.insert(name.clone(), next);
        if self.sells.as_ref() == Some(&name) {
            self.states.insert(name, "used");
        }
        if deed == "take" {
            self.page = Some(call.object.clone());
        }
        Some(json!({"state": next, "next": u8::from(deed == "take")}).to_string())
    }

    /// The answer to an operator's request.
    fn ask(&mut self, gate: &Gate, path: &str) -> (u16, Value) {
        let method = if path.starts_with("restore") { "POST" } else { "GET" };
        let head = request(method, &format!("/_farebox/{path}"))
            .header("authorization", &format!("Bearer {OPERATOR}"));
        let step = gate.operator().begin(&head, None, "correlation", UnixTime::from_secs(BEGIN));
        let mut copy = match step.unwrap() {
            OperatorStep::Answer(reply) => return shown(&reply),
            OperatorStep::Copy(copy) => copy,
            step => panic!("{step:?}"),
        };
        loop {
            match copy.turn() {
                CopyStep::Answer(reply) => return shown(&reply),
                CopyStep::Ask(calls) => {
                    let answers: Vec<_> = calls.iter().map(|call| self.answer(call)).collect();
                    copy.answered(answers);
                }
            }
        }
    }

    fn begin(&mut self, gate: &Gate) -> (u16, Value) {
        let (_, said) = self.ask(gate, "backup");
        let salt = said["salt"].as_str().unwrap();
        self.ask(gate, &format!("restore?do=begin&copy={COPY}&salt={salt}"))
    }

    /// The objects in this state.
    fn held(&self) -> usize {
        self.states.values().filter(|state| **state == "held").count()
    }
}

fn shown(reply: &Reply) -> (u16, Value) {
    let Body::Text(body) = &reply.body else { panic!() };
    (reply.head.status, serde_json::from_str(body).unwrap())
}

fn refused(said: &(u16, Value), parameter: &str) {
    assert_eq!(said.0, 409, "{said:?}");
    assert_eq!(said.1["code"], "restore_refused");
    assert_eq!(said.1["parameter"], parameter);
}

#[test]
fn every_object_is_held_before_the_list_of_channels_is_and_let_go_together() {
    let (gate, mut objects) = (gate(&json!({})), Objects::default());
    assert_eq!(objects.begin(&gate).0, 200);
    assert_eq!(objects.held(), 8, "six of the ledger, the counters, the list");
    let held: Vec<_> = objects.asked.iter().filter(|(_, deed)| deed == "hold").collect();
    assert_eq!(held.last().unwrap().0, LIST);
    let again = objects.begin(&gate);
    assert_eq!(
        (again.0, &again.1["next"]),
        (200, &Value::Null),
        "a restore that broke off goes on"
    );
    objects.asked.clear();
    let end = format!("restore?do=end&copy={COPY}");
    assert_eq!(objects.ask(&gate, &end).0, 200);
    assert_eq!((objects.held(), objects.state("ledger/6/0")), (0, "open"));
    assert_eq!(objects.ask(&gate, &end).0, 200, "and so does its end");
    assert_eq!(objects.begin(&gate).1["next"], "opened");
}

//
#[test]
pub fn no_rows_come_into_a_gate_that_has_sold() {
    for used in ["ledger/6/0", "ledger/6/5", LIST] {
        let (gate, mut objects) = (gate(&json!({})), Objects::default());
        objects.states.insert(used.to_owned(), "used");
        refused(&objects.begin(&gate), used);
        assert_eq!(objects.held(), 0, "{used}");
        assert!(objects.asked.iter().all(|(_, deed)| deed == "look"));
        // Nor are objects let go that were never held together.
        refused(&objects.ask(&gate, &format!("restore?do=end&copy={COPY}")), "ledger/6/0");
        let one = format!("restore?do=open&copy={COPY}&object=ledger/6/1");
        let said = objects.ask(&gate, &one);
        assert_eq!((said.0, &said.1["parameter"]), (400, &json!("object")));
    }
}

//
#[test]
pub fn a_sale_between_a_look_and_the_hold_sets_all_others_free() {
    for sells in ["ledger/6/0", "ledger/6/3", "ledger/6/5", LIST] {
        let gate = gate(&json!({}));
        let mut objects = Objects { sells: Some(sells.to_owned()), ..Objects::default() };
        refused(&objects.begin(&gate), sells);
        assert_eq!(objects.held(), 0, "{sells}");
        // Not even for a moment, unless all others were held.
        let list = (LIST.to_owned(), "hold".to_owned());
        assert_eq!(objects.asked.contains(&list), sells == LIST, "{sells}");
        // While the list is not held, no channel takes rows.
        let channel = format!("channel/0x{}", "ab".repeat(32));
        let page = format!("restore?do=page&copy={COPY}&object={channel}&page=0");
        refused(&objects.ask(&gate, &page), "copy");
        assert_eq!(objects.page, None);
    }
}

#[test]
fn objects_of_a_finished_restore_take_no_rows_beside_new_ones() {
    let (gate, mut objects) = (gate(&json!({})), Objects::default());
    for shard in 0..5 {
        objects.states.insert(format!("ledger/6/{shard}"), "open");
    }
    // The number of objects was changed since, so one is empty.
    refused(&objects.begin(&gate), "ledger/6/5");
    assert_eq!(objects.held(), 0);
}

//
#[test]
pub fn a_copy_comes_only_where_its_payments_are_found_and_none_is_sold_again() {
    let plain = gate(&json!({}));
    let (_, said) = Objects::default().ask(&plain, "backup");
    let salt = said["salt"].as_str().unwrap();
    assert_eq!(said["sells"], true);
    assert_eq!(said["objects"].as_array().unwrap().len(), 8);
    let begin = |gate: &Gate, more: &str| {
        let path = format!("restore?do=begin&copy={COPY}&salt={salt}{more}");
        let mut objects = Objects::default();
        let said = objects.ask(gate, &path);
        assert_eq!(objects.held() > 0, said.0 == 200);
        said
    };
    assert_eq!(begin(&plain, "").0, 200);
    refused(&begin(&plain, "&until=1790000000"), "LEDGER_CLOSED_BEFORE");
    refused(&begin(&plain, "&until=soon"), "LEDGER_CLOSED_BEFORE");
    refused(&begin(&plain, "&restores=1780000000"), "LEDGER_CLOSED_BEFORE");
    let other = gate(&json!({"LEDGER_SALT": "another salt of the same length"}));
    refused(&begin(&other, ""), "LEDGER_SALT");
    let closed = gate(&json!({"LEDGER_CLOSED_BEFORE": "1790000000,1780000000"}));
    for more in [
        "&until=1790000000",
        "&until=1789999999&restores=1780000000",
        "&restores=1790000000,1780000000",
    ] {
        assert_eq!(begin(&closed, more).0, 200, "{more}");
    }
    refused(&begin(&closed, "&until=1790000001"), "LEDGER_CLOSED_BEFORE");
    let route =
        json!({"path": "/live", "methods": ["GET"], "price": "$0.01", "session_delay_secs": 900});
    let live = gate(&json!({"ROUTES": [route], "bindings": ["CHANNEL", "LEDGER"]}));
    refused(&begin(&live, ""), "ROUTES");
}

//
#[test]
pub fn no_copy_comes_into_a_gate_that_sells_by_a_session_of_either_protocol() {
    let mut vars = by_mpp();
    let mut objects = Objects::default();
    refused(&objects.begin(&gate(&vars)), "ROUTES");
    assert_eq!(objects.held(), 0);
    let route = vars["ROUTES"][0].as_object_mut().unwrap();
    assert!(route.remove("session_escrow").is_some());
    assert_eq!(objects.begin(&gate(&vars)).0, 200, "the same route without sessions");
}

//
#[test]
pub fn without_the_operators_token_a_copy_is_neither_given_nor_taken() {
    let gate = gate(&json!({"REFUND_TOKEN": "refund-0123456789abcdef0123456789ab"}));
    let now = UnixTime::from_secs(BEGIN);
    for (method, path) in [("GET", "backup"), ("POST", "restore?do=begin")] {
        for token in ["", "Bearer refund-0123456789abcdef0123456789ab", "Bearer x"] {
            let head = request(method, &format!("/_farebox/{path}")).header("authorization", token);
            let Some(OperatorStep::Answer(reply)) = gate.operator().begin(&head, None, "c", now)
            else {
                panic!("{path} {token}")
            };
            assert_eq!(shown(&reply).1["code"], "unauthorized");
        }
    }
    let bare = Gate::from_vars(&World::chain_vars().to_string()).unwrap();
    assert!(bare.operator().begin(&request("GET", "/_farebox/backup"), None, "c", now).is_none());
}

/// A payment of this payer, and the moment of which its row is.
struct Copied {
    payer: u8,
    payment: Payment,
    moment: usize,
}

/// The answer to a payment after a restore of this ledger, and what its row comes to.
fn outcome(world: &World, ledger: &Ledger, copied: &Copied) -> (u16, String, Option<String>) {
    let mut world = world.clone();
    world.payer = Payer::new(copied.payer);
    world.ledger = ledger.clone();
    world.ledger.start_again(world.now());
    let said = world.present(&copied.payment);
    world.pass(86_400);
    let row = world.find_row(&copied.payment.nonce).map(|row| format!("{:?}", row.state));
    (said.status, if said.status == 200 { String::new() } else { said.problem() }, row)
}

//
#[test]
pub fn rows_of_different_moments_are_answered_as_each_of_them_would_be() {
    let routes = json!([
        {"path": "/before", "price": "$0.01", "settle": "before"},
        {"path": "/after", "price": "$0.01", "settle": "after"},
    ]);
    let mut dice = Dice::seeded(820);
    let (mut unknown, mut known) = (0, 0);
    for _ in 0..40 {
        let mut world = World::with(vars(routes.clone()));
        let mut under_way = Vec::new();
        for payer in 1..6 {
            world.payer = Payer::new(payer);
            let payment = world.sign(if payer % 2 == 0 { "/before" } else { "/after" });
            under_way.push((payment, None));
        }
        // The copy begins with the first of these moments.
        let mut moments = vec![world.ledger.clone()];
        for _ in 0..50 {
            let place = usize::try_from(dice.below(5)).unwrap();
            let (payment, running) = &mut under_way[place];
            match running {
                Some(running) => _ = world.advance(running),
                None => *running = Some(world.start(paid(payment), b"")),
            }
            moments.push(world.ledger.clone());
        }
        let mut torn = moments[0].clone();
        let mut copied = Vec::new();
        for ((payment, _), payer) in under_way.into_iter().zip(1..) {
            let moment = usize::try_from(dice.below(moments.len() as u64)).unwrap();
            torn.copy_rows(&moments[moment], &Payer::new(payer).address.to_lower_hex());
            copied.push(Copied { payer, payment, moment });
        }
        world.wait(60);
        let mut after = vars(routes.clone());
        after["LEDGER_CLOSED_BEFORE"] = world.now().secs().into();
        world.gate = Box::leak(Box::new(Gate::from_vars(&after.to_string()).unwrap()));
        for copied in &copied {
            let then = &moments[copied.moment];
            let expected = outcome(&world, then, copied);
            assert_eq!(outcome(&world, &torn, copied), expected);
            match then.has_rows(&Payer::new(copied.payer).address.to_lower_hex()) {
                true => known += 1,
                // What no row knows begins nothing.
                false => {
                    assert_eq!((expected.0, expected.2), (503, None));
                    unknown += 1;
                }
            }
        }
    }
    assert!(unknown > 20 && known > 60, "{unknown} and {known}");
}
