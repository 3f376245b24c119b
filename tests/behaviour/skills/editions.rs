//! Editions of the catalogue: a Worker keeps what it read of one, so whatever a list shows has to
//! make another one.

use farebox_core::skills::message::{Answer, Command, Labels};
use farebox_core::skills::offered::{Edition, Offered};
use serde_json::json;

use super::world::{World, gated, sale, vars};
use crate::dice::Dice;

const IDS: [&str; 3] = ["echo", "other", "third"];
const HISTORIES: u64 = 60;
const STEPS: usize = 30;

fn read(world: &mut World, only: Option<&str>) -> (Edition, Vec<Offered>) {
    match world.send(Command::Offered(only.map(str::to_owned))) {
        Answer::Skills { edition, skills } => (edition, skills),
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
            if let Answer::Table(draft) = world.send(Command::Table) {
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
        let (mut edition, mut skills) = read(&mut world, None);
        for turn in 0..STEPS {
            step(&mut world, &mut dice, turn);
            let (next, now) = read(&mut world, None);
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
    let (_, all) = read(&mut world, None);
    assert_eq!(read(&mut world, Some("echo")).1, all);
    assert_eq!(read(&mut world, Some("other")).1, []);
    let body = world.signed(1, "deactivate", "echo", &json!({})).to_string();
    world.send(Command::Deactivate(Labels::default(), "echo".into(), body));
    assert_eq!(read(&mut world, Some("echo")).1, []);
}
