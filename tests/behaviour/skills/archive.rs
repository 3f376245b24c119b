//! The ledger whose old rows are in a bucket: it reads like one that kept them.

use farebox_core::skills::message::{Answer, Chore, Command, Viewer};
use serde_json::{Value, json};

use super::world::{TX, World, charge, decision, echo, invocation};

const ROWS: usize = 3_500;
const OUTCOMES: [&str; 4] = ["paid_ok", "free", "paid_failed", "not_paid_failed"];

/// Lines of an export.
fn lines() -> Vec<String> {
    let line = |number: usize| {
        json!({
            "id": format!("inv_{number}_abcdef"), "agentId": format!("agent-{}", number % 3),
            "organization": "acme", "skillId": format!("skill-{}", number % 700),
            "number": number, "amount": "0.1", "amountXLM": 1, "asset": "USDC",
            "network": "eip155:84532", "txHash": format!("0x{number:064}"), "invokedAt": number,
            "outcome": OUTCOMES[number % 4], "paid": "yes",
        })
        .to_string()
    };
    (1..=ROWS).map(line).collect()
}

/// A market that keeps so many rows, with an imported ledger.
fn imported(keep: Option<u64>) -> World {
    let mut world = World::new();
    world.market.ledger_rows = keep;
    for page in lines().chunks(500) {
        let put = world.reply(Command::Import(Viewer::Operator, page.join("\n")));
        assert_eq!(put.status, 200, "{put:?}");
    }
    world
}

/// What all pages of a list have together.
fn all(world: &mut World, filter: &str) -> Vec<Value> {
    let (mut rows, mut cursor) = (Vec::new(), String::new());
    loop {
        let query = format!("{filter}&cursor={cursor}");
        let reply = world.reply(Command::Invocations(Viewer::Operator, query));
        rows.extend(reply.body["invocations"].as_array().unwrap().clone());
        match reply.body["cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => return rows,
        }
    }
}

fn exported(world: &mut World, format: &str) -> String {
    let (mut text, mut cursor) = (String::new(), "0".to_owned());
    loop {
        let query = format!("format={format}&limit=700&cursor={cursor}");
        let page = world.reply(Command::Export(Viewer::Operator, query));
        let Some((_, next)) = page.headers.iter().find(|(name, _)| name == "farebox-cursor") else {
            return text;
        };
        next.clone_into(&mut cursor);
        text += &page.text;
    }
}

#[test]
pub fn lists_ids_and_exports_are_those_of_a_ledger_that_kept_its_rows() {
    let (mut whole, mut split) = (imported(None), imported(Some(600)));
    assert_eq!((whole.shelve(), split.shelve()), (0, 3));
    assert_eq!(split.rows.invocations.len(), 500);
    let filters = [
        "",
        "limit=1000",
        "limit=7&agentId=agent-1",
        "skillId=skill-5",
        "status=failed&limit=900",
        "agentId=agent-2&skillId=skill-8&status=success",
        "agentId=nobody",
    ];
    for filter in filters {
        assert_eq!(all(&mut split, filter), all(&mut whole, filter), "{filter}");
    }
    for format in ["csv", "jsonl"] {
        assert_eq!(exported(&mut split, format), exported(&mut whole, format), "{format}");
    }
    for number in [1, 999, 1_000, 1_001, 3_000, 3_001, 3_500, 3_501] {
        let asked = || Command::InvocationById(Viewer::Operator, format!("inv_{number}_abcdef"));
        assert_eq!(split.reply(asked()), whole.reply(asked()), "{number}");
    }
    assert_eq!(split.rows.spends, whole.rows.spends);
}

#[test]
pub fn fifty_thousand_rows_stay_and_no_more() {
    let mut world = World::of(&{
        let mut vars = super::world::vars();
        vars["bindings"] = json!(["ARCHIVE", "SKILLS"]);
        vars
    });
    assert_eq!(world.market.ledger_rows, Some(50_000));
    world.market.ledger_rows = Some(3_499);
    let (lines, mut due) = (lines(), Vec::new());
    for page in [&lines[..2_000], &lines[2_000..3_499], &lines[3_499..]] {
        let put = world.reply(Command::Import(Viewer::Operator, page.join("\n")));
        assert_eq!(put.status, 200);
        due.push(world.rows.archive.due.is_some());
    }
    assert_eq!(due, [false, false, true]);
    assert_eq!(
        (world.shelve(), world.rows.shelves[0].first, world.rows.shelves[0].last),
        (1, 1, 1_000)
    );
    assert_eq!(world.rows.archive.due, None);
}

#[test]
pub fn what_is_in_the_archive_is_not_imported_again() {
    let mut world = imported(Some(600));
    world.shelve();
    let line = &lines()[6];
    let next = line.replace("\"number\":7", &format!("\"number\":{}", ROWS + 1));
    let other_id = next.replace("inv_7_", "inv_x_");
    let other_tx = next.replace(&format!("0x{:064}", 7), "0xabc");
    for line in [next, other_id, other_tx] {
        let put = world.reply(Command::Import(Viewer::Operator, line));
        assert_eq!(put.error(), (400, "line 1 is no row of an export"));
    }
}

