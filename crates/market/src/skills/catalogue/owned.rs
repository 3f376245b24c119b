//! The ownership that a request proves, and the text that its wallet has to sign for that.

use alloc::string::{String, ToString};

use serde_json::{Map, Value};

use crate::query::Query;
use crate::skills::books::Rows;
use crate::skills::kernel::{Applied, Decision, Now};
use crate::skills::listing_request::{object, text_of};
use crate::skills::message::{Labels, Response};
use crate::skills::proof::{ProofTerms, SignedAct, SkillAction};
use crate::skills::refused::{self, refusal};
use crate::skills::row::{NonceRow, SkillRow, VersionRow};
use crate::text::Members;
use farebox_base::encoding::hex;
use farebox_base::hash;
use farebox_base::secret::is_token;
use farebox_evm::address::Address;

/// The skill that a body proves to own with the nonce that it uses up, or the refusal.
type OwnedSkill = Result<(SkillRow, NonceRow), Response>;
/// The same with the skill's latest version.
type ClaimedSkill = Result<(SkillRow, VersionRow, NonceRow), Response>;

/// A change of a skill that an owner asks for.
#[derive(Clone, Copy)]
pub(in crate::skills) struct OwnerRequest<'a> {
    pub labels: &'a Labels,
    /// The skill.
    pub id: &'a str,
    pub body: &'a str,
}

/// The skill that a request without a description proves to own, and its latest version.
pub(super) fn claim<B: Rows>(
    books: &B,
    market: &str,
    action: SkillAction,
    asked: OwnerRequest<'_>,
    moment: Now<'_>,
) -> Result<ClaimedSkill, B::Error> {
    let members = match read_labelled(asked.labels, asked.body) {
        Ok(members) => members,
        Err(response) => return Ok(Err(response)),
    };
    let (skill, nonce) = match prove(books, market, action, asked.id, &members, moment)? {
        Ok(owned) => owned,
        Err(response) => return Ok(Err(response)),
    };
    let version = books.version(asked.id, &skill.latest)?;
    Ok(version.map(|version| (skill, version, nonce)).ok_or_else(refused::no_skill))
}

/// The skill that a body proves to own.
pub(super) fn prove<B: Rows>(
    books: &B,
    market: &str,
    action: SkillAction,
    id: &str,
    members: &Map<String, Value>,
    moment: Now<'_>,
) -> Result<OwnedSkill, B::Error> {
    let Some(skill) = books.skill(id)? else { return Ok(Err(refused::no_skill())) };
    let named = match text_of(members, "payTo").map(Address::parse) {
        None => Address::parse(&skill.owner).ok(),
        Some(named) => named.ok().filter(|named| named.to_checksum() == skill.owner),
    };
    // Another payee is another skill.
    let Some(owner) = named else { return Ok(Err(refused::not_owner())) };
    let act = SignedAct { market, action, skill: id, owner: &owner, body: members };
    let proven = act.check(books, moment.now)?;
    Ok(proven.map(|nonce| (skill, nonce)))
}

/// The typed data that a wallet has to sign for a body.
pub(in crate::skills) fn write_typed_data<B: Rows>(
    books: &B,
    market: &str,
    query: &str,
    body: &str,
    moment: Now<'_>,
) -> Applied<B> {
    let members = or_reply!(read_maybe(body));
    let asked = Query::parse(query);
    let action = asked.get("action").unwrap_or_else(|| "publish".to_string());
    let Some(action) = SkillAction::from_name(&action) else {
        let error = "action must be one of: publish, version, deactivate, rotate";
        return Ok(Decision::reply(refusal(400, error)));
    };
    let given = text_of(&members, "skillId").unwrap_or_default().to_string();
    let id = match action {
        SkillAction::Publish => given,
        _ => asked.get("skill").unwrap_or(given),
    };
    let named = text_of(&members, "payTo").and_then(|text| Address::parse(text).ok());
    let known = || -> Result<Option<Address>, B::Error> {
        Ok(books.skill(&id)?.and_then(|skill| Address::parse(&skill.owner).ok()))
    };
    let owner = match named {
        Some(owner) => owner,
        None => match known()? {
            Some(owner) => owner,
            None => return Ok(Decision::reply(refusal(400, "payTo is required"))),
        },
    };
    let terms = members.get("proof").and_then(ProofTerms::of).unwrap_or_else(|| ProofTerms {
        nonce: hex::encode_prefixed(&hash::mac(moment.random, &[b"farebox proof nonce"])),
        valid_before: moment.now.checked_div(1000).unwrap_or_default().saturating_add(3000),
    });
    let act = SignedAct { market, action, skill: &id, owner: &owner, body: &members };
    let data = act.typed_data(&terms);
    let proof =
        Members::new().text("nonce", &terms.nonce).number("validBefore", terms.valid_before).done();
    let body = Members::ok().raw("typedData", &data.to_string()).raw("proof", &proof).done();
    Ok(Decision::reply(Response::json(200, body).no_store()))
}

/// The body of a request about a skill that is there; one without a body has no proof.
fn read_labelled(labels: &Labels, body: &str) -> Result<Map<String, Value>, Response> {
    let members = read_maybe(body)?;
    if label(labels, &members).is_none() && !members.contains_key("proof") {
        return Err(refused::no_identity());
    }
    Ok(members)
}

/// The members of a body; none, if it is empty.
fn read_maybe(body: &str) -> Result<Map<String, Value>, Response> {
    if body.trim().is_empty() { Ok(Map::new()) } else { object(body) }
}

/// The label of whoever asks: a header field, else a member of the body. Nothing of `Authorization` is
/// a label, whatever it has: it may be a credential of any service.
pub(super) fn label(labels: &Labels, members: &Map<String, Value>) -> Option<String> {
    let head = labels.agent.as_deref().map(str::trim).filter(|it| !it.is_empty());
    let found = head.or_else(|| text_of(members, "agentId"))?;
    // A token that came by mistake is not kept as a label.
    Some(if is_token(found) { "agent".to_string() } else { found.chars().take(128).collect() })
}
