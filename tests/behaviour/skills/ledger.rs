//! The ledger of invocations, as the original's tests see it.

use farebox_core::skills::Now;
use farebox_core::skills::ledger::{self, Entry};
use farebox_core::skills::message::{Command, Viewer};

use super::world::World;

fn record(
    world: &mut World,
    agent: &str,
    skill: &str,
    xlm: &str,
    tx: &str,
    status: &str,
) -> String {
    world.now += 1;
    let random = std::array::from_fn(|_| u8::try_from(world.dice.below(256)).unwrap());
    let moment = Now { now: world.now, random: &random };
    let error = if status == "failed" { "Network error" } else { "" };
    let [agent, skill, xlm, tx] = [agent, skill, xlm, tx].map(str::to_owned);
    let entry = Entry { agent, skill, xlm, tx, status: status.to_owned(), error: error.to_owned() };
    let (row, changes) = ledger::record(&world.rows, &entry, moment).unwrap();
    world.rows.write(changes);
    row.id
}

fn listed(world: &mut World, query: &str) -> Vec<String> {
    let reply = world.reply(Command::Invocations(Viewer::Operator, query.to_owned()));
    let rows = reply.body["invocations"].as_array().unwrap().clone();
    rows.iter().map(|row| row["txHash"].as_str().unwrap().to_owned()).collect()
}

#[test]
pub fn a_record_has_an_id_its_amount_and_a_time() {
    let mut world = World::new();
    let id = record(&mut world, "agent-1", "skill-a", "2.5", "tx_abc123", "");
    let reply = world.reply(Command::InvocationById(Viewer::Operator, id.clone()));
    let row = &reply.body["invocation"];
    assert!(id.starts_with("inv_"));
    assert!(reply.text.contains(r#""amountXLM":2.5"#));
    assert_eq!((&row["status"], &row["invokedAt"]), (&"success".into(), &world.now.into()));
    let missing = world.reply(Command::InvocationById(Viewer::Operator, "inv_x".into()));
    assert_eq!(missing.status, 404);
}

#[test]
pub fn a_failure_keeps_its_status_and_error() {
    let mut world = World::new();
    record(&mut world, "agent-1", "skill-a", "2.5", "", "failed");
    let reply = world.reply(Command::Invocations(Viewer::Operator, String::new()));
    let row = &reply.body["invocations"][0];
    assert_eq!((&row["status"], &row["error"]), (&"failed".into(), &"Network error".into()));
}

#[test]
pub fn lists_are_newest_first_filtered_and_cut_last() {
    let mut world = World::new();
    record(&mut world, "agent-1", "a", "1", "tx1", "");
    record(&mut world, "agent-1", "b", "1", "tx2", "");
    record(&mut world, "agent-2", "a", "1", "tx3", "");
    assert_eq!(listed(&mut world, ""), ["tx3", "tx2", "tx1"]);
    assert_eq!(listed(&mut world, "agentId=agent-1"), ["tx2", "tx1"]);
    assert_eq!(listed(&mut world, "skillId=a&limit=1"), ["tx3"]);
    assert_eq!(listed(&mut world, "limit=2&cursor=3"), ["tx2", "tx1"]);
}

#[test]
pub fn totals_are_those_of_successes() {
    let mut world = World::new();
    record(&mut world, "agent-1", "a", "1.0", "tx1", "");
    record(&mut world, "agent-1", "a", "2.5", "tx2", "");
    record(&mut world, "agent-1", "a", "3.0", "tx3", "failed");
    record(&mut world, "agent-2", "a", "5.0", "tx4", "");
    let mut total = |agent: &str| {
        let reply = world.reply(Command::Spend(Viewer::Operator, agent.to_owned()));
        reply.text.split("\"totalXLM\":").nth(1).unwrap().split(',').next().unwrap().to_owned()
    };
    assert_eq!([total("agent-1"), total("agent-2")], ["3.5", "5"]);
    let tallies = &world.rows.spends["/agent-1"].assets;
    let told: Vec<_> = tallies
        .iter()
        .map(|it| (it.asset.as_str(), it.spent.as_str(), it.failed.as_str()))
        .collect();
    assert_eq!(told, [("XLM", "3.5", "0")], "one of each asset");
}

#[test]
pub fn an_export_goes_into_an_empty_ledger_and_comes_out_the_same() {
    let mut world = World::new();
    record(&mut world, "agent-1", "a", "1.25", "tx1", "");
    record(&mut world, "=agent", "b, \"c\"", "0.0000001", "tx2", "failed");
    let lines = world.reply(Command::Export(Viewer::Operator, "format=jsonl".into())).text;
    let mut other = World::new();
    let put = other.reply(Command::Import(Viewer::Operator, lines.clone()));
    assert_eq!((put.status, &put.body["imported"]), (200, &2.into()));
    let again = other.reply(Command::Export(Viewer::Operator, "format=jsonl".into())).text;
    assert_eq!(again, lines);
    assert_eq!(other.rows.spends["/agent-1"].xlm, world.rows.spends["/agent-1"].xlm);
    let full = other.reply(Command::Import(Viewer::Operator, lines));
    assert_eq!(full.status, 409);
    let csv = world.reply(Command::Export(Viewer::Operator, "format=csv".into())).text;
    assert!(csv.contains("\"'=agent\",\"b, \"\"c\"\"\""), "{csv}");
}

#[test]
pub fn an_export_goes_in_by_pages_and_no_page_is_taken_twice_or_left_out() {
    let mut world = World::new();
    for (place, tx) in ["tx1", "tx2", "tx3", "tx4", "tx5"].into_iter().enumerate() {
        record(&mut world, &format!("agent-{}", place % 2), "a", "1.25", tx, "");
    }
    let mut page = |cursor: &str| {
        let query = format!("format=jsonl&limit=2&cursor={cursor}");
        world.reply(Command::Export(Viewer::Operator, query)).text
    };
    let pages = [page("0"), page("2"), page("4")];
    let mut other = World::new();
    let mut put = |lines: &str| {
        let told = other.reply(Command::Import(Viewer::Operator, lines.to_owned()));
        (told.status, told.body["error"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(put(&pages[0]).0, 200);
    let goes_on = (409, "The ledger goes on at number 3".to_owned());
    assert_eq!([put(&pages[0]), put(&pages[2])], [goes_on.clone(), goes_on]);
    let gap = format!("{}{}", pages[1].lines().next().unwrap(), "\n") + &pages[2];
    assert_eq!(put(&gap).0, 400);
    let twice = pages[1].replace("tx4", "tx1");
    assert_eq!(put(&twice), (400, "line 2 is no row of an export".to_owned()));
    assert_eq!([put(&pages[1]).0, put(&pages[2]).0], [200, 200]);
    let lines = other.reply(Command::Export(Viewer::Operator, String::new())).text;
    assert_eq!(lines, pages.concat());
    assert_eq!(other.rows.spends, world.rows.spends);
}

#[test]
pub fn nothing_is_imported_after_an_invocation_of_the_market_s_own() {
    let mut world = World::new();
    world.publish(&super::world::gated());
    world.invoke("key", "hello");
    let number = world.rows.invocations[0].number;
    let mut from = World::new();
    record(&mut from, "agent-1", "a", "1", "tx1", "");
    let line = from.reply(Command::Export(Viewer::Operator, String::new())).text;
    let next = line.replace("\"number\":1,", &format!("\"number\":{},", number + 1));
    let put = world.reply(Command::Import(Viewer::Operator, next));
    assert_eq!(put.status, 409);
}
