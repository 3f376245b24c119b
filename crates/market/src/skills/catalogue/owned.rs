//! The ownership that a request proves, and the text that its wallet has to sign for that.

use alloc::string::{String, ToString};

use serde_json::{Map, Value};

use crate::skills::books::Rows;
use crate::skills::message::{Labels, Response};
use crate::skills::proof::{ProofTerms, SkillAction};
use crate::skills::query::Query;
use crate::skills::refused::{self, said};
use crate::skills::row::{NonceRow, SkillRow, VersionRow};
use crate::skills::text::Members;
use crate::skills::wares::{object, text_of};
use crate::skills::{Decision, Market, Now};
use farebox_base::encoding::hex;
use farebox_base::hash;
use farebox_base::secret::is_token;
use farebox_evm::address::Address;

/// The skill that a body proves to own with the nonce that it uses up, or the refusal.
type OwnedSkill = Result<(SkillRow, NonceRow), Response>;
/// The same with the skill's latest version.
type ClaimedSkill = Result<(SkillRow, VersionRow, NonceRow), Response>;
impl Market {
    /// The skill that a request without a description proves to own, and its latest version.
    pub(super) fn claimed<B: Rows>(
        &self,
        books: &B,
        (action, labels, id, body): (SkillAction, &Labels, &str, &str),
        moment: Now<'_>,
    ) -> Result<ClaimedSkill, B::Error> {
        let members = match self.labelled(labels, body) {
            Ok(members) => members,
            Err(response) => return Ok(Err(response)),
        };
        let (skill, nonce) = match self.owned(books, action, id, &members, moment)? {
            Ok(owned) => owned,
            Err(response) => return Ok(Err(response)),
        };
        let version = books.version(id, &skill.latest)?;
        Ok(version.map(|version| (skill, version, nonce)).ok_or_else(refused::no_skill))
    }

    /// The body of a request about a skill that is there; one without a body has no proof.
    pub(super) fn labelled(
        &self,
        labels: &Labels,
        body: &str,
    ) -> Result<Map<String, Value>, Response> {
        let members = if body.trim().is_empty() { Map::new() } else { object(body)? };
        if label(labels, &members).is_none() && !members.contains_key("proof") {
            return Err(refused::no_identity());
        }
        Ok(members)
    }

    /// The skill that a body proves to own.
    pub(super) fn owned<B: Rows>(
        &self,
        books: &B,
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
        let proven = self.proven(books, action, (id, &owner), members, moment.now)?;
        Ok(proven.map(|nonce| (skill, nonce)))
    }

    /// The typed data that a wallet has to sign for a body.
    pub(in crate::skills) fn to_sign<B: Rows>(
        &self,
        books: &B,
        query: &str,
        body: &str,
        moment: Now<'_>,
    ) -> Result<Decision, B::Error> {
        let members = match if body.trim().is_empty() { Ok(Map::new()) } else { object(body) } {
            Ok(members) => members,
            Err(response) => return Ok(Decision::reply(response)),
        };
        let asked = Query::parse(query);
        let action = asked.get("action").unwrap_or_else(|| "publish".to_string());
        let Some(action) = SkillAction::named(&action) else {
            let error = "action must be one of: publish, version, deactivate, rotate";
            return Ok(Decision::reply(said(400, error)));
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
                None => return Ok(Decision::reply(said(400, "payTo is required"))),
            },
        };
        let terms = members.get("proof").and_then(ProofTerms::of).unwrap_or_else(|| ProofTerms {
            nonce: hex::encode_prefixed(&hash::mac(moment.random, &[b"farebox proof nonce"])),
            valid_before: moment.now.checked_div(1000).unwrap_or_default().saturating_add(3000),
        });
        let data = self.typed_data(action, (&id, &owner), &members, &terms);
        let proof = Members::new()
            .text("nonce", &terms.nonce)
            .number("validBefore", terms.valid_before)
            .done();
        let body = Members::ok().raw("typedData", &data.to_string()).raw("proof", &proof).done();
        Ok(Decision::reply(Response::json(200, body).no_store()))
    }
}

/// The label of whoever asks: a header field, else a member of the body. Nothing of `Authorization` is
/// a label, whatever it has: it may be a credential of any service.
pub(super) fn label(labels: &Labels, members: &Map<String, Value>) -> Option<String> {
    let head = labels.agent.as_deref().map(str::trim).filter(|it| !it.is_empty());
    let found = head.or_else(|| text_of(members, "agentId"))?;
    // A token that came by mistake is not kept as a label.
    Some(if is_token(found) { "agent".to_string() } else { found.chars().take(128).collect() })
}
