//! Publishing, changing and deactivating skills. Nothing is touched before the owner's proof was
//! checked.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use self::left::{Comeback, MAX_VERSIONS, comeback, forgets, is_of, leftovers};
use self::owned::label;
use self::room::{Housed, ended, paced};
use super::books::{Change, Rows};
use super::message::{Labels, Response};
use super::proof::SkillAction;
use super::refused::{self, said};
use super::row::{Charges, Room, SkillRow, VersionRow};
use super::semver::Semver;
use super::text::Members;
use super::wares::{object, text_of, words};
use super::{Decision, Market, Now};
use farebox_base::encoding::hex;
use farebox_base::hash;
use farebox_base::mutant::{Mutant, planted};
use farebox_evm::address::Address;

mod left;
mod owned;
mod room;

/// Most active skills of an owner.
pub const MAX_ACTIVE: u64 = 20;
/// How often all of one network may publish a skill together whose skills have no place: in a short
/// time, because wallets cost nothing, and the next seller there waits for the end of it.
const SHARED_PACE: (u64, u64) = (100, 600_000);
/// Milliseconds for which a skill waits for the market's fee.
const UNPAID_MS: u64 = 86_400_000;
/// Skills that end at once at most because their fee was not paid.
const MAX_LAPSED: u32 = 8;
/// Longest reason of an operator, bytes.
const MAX_REASON: usize = 256;
/// Paths below the skills that are none.
const RESERVED: [&str; 1] = ["typed-data"];

/// The header field of an answer that tells the log why the operator took a skill back.
pub const REMOVED: &str = "farebox-removal";

/// A change that an owner asks for.
type OwnerRequest<'a> = (&'a Labels, &'a str, &'a str);

impl Market {
    /// Publishes a skill.
    pub(super) fn publish<B: Rows>(
        &self,
        books: &B,
        labels: &Labels,
        body: &str,
        moment: Now<'_>,
    ) -> Result<Decision, B::Error> {
        let (members, skill, version) = match self.described(labels, body, moment.now) {
            Ok(described) => described,
            Err(response) => return Ok(Decision::reply(response)),
        };
        let Ok(owner) = Address::parse(&skill.owner) else {
            return Ok(Decision::reply(refused::no_identity()));
        };
        let given = text_of(&members, "skillId").unwrap_or_default();
        let asked = (given, &owner);
        let nonce = match self.proven(books, SkillAction::Publish, asked, &members, moment.now)? {
            Ok(nonce) => nonce,
            Err(response) => return Ok(Decision::reply(response)),
        };
        let is_full = books.active_of(&skill.owner)? >= MAX_ACTIVE;
        if is_full && !planted(Mutant::SkillsPileUp) {
            let error = alloc::format!("Agent has reached the max of {MAX_ACTIVE} active skills");
            return Ok(Decision::reply(said(429, &error)));
        }
        // Wallets cost nothing: those of a network for whom no money moved share a pace.
        let network = alloc::format!("network {}", labels.client);
        let shared = (network.as_str(), SHARED_PACE);
        let shared = if books.has_place(&skill.owner, moment.now)? { None } else { Some(shared) };
        let rates = match paced(books, &skill.owner, shared, moment.now)? {
            Ok(rates) => rates,
            Err(response) => return Ok(Decision::reply(response)),
        };
        let known = books.skill(given)?;
        let is_new = known.is_none();
        let back = match known {
            Some(known) => comeback(books, known, (&skill, &version), moment.now)?,
            None => None,
        };
        let is_free = (is_new || back.is_some()) && is_of(books, given, &skill.owner)?;
        let id = match given {
            "" => self.fresh_id(books, &skill.name, moment)?,
            given if is_free => given.to_string(),
            given => {
                let error = alloc::format!("Skill {given} already exists");
                return Ok(Decision::reply(said(409, &error)));
            }
        };
        let is_anew = matches!(back, Some(Comeback::Anew));
        let skill = match back {
            Some(Comeback::Kept(known)) => kept(*known, skill),
            Some(Comeback::Anew) | None => SkillRow { id: id.clone(), ..skill },
        };
        let version = VersionRow { skill: id, ..version };
        let Housed { skill, mut changes } = match self.housed(books, skill, &version, moment.now)? {
            Ok(housed) => housed,
            Err(response) => return Ok(Decision::reply(response)),
        };
        let response = self.published(201, &skill, &version, self.tells_secret(&version));
        changes.extend(leftovers(books, &skill.id, is_anew, moment.now)?);
        changes.extend([
            Change::Nonce(nonce),
            Change::Skill(Box::new(skill)),
            Change::Version(Box::new(version)),
        ]);
        changes.extend(rates.into_iter().map(Change::Rate));
        let unpaid = books.unpaid(moment.now.saturating_sub(UNPAID_MS), MAX_LAPSED)?;
        changes.extend(unpaid.into_iter().map(Change::Lapse));
        changes.extend(self.changed(books, moment.now)?);
        Ok(Decision { answer: super::message::Answer::Reply(response), changes })
    }