#[test]
pub fn a_row_that_is_not_over_stays_and_is_listed_in_its_place() {
    let mut world = World::new();
    world.market.ledger_rows = Some(0);
    world.publish(&echo());
    world.buy("key-1", decision("allow", TX));
    let order = world.order("key-2");
    world.buy("key-3", decision("deny", ""));
    assert_eq!(world.shelve(), 1);
    let stays =
        |world: &World| world.rows.invocations.iter().map(|row| row.number).collect::<Vec<_>>();
    assert_eq!(stays(&world), [2]);
    let numbers = |world: &mut World| {
        let rows = all(world, "");
        rows.iter().map(|row| row["number"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&mut world), [3, 2, 1]);
    world.paid(&order, Some(decision("deny", "")));
    world.now += 60_000;
    assert_eq!((world.shelve(), numbers(&mut world)), (0, vec![3, 2, 1]));
    assert_eq!(exported(&mut world, "jsonl").lines().count(), 3);
}

//
#[test]
pub fn a_key_whose_row_is_in_the_archive_is_answered_with_the_same_bytes() {
    let mut world = World::new();
    world.market.ledger_rows = Some(0);
    world.publish(&echo());
    let first = world.buy("key-1", decision("allow", TX));
    assert_eq!(world.shelve(), 1);
    let asked = Command::Invoke(Box::new(invocation("key-1", "hello")));
    assert_eq!(world.reply(asked), first);
    assert!(world.rows.invocations.is_empty());
}

#[test]
pub fn a_transaction_of_a_row_in_the_archive_pays_no_other() {
    let mut world = World::new();
    world.market.ledger_rows = Some(0);
    world.publish(&echo());
    world.buy("key-1", decision("allow", TX));
    assert_eq!(world.shelve(), 1);
    world.buy("key-2", decision("allow", TX));
    assert_eq!(world.rows.invocations[0].tx, "");
}

#[test]
pub fn rows_stay_until_the_bucket_has_them() {
    let mut world = imported(Some(600));
    let Answer::Shelf(shelf) = world.send(Command::Shelf) else { panic!("no shelf") };
    let wrong = [None, Some(String::new()), Some(shelf.text[1..].to_owned())];
    let mut gaps = Vec::new();
    for read in wrong {
        world.send(Command::Kept(shelf.name.clone(), read));
        gaps.push(world.rows.archive.due.unwrap() - world.now);
        assert_eq!(world.send(Command::Due), Answer::Tasks(Vec::new()));
        world.now = world.rows.archive.due.unwrap();
    }
    assert_eq!(gaps, [5_000, 10_000, 20_000]);
    assert_eq!((world.rows.shelves.len(), world.rows.invocations.len()), (0, ROWS));
    assert_eq!(world.send(Command::Due), Answer::Tasks(vec![Chore::Shelve]));
    world.send(Command::Kept(shelf.name, Some(shelf.text)));
    assert_eq!((world.rows.shelves.len(), world.rows.archive.failures), (1, 0));
}

#[test]
pub fn an_object_that_is_not_what_its_name_says_is_shown_to_no_one() {
    let mut world = imported(Some(600));
    world.shelve();
    for text in world.bucket.values_mut() {
        *text = text.replace("agent-1", "agent-2");
    }
    let listed = world.reply(Command::Invocations(Viewer::Operator, "cursor=1000".into()));
    assert_eq!(listed.error(), (503, "archive_unavailable"));
    let newest = world.reply(Command::Invocations(Viewer::Operator, "limit=400".into()));
    assert_eq!(newest.status, 200);
}

#[test]
pub fn without_a_bucket_every_row_stays_and_the_alarm_has_no_work() {
    let mut world = imported(Some(600));
    world.market.ledger_rows = None;
    assert_eq!(world.send(Command::Due), Answer::Tasks(Vec::new()));
    assert_eq!((world.rows.archive.due, world.rows.invocations.len()), (None, ROWS));
}

#[test]
pub fn an_agent_reads_its_own_rows_of_the_archive_alone() {
    let mut world = World::new();
    world.market.ledger_rows = Some(0);
    world.publish(&echo());
    let call = world.call("key-1");
    world.called(&call, charge("250001"));
    world.shelve();
    let other = super::world::proven();
    let other = farebox_core::skills::message::Proven { agent: "other".into(), ..other };
    let mut status = |viewer: Viewer| {
        let reply = world.reply(Command::InvocationById(viewer, call.invocation.clone()));
        reply.status
    };
    assert_eq!(status(Viewer::Agent(super::world::proven())), 200);
    assert_eq!(status(Viewer::Agent(other)), 404);
    assert_eq!(status(Viewer::Anyone), 401);
}
