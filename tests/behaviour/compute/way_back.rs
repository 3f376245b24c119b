//! The way back of a seller that a stranger has bound by a transfer of its wallet: what the stranger
//! has asked for by its session.

use farebox_core::compute::row::{Asker, BondRow};
use serde_json::json;

use super::bonds::{SIGNS, bind, challenge, signed_challenge};
use super::world::{Told, World, wallet};

const INVALID: (u32, &str) = (403, "SELLER_BOND_CHALLENGE_INVALID");

/// A seller whose session a stranger has, by a transfer that the wallet made for something else.
fn taken_over() -> (World, String) {
    let mut world = World::new();
    world.register(SIGNS, json!({}));
    let theirs = challenge(&mut world, "10.9.9.9", SIGNS, "x");
    assert_eq!(bind(&mut world, SIGNS, "x", &theirs, 101).status, 200);
    let session = world.sessions.remove(&SIGNS).unwrap();
    (world, session)
}

/// Does this with the stranger's session, and nothing else of it.
fn as_stranger<T>(world: &mut World, session: &str, does: impl FnOnce(&mut World) -> T) -> T {
    let own = world.sessions.insert(SIGNS, session.to_owned());
    let done = does(world);
    match own {
        Some(own) => world.sessions.insert(SIGNS, own),
        None => world.sessions.remove(&SIGNS),
    };
    done
}

fn signed(world: &mut World, agent: &str) -> Told {
    let told = signed_challenge(world, agent, |text| text);
    assert_eq!((told.status, told.text("status").as_str()), (200, "ok"), "{agent}");
    told
}

fn by_session(world: &mut World, session: &str, agent: &str) -> Told {
    as_stranger(world, session, |world| challenge(world, "10.9.9.9", SIGNS, agent))
}

//
#[test]
fn a_signed_bond_is_told_again_for_a_signature_alone() {
    let (mut world, session) = taken_over();
    let own = signed(&mut world, "agent-1");
    let theirs = by_session(&mut world, &session, "agent-1");
    assert_eq!(theirs.text("status"), "ok");
    for member in ["challenge_id", "amount_atomic"] {
        assert_ne!(theirs.text(member), own.text(member), "{member}");
    }
    // A session is told what it has asked for, and a signature with it tells the owner.
    assert_eq!(by_session(&mut world, &session, "agent-1"), theirs);
    assert_eq!(signed(&mut world, "agent-1"), own);
    let both = as_stranger(&mut world, &session, |world| signed(world, "agent-1"));
    assert_eq!(both, own);
}

//
#[test]
fn what_a_session_asked_for_proves_nothing_after_a_signed_bond_or_an_identity() {
    for is_signed in [true, false] {
        let (mut world, session) = taken_over();
        let theirs = by_session(&mut world, &session, "x");
        if is_signed {
            let own = signed(&mut world, "agent-1");
            let bound = bind(&mut world, SIGNS, "agent-1", &own, 102);
            assert!(bound.text("seller_renewal_token").starts_with("qdr_"));
        } else {
            assert_eq!(world.open(SIGNS).status, 200);
        }
        let own = world.sessions[&SIGNS].clone();
        let stolen = bind(&mut world, SIGNS, "x", &theirs, 103);
        assert_eq!(stolen.code(), INVALID, "{is_signed}");
        assert_eq!(world.beat(SIGNS).status, 200, "{is_signed}");
        let beat = as_stranger(&mut world, &session, |world| world.beat(SIGNS));
        assert_eq!(beat.code(), (403, "SELLER_SESSION_INVALID"));
        // Nor is it told what the owner asks for by the session of now.
        assert_eq!(by_session(&mut world, &session, "x").text("status"), "already_verified");
        let next = by_session(&mut world, &own, "agent-2");
        assert_eq!(bind(&mut world, SIGNS, "agent-2", &next, 104).status, 200, "{is_signed}");
    }
}

//
#[test]
fn a_session_uses_up_no_bond_that_its_wallet_signs_for() {
    let (mut world, session) = taken_over();
    for number in 0..20 {
        let told = by_session(&mut world, &session, &format!("agent-{number}"));
        assert_eq!(told.status, 200, "{number}");
    }
    let limit = (429, "SELLER_BOND_LIMIT_REACHED");
    assert_eq!(by_session(&mut world, &session, "agent-20").code(), limit);
    signed(&mut world, "agent-20");
}

#[test]
fn a_bond_of_a_version_of_before_counts_as_signed_for() {
    let (mut world, session) = taken_over();
    let theirs = by_session(&mut world, &session, "agent-1");
    let row = world.rows.bonds.last_mut().unwrap();
    let mut older = serde_json::to_value(&row).unwrap();
    assert!(older.as_object_mut().unwrap().remove("session").is_some());
    *row = serde_json::from_value::<BondRow>(older).unwrap();
    assert_eq!((row.asker, row.session), (Asker::Seller, None));
    assert_eq!(signed(&mut world, "agent-1"), theirs);
    assert_ne!(by_session(&mut world, &session, "agent-1"), theirs);
    assert_eq!(bind(&mut world, SIGNS, "agent-1", &theirs, 102).status, 200);
    assert_eq!(world.rows.sellers[&wallet(SIGNS)].agent, "agent-1");
}