    /// The skill that a body describes, without ids.
    fn described(
        &self,
        labels: &Labels,
        body: &str,
        now: u64,
    ) -> Result<(Map<String, Value>, SkillRow, VersionRow), Response> {
        let members = object(body)?;
        let agent = label(labels, &members).ok_or_else(refused::no_identity)?;
        let (name, description) = words(&members)?;
        let version = self.wares(&members, now)?;
        if let Some(id) = members.get("skillId").filter(|id| !id.is_null()) {
            let is_id = id.as_str().is_some_and(|id| is_skill_id(id) && id == id.trim());
            if !is_id {
                return Err(said(400, "skillId must have 1 to 128 of a-z, 0-9, -, _ and ."));
            }
        }
        let owner = match text_of(&members, "payTo") {
            None => return Err(said(400, "payTo is required")),
            Some(text) => Address::parse_checksummed(text),
        };
        let owner = owner.ok().filter(|owner| !owner.is_low());
        let owner = owner.ok_or_else(|| said(400, "payTo must be a wallet address"))?;
        let skill = SkillRow {
            id: String::new(),
            owner: owner.to_checksum(),
            agent,
            name,
            description,
            active: true,
            latest: version.version.clone(),
            created: now,
            changed: now,
            rotation: 0,
            owes: self.listing_fee.is_some(),
            fee: None,
            refused: None,
            room: Room::default(),
            used: false,
            called: false,
            client: labels.client.clone(),
            made_room: false,
            place_until: 0,
        };
        Ok((members, skill, version))
    }

    /// An id of a name that no skill has.
    fn fresh_id<B: Rows>(
        &self,
        books: &B,
        name: &str,
        moment: Now<'_>,
    ) -> Result<String, B::Error> {
        let made = id_of(name);
        let is_new = books.skill(&made)?.is_none() && books.forgotten(&made)?.is_none();
        if is_skill_id(&made) && is_new {
            return Ok(made);
        }
        let mark = hex::encode(&hash::mac(moment.random, &[b"farebox skill id"]));
        let mark = mark.get(..12).unwrap_or_default();
        Ok(if made.is_empty() {
            alloc::format!("skill-{mark}")
        } else {
            alloc::format!("{made}-{mark}")
        })
    }

