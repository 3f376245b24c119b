//! Editions of the catalogue: a Worker keeps what it read of one, so whatever a list shows has to
//! make another one.

use std::collections::BTreeSet;

use farebox_core::skills::message::{Answer, Command, Labels};
use farebox_core::skills::offered::{Edition, Offered};
use serde_json::json;

use super::room::from;
use super::world::{World, echo, gated, owner, sale, vars};
use crate::dice::Dice;

const IDS: [&str; 3] = ["echo", "other", "third"];
const HISTORIES: u64 = 60;
const STEPS: usize = 30;

fn look(world: &mut World, id: &str) -> Vec<Offered> {
    match world.send(Command::Offered(id.to_owned())) {
        Answer::Skills { skills, .. } => skills,
        other => panic!("no skills: {other:?}"),
    }
}

fn told(world: &mut World) -> Edition {
    match world.send(Command::Edition) {
        Answer::Edition(edition) => edition,
        other => panic!("no edition: {other:?}"),
    }
}

/// Does something that owners, clients, the gate or the alarm do.
fn step(world: &mut World, dice: &mut Dice, turn: usize) {
    let id = dice.pick(&IDS);
    let mut body = gated();
    body["skillId"] = id.into();
    let owned = |world: &mut World, action: &str| {
        let mut body = body.clone();
        body["version"] = format!("1.{turn}.0").into();
        body["price"] = format!("$0.{}", 10 + turn).into();
        world.signed(1, action, id, &body).to_string()
    };
    let (labels, name) = (Labels::default, id.to_owned());
    match dice.below(9) {
        0..2 => drop(world.publish(&body)),
        2 => {
            let body = owned(world, "version");
            world.send(Command::Revise(labels(), name, body));
        }
        3 => {
            let body = world.signed(1, "deactivate", id, &json!({})).to_string();
            world.send(Command::Deactivate(labels(), name, body));
        }
        4 => {
            let body = world.signed(1, "rotate", id, &json!({})).to_string();
            world.send(Command::Rotate(labels(), name, body));
        }
        5 => {
            let mut fee = sale("1000000");
            (fee.path, fee.payment) = (format!("/fees/{id}"), format!("fee-{turn}"));
            world.send(Command::Sold(Box::new(fee)));
        }
        6 => {
            let mut sold = sale("250000");
            (sold.path, sold.payment) = (format!("/s/{id}"), format!("sale-{turn}"));
            world.send(Command::Sold(Box::new(sold)));
        }
        7 => {
            if let Answer::Table(draft) = world.draft_table() {
                let refused = (name, "no room".to_owned());
                let refused = if dice.below(2) == 0 { vec![refused] } else { Vec::new() };
                world.send(Command::TableWritten(draft.revision, refused));
            }
        }
        _ => world.now += 600_000 * (1 + dice.below(200)),
    }
}

#[test]
pub fn whatever_a_list_shows_is_of_another_edition_once_it_has_changed() {
    let mut changes = 0;
    for seed in 0..HISTORIES {
        let mut vars = vars();
        if seed % 2 == 0 {
            vars["LISTING_FEE"] = "$1.00".into();
            vars["PAY_TO"] = super::world::owner(5).into();
        }
        let (mut world, mut dice) = (World::of(&vars), Dice::seeded(seed + 1));
        let (mut edition, mut skills) = world.listed(|_| ());
        for turn in 0..STEPS {
            step(&mut world, &mut dice, turn);
            let (next, now) = world.listed(|_| ());
            assert_eq!(told(&mut world), next, "{seed}");
            assert!(next.covers(edition), "{seed}: {edition:?} {next:?}");
            assert!(now == skills || !edition.covers(next), "{seed}: {now:?}");
            changes += usize::from(now != skills);
            (edition, skills) = (next, now);
        }
    }
    assert!(changes > 200, "{changes}");
}

#[test]
pub fn one_skill_is_read_as_the_list_has_it() {
    let mut world = World::new();
    assert_eq!(world.publish(&gated()).status, 201);
    let (_, all) = world.listed(|_| ());
    assert_eq!(look(&mut world, "echo"), all);
    assert_eq!(look(&mut world, "other"), []);
    let body = world.signed(1, "deactivate", "echo", &json!({})).to_string();
    world.send(Command::Deactivate(Labels::default(), "echo".into(), body));
    assert_eq!(look(&mut world, "echo"), []);
}

/// A market with so many skills, which one owner after another has published.
fn crowded(count: u8) -> World {
    let mut world = World::new();
    for number in 0..count {
        let mut body = echo();
        (body["skillId"], body["payTo"]) =
            (format!("s-{number}").into(), owner(10 + number).into());
        let signed = world.signed(10 + number, "publish", "", &body).to_string();
        let labels = from(&format!("10.0.0.{number}"));
        assert_eq!(world.reply(Command::Publish(labels, signed)).status, 201);
        // Some at the same millisecond.
        world.now += u64::from(number % 3);
    }
    world
}

fn ids(skills: &[Offered]) -> Vec<String> {
    skills.iter().map(|skill| skill.id.clone()).collect()
}

//
#[test]
pub fn many_skills_are_told_in_parts_of_a_hundred_each_of_them_once() {
    for count in [99, 100, 101, 200, 201] {
        let mut world = crowded(count);
        let mut parts = 1;
        let (_, skills) = world.listed(|_| parts += 1);
        assert_eq!(parts, usize::from(count) / 100 + 1, "{count}");
        let mut sorted: Vec<_> = skills.iter().map(|it| (it.created, it.id.clone())).collect();
        sorted.sort_by(|a, b| b.cmp(a));
        let told: Vec<_> = skills.iter().map(|it| (it.created, it.id.clone())).collect();
        assert_eq!(told, sorted, "{count}");
        let each: BTreeSet<String> = ids(&skills).into_iter().collect();
        assert_eq!((each.len(), skills.len()), (count.into(), count.into()));
    }
}

#[test]
pub fn what_changes_between_two_parts_is_of_another_edition() {
    let mut world = crowded(150);
    let before = world.listed(|_| ());
    let (edition, skills) = world.listed(|world| {
        let mut body = echo();
        (body["skillId"], body["payTo"]) = ("new".into(), owner(9).into());
        let signed = world.signed(9, "publish", "", &body).to_string();
        assert_eq!(world.reply(Command::Publish(Labels::default(), signed)).status, 201);
        let signed = world.signed(10, "deactivate", "s-0", &json!({})).to_string();
        world.send(Command::Deactivate(Labels::default(), "s-0".into(), signed));
    });
    assert_eq!(edition, before.0);
    let gone = "s-0".to_owned();
    let kept: Vec<_> = ids(&before.1).into_iter().filter(|id| *id != gone).collect();
    assert_eq!(ids(&skills), kept, "none is twice, none is missing");
    assert!(!edition.covers(told(&mut world)));
    assert_eq!(world.listed(|_| ()).1.len(), 150);
}
