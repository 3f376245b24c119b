//! Drafts of skills that a seller has mistyped: each is refused with what is wrong in it.

use farebox_core::skills::message::{Command, Labels};
use serde_json::{Value, json};

use super::world::{World, echo, gated, owner};

fn published(name: &str, value: Value) -> (u32, String) {
    let mut body = gated();
    body[name] = value;
    let told = World::new().publish(&body);
    (told.status, told.body["error"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_member_that_no_draft_has_is_named_beside_the_known_ones() {
    for (name, shown) in
        [("desciption", "desciption"), ("input_schema", "input_schema"), ("<b>\u{202e}", "b")]
    {
        let (status, error) = published(name, "x".into());
        let begins = format!("{shown} is no member of a skill; known are name, description, ");
        assert!(status == 400 && error.starts_with(&begins), "{status} {error}");
        assert!(error.contains("inputSchema") && error.contains("outputSchema"), "{error}");
    }
    for name in ["id", "active", "createdAt"] {
        assert_eq!(published(name, json!(1)).0, 201, "the original's clients may send {name}");
    }
    let mut world = World::new();
    assert_eq!(world.publish(&gated()).status, 201);
    let mut body = gated();
    (body["version"], body["prise"]) = ("1.1.0".into(), "$3".into());
    let body = world.signed(1, "version", "echo", &body).to_string();
    let told = world.reply(Command::Revise(Labels::default(), "echo".into(), body));
    let (status, error) = told.error();
    assert!(status == 400 && error.starts_with("prise is no member"), "{status} {error}");
}

#[test]
fn a_price_that_cannot_be_paid_is_refused_with_the_least_one() {
    let least = "price must have at most 6 fraction digits, and be at least 0.000001 USDC";
    for price in ["$0.0000001", "$0", "$1.0000001"] {
        assert_eq!(published("price", price.into()), (400, least.to_owned()), "{price}");
    }
    let form = "price must be an amount such as \"$0.25\"";
    assert_eq!(published("price", "much".into()), (400, form.to_owned()));
    let mut body = gated();
    body.as_object_mut().unwrap().remove("price");
    let told = World::new().publish(&body);
    assert_eq!(told.error(), (400, "price is missing, such as \"$0.05\""));
}

//
#[test]
pub fn no_seller_is_called_by_the_address_of_another_wallet() {
    let other = owner(7);
    for label in [other.clone(), other.to_lowercase()] {
        let refused = (400, "agentId must be no other address than payTo".to_owned());
        assert_eq!(published("agentId", label.into()), refused);
    }
    assert_eq!(published("agentId", owner(1).into()).0, 201);
    assert_eq!(published("agentId", "seller 0x".into()).0, 201);
}

#[test]
fn an_id_with_a_dot_at_its_end_is_refused_with_what_is_wrong() {
    let (status, error) = published("skillId", "echo.".into());
    assert!(status == 400 && error.ends_with("with no . at an end"), "{error}");
}

#[test]
fn a_proof_of_another_wallet_names_both() {
    let mut world = World::new();
    let mut body = echo();
    body["payTo"] = owner(1).into();
    let signed = world.signed(2, "publish", "echo", &body).to_string();
    let told = world.reply(Command::Publish(Labels::default(), signed));
    let reason = told.headers.iter().find(|(name, _)| name == "farebox-reason").unwrap();
    assert_eq!(told.error(), (403, "You do not own this skill"));
    assert!(reason.1.starts_with(&format!("payTo is {}, and 0x", owner(1))), "{reason:?}");
}