    /// Adds a version to a skill.
    pub(super) fn revise<B: Rows>(
        &self,
        books: &B,
        (labels, id, body): OwnerRequest<'_>,
        moment: Now<'_>,
    ) -> Result<Decision, B::Error> {
        let _ = labels;
        let members = match object(body) {
            Ok(members) => members,
            Err(response) => return Ok(Decision::reply(response)),
        };
        let (skill, nonce) = match self.owned(books, SkillAction::Version, id, &members, moment)? {
            Ok(owned) => owned,
            Err(response) => return Ok(Decision::reply(response)),
        };
        if !skill.active {
            return Ok(Decision::reply(refused::no_skill()));
        }
        let described = words(&members).and_then(|words| {
            let version = self.wares(&members, moment.now)?;
            Ok((words, version))
        });
        let ((name, description), version) = match described {
            Ok(described) => described,
            Err(response) => return Ok(Decision::reply(response)),
        };
        if !members.get("version").is_some_and(Value::is_string) {
            return Ok(Decision::reply(said(400, "version is required")));
        }
        if books.version(id, &version.version)?.is_some() {
            let body = Members::new()
                .raw("ok", "false")
                .text("error", "Skill version already exists")
                .text("skillId", id)
                .text("version", &version.version);
            return Ok(Decision::reply(Response::json(409, body.done())));
        }
        let versions = books.versions(id)?;
        if versions.len() >= MAX_VERSIONS {
            return Ok(Decision::reply(said(429, "Skill has reached the max of 100 versions")));
        }
        let rates = match paced(books, &skill.owner, None, moment.now)? {
            Ok(rates) => rates,
            Err(response) => return Ok(Decision::reply(response)),
        };
        let version = VersionRow { skill: skill.id.clone(), ..version };
        let is_latest = Semver::parse(&version.version) > Semver::parse(&skill.latest);
        let mut changes = Vec::from([Change::Nonce(nonce)]);
        changes.extend(rates.into_iter().map(Change::Rate));
        let (skill, version) = if is_latest {
            for old in versions.into_iter().filter(|old| old.until.is_none()) {
                changes
                    .push(Change::Version(Box::new(VersionRow { until: Some(moment.now), ..old })));
            }
            let latest = version.version.clone();
            let row =
                SkillRow { name, description, latest, changed: moment.now, refused: None, ..skill };
            let housed = match self.housed(books, row, &version, moment.now)? {
                Ok(housed) => housed,
                Err(response) => return Ok(Decision::reply(response)),
            };
            changes.extend(housed.changes);
            (housed.skill, version)
        } else {
            (SkillRow { changed: moment.now, ..skill }, VersionRow { until: Some(0), ..version })
        };
        let response = self.published(201, &skill, &version, self.tells_secret(&version));
        changes.push(Change::Skill(Box::new(skill)));
        changes.push(Change::Version(Box::new(version)));
        changes.extend(self.changed(books, moment.now)?);
        Ok(Decision { answer: super::message::Answer::Reply(response), changes })
    }

    /// Sells a skill no longer, as its owner or the operator asks.
    pub(super) fn deactivate<B: Rows>(
        &self,
        books: &B,
        (labels, id, body): OwnerRequest<'_>,
        moment: Now<'_>,
    ) -> Result<Decision, B::Error> {
        let shown = labels.authorization.as_deref().unwrap_or_default();
        if self.is_operator(shown) {
            return self.remove(books, (id, body), moment);
        }
        let asked = (SkillAction::Deactivate, labels, id, body);
        let (skill, version, nonce) = match self.claimed(books, asked, moment)? {
            Ok(claimed) => claimed,
            Err(response) => return Ok(Decision::reply(response)),
        };
        let (response, mut changes) = self.taken_back(books, skill, &version, moment.now)?;
        changes.push(Change::Nonce(nonce));
        Ok(Decision { answer: super::message::Answer::Reply(response), changes })
    }

