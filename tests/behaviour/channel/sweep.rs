//! The sweep wakes channels whose alarm was lost, others each time.

use std::collections::BTreeSet;

use farebox_core::channel::index::{ChannelRun, IndexAsk};
use serde_json::json;

use crate::dice::Dice;

/// Answers for a page as the list of channels does.
fn answer(listed: &BTreeSet<String>, message: &str) -> String {
    let Some(IndexAsk::Page(after, limit)) = IndexAsk::read(message) else { panic!("{message}") };
    let page = listed.iter().filter(|id| **id > after).take(usize::try_from(limit).unwrap());
    let shown = page.map(|id| match id.starts_with("0x") {
        true => json!({"id": id, "asset": "0x00", "state": "open"}),
        false => json!({"id": id, "account": "0x00"}),
    });
    json!(shown.collect::<Vec<_>>()).to_string()
}

/// The channels that so many runs wake, one after the other.
fn woken(listed: &BTreeSet<String>, runs: u64) -> BTreeSet<String> {
    let wake = |number| {
        let run = ChannelRun::new(2_000_000 + number);
        let answers = run.messages().map(|message| answer(listed, &message));
        let ids = run.channels([Some(&answers[0]), Some(&answers[1])]);
        assert!(ids.len() <= 100, "{}", ids.len());
        ids
    };
    (0..runs).flat_map(wake).collect()
}

#[test]
fn each_run_wakes_others_and_no_channel_is_left_out() {
    let mut dice = Dice::seeded(7);
    let mut listed = BTreeSet::from(["payee/eip155:84532".to_owned()]);
    let mut id =
        || format!("0x{}", (0..64).map(|_| format!("{:x}", dice.below(16))).collect::<String>());
    listed.extend((0..60).map(|_| id()));
    let channels = |listed: &BTreeSet<String>| -> BTreeSet<String> {
        listed.iter().filter(|id| id.starts_with("0x")).cloned().collect()
    };
    assert_eq!(woken(&listed, 1), channels(&listed), "all of a short list, each time");
    listed.extend((0..1_940).map(|_| id()));
    assert!(woken(&listed, 20).len() > 1_200);
    assert_eq!(woken(&listed, 64), channels(&listed));
    assert_eq!(ChannelRun::new(0).channels([None, Some("no list")]), Vec::<String>::new());
}