    /// Takes a skill back for the operator, whose reason is for the log.
    fn remove<B: Rows>(
        &self,
        books: &B,
        (id, body): (&str, &str),
        moment: Now<'_>,
    ) -> Result<Decision, B::Error> {
        let refuse = |response: Response| Ok(Decision::reply(response));
        let members = match object(body) {
            Ok(members) => members,
            Err(response) => return refuse(response),
        };
        let reason = text_of(&members, "reason").map(str::trim).unwrap_or_default();
        let is_reason = reason.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
        if !(1..=MAX_REASON).contains(&reason.len()) || !is_reason {
            return refuse(said(400, "reason must have 1 to 256 visible characters of ASCII"));
        }
        let skill = books.skill(id)?.filter(|skill| skill.active);
        let Some(skill) = skill else { return refuse(refused::no_skill()) };
        let Some(version) = books.version(id, &skill.latest)? else {
            return refuse(refused::no_skill());
        };
        let (response, changes) = self.taken_back(books, skill, &version, moment.now)?;
        let response = response.with(REMOVED, reason);
        Ok(Decision { answer: super::message::Answer::Reply(response), changes })
    }

    /// The changes after which a skill is sold no longer.
    fn taken_back<B: Rows>(
        &self,
        books: &B,
        skill: SkillRow,
        version: &VersionRow,
        now: u64,
    ) -> Result<(Response, Vec<Change>), B::Error> {
        let owner = skill.owner.clone();
        let skill = SkillRow { active: false, changed: now, ..skill };
        let response = self.published(200, &skill, version, None);
        let mut changes = ended(books, skill, now)?;
        changes.extend(forgets(books, &owner, now)?);
        changes.extend(self.changed(books, now)?);
        Ok((response, changes))
    }

    /// Gives the owner another secret.
    pub(super) fn rotate<B: Rows>(
        &self,
        books: &B,
        (labels, id, body): OwnerRequest<'_>,
        moment: Now<'_>,
    ) -> Result<Decision, B::Error> {
        let asked = (SkillAction::Rotate, labels, id, body);
        let (skill, version, nonce) = match self.claimed(books, asked, moment)? {
            Ok(claimed) => claimed,
            Err(response) => return Ok(Decision::reply(response)),
        };
        let rotation = skill.rotation.saturating_add(1);
        let skill = SkillRow { rotation, changed: moment.now, ..skill };
        let response = self.published(200, &skill, &version, Some(()));
        let changes = Vec::from([Change::Nonce(nonce), Change::Skill(Box::new(skill))]);
        Ok(Decision { answer: super::message::Answer::Reply(response), changes })
    }

    /// A sold version's secret is told to its owner once.
    fn tells_secret(&self, version: &VersionRow) -> Option<()> {
        (version.charges == Charges::Gate).then_some(())
    }

    fn published(
        &self,
        status: u32,
        skill: &SkillRow,
        version: &VersionRow,
        secret: Option<()>,
    ) -> Response {
        let body = Members::ok().raw("skill", &self.shown(skill, version));
        let body = match secret {
            Some(()) => body.text("secret", &self.seller_secret(skill, &version.call_url)),
            None => body,
        };
        Response::json(status, body.done())
    }
}

/// A skill that comes back as it was, described anew.
fn kept(known: SkillRow, skill: SkillRow) -> SkillRow {
    SkillRow {
        owes: skill.owes && known.fee.is_none(),
        id: known.id,
        rotation: known.rotation,
        fee: known.fee,
        used: known.used,
        called: known.called,
        place_until: known.place_until,
        ..skill
    }
}

/// Whether text can be a skill's id: it is a segment of a path.
#[must_use]
pub fn is_skill_id(text: &str) -> bool {
    let is_good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
    (1..=128).contains(&text.len())
        && text.bytes().all(is_good)
        && !text.starts_with('.')
        && !text.ends_with('.')
        && !RESERVED.contains(&text)
}

/// An id of a name: its letters and digits in lower case, dashes between.
fn id_of(name: &str) -> String {
    let mut id = String::new();
    for c in name.chars().flat_map(char::to_lowercase).take(200) {
        if c.is_ascii_alphanumeric() {
            id.push(c);
        } else if !id.is_empty() && !id.ends_with('-') {
            id.push('-');
        }
        if id.len() >= 64 {
            break;
        }
    }
    id.trim_end_matches('-').to_string()
}
