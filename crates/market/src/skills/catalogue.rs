//! Publishing, changing and deactivating skills. Nothing is touched before the owner's proof was
//! checked.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use self::left::{Comeback, MAX_VERSIONS, find_comeback, forget_idle, forget_left_over};
use self::owned::{OwnerRequest, claim, label, prove};
use self::room::{Housed, Pace, count_publishing, end_skill};
use super::books::{Change, Rows};
use super::draft::GateTable;
use super::former::{forget, is_of};
use super::kernel::{Applied, Decision, Now};
use super::listing::Listings;
use super::listing_request::{ListingRequests, check_members, object, read_words, text_of};
use super::message::{Answer, Labels, Response};
use super::proof::{SignedAct, SkillAction};
use super::refused::{self, refusal};
use super::row::{Charges, Room, SkillRow, VersionRow};
use super::seal::{origin_of, seller_secret};
use super::semver::Semver;
use crate::operator::is_operator;
use crate::text::Members;
use farebox_base::encoding::hex;
use farebox_base::hash;
use farebox_base::secret::Secret;
use farebox_evm::address::Address;

mod left;
pub(super) mod owned;
pub(super) mod room;

/// Most active skills of an owner.
pub const MAX_ACTIVE: u64 = 20;
/// How often all of one network may publish a skill together whose skills have no place: in a short
/// time, because wallets cost nothing, and the next seller there waits for the end of it.
const SHARED_PACE: Pace = Pace { most: 100, ms: 600_000 };
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

/// The catalogue of a market.
pub(super) struct Catalogue<'m> {
    pub listings: Listings<'m>,
    pub requests: ListingRequests<'m>,
    pub table: GateTable<'m>,
    /// Sellers' secrets are made of it.
    pub secret: &'m Secret<String>,
    /// The operator's token.
    pub operator: &'m Secret<String>,
}

/// A skill as a body describes it.
struct DescribedSkill {
    members: Map<String, Value>,
    /// Without an id.
    skill: SkillRow,
    version: VersionRow,
}

/// Whether an answer tells a skill's secret to its owner.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SecretTold {
    No,
    /// With the word that it is that of the version before.
    Again,
    Yes,
}

impl Catalogue<'_> {
    /// Publishes a skill.
    pub fn publish<B: Rows>(
        &self,
        books: &B,
        labels: &Labels,
        body: &str,
        moment: Now<'_>,
    ) -> Applied<B> {
        let described = self.read_skill(labels, body, moment.now);
        let DescribedSkill { members, skill, version } = or_reply!(described);
        let Ok(owner) = Address::parse(&skill.owner) else {
            return Ok(Decision::reply(refused::no_identity()));
        };
        let given = text_of(&members, "skillId").unwrap_or_default();
        let (market, action) = (self.listings.url, SkillAction::Publish);
        let act = SignedAct { market, action, skill: given, owner: &owner, body: &members };
        let nonce = or_reply!(act.check(books, moment.now)?);
        let is_full = books.active_of(&skill.owner)? >= MAX_ACTIVE;
        if is_full {
            let error = alloc::format!("Agent has reached the max of {MAX_ACTIVE} active skills");
            return Ok(Decision::reply(refusal(429, &error)));
        }
        // Wallets cost nothing: those of a network for whom no money moved share a pace.
        let network = alloc::format!("network {}", labels.client);
        let shared = (network.as_str(), SHARED_PACE);
        let shared = if books.has_place(&skill.owner, moment.now)? { None } else { Some(shared) };
        let rates = or_reply!(count_publishing(books, &skill.owner, shared, moment.now)?);
        let known = books.skill(given)?;
        let is_new = known.is_none();
        let back = match known {
            Some(known) => find_comeback(books, known, &skill, &version, moment.now)?,
            None => None,
        };
        let is_free = (is_new || back.is_some()) && is_of(books, given, &skill.owner)?;
        let id = match given {
            "" => fresh_id(books, &skill.name, moment)?,
            given if is_free => given.to_string(),
            given => {
                let error = alloc::format!("Skill {given} already exists");
                return Ok(Decision::reply(refusal(409, &error)));
            }
        };
        let is_anew = matches!(back, Some(Comeback::Anew));
        let skill = match back {
            Some(Comeback::Kept(known)) => bring_back(*known, skill),
            Some(Comeback::Anew) | None => SkillRow { id: id.clone(), ..skill },
        };
        let version = VersionRow { skill: id, ..version };
        let housed = self.table.house(books, skill, &version, moment.now)?;
        let Housed { skill, mut changes } = or_reply!(housed);
        let response = self.show(201, &skill, &version, tells_secret(&version));
        changes.extend(forget_left_over(books, &skill.id, is_anew, moment.now)?);
        changes.extend([
            Change::Nonce(nonce),
            Change::Skill(Box::new(skill)),
            Change::Version(Box::new(version)),
        ]);
        changes.extend(rates.into_iter().map(Change::Rate));
        changes.extend(end_unpaid(books, moment.now)?);
        changes.extend(self.table.change(books, moment.now)?);
        Ok(Decision { answer: Answer::Reply(response), changes })
    }

    /// The skill that a body describes, without ids.
    fn read_skill(
        &self,
        labels: &Labels,
        body: &str,
        now: u64,
    ) -> Result<DescribedSkill, Response> {
        let members = object(body)?;
        let agent = label(labels, &members).ok_or_else(refused::no_identity)?;
        check_members(&members)?;
        let (name, description) = read_words(&members)?;
        let version = self.requests.read_version(&members, now)?;
        if let Some(id) = members.get("skillId").filter(|id| !id.is_null()) {
            let is_id = id.as_str().is_some_and(|id| is_skill_id(id) && id == id.trim());
            if !is_id {
                let error =
                    "skillId must have 1 to 128 of a-z, 0-9, -, _ and ., with no . at an end";
                return Err(refusal(400, error));
            }
        }
        let owner = match text_of(&members, "payTo") {
            None => return Err(refusal(400, "payTo is required")),
            Some(text) => Address::parse_checksummed(text),
        };
        let owner = owner.ok().filter(|owner| !owner.is_low());
        let owner = owner.ok_or_else(|| refusal(400, "payTo must be a wallet address"))?;
        // A page would show another one's wallet beside the name.
        if Address::parse(&agent).is_ok_and(|named| named != owner) {
            return Err(refusal(400, "agentId must be no other address than payTo"));
        }
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
            since: now,
            rotation: 0,
            owes: self.listings.fee.is_some(),
            fee: None,
            told_fee: self.listings.fee.map(ToString::to_string),
            refused: None,
            room: Room::default(),
            used: false,
            called: false,
            client: labels.client.clone(),
            made_room: false,
            place_until: 0,
        };
        Ok(DescribedSkill { members, skill, version })
    }

    /// Adds a version to a skill.
    pub fn revise<B: Rows>(
        &self,
        books: &B,
        asked: OwnerRequest<'_>,
        moment: Now<'_>,
    ) -> Applied<B> {
        let id = asked.id;
        let members = or_reply!(object(asked.body));
        let proven = prove(books, self.listings.url, SkillAction::Version, id, &members, moment)?;
        let (skill, nonce) = or_reply!(proven);
        if !skill.active {
            return Ok(Decision::reply(refused::no_skill()));
        }
        let described = check_members(&members).and_then(|()| read_words(&members));
        let described = described.and_then(|words| {
            let version = self.requests.read_version(&members, moment.now)?;
            Ok((words, version))
        });
        let ((name, description), version) = or_reply!(described);
        if !members.get("version").is_some_and(Value::is_string) {
            return Ok(Decision::reply(refusal(400, "version is required")));
        }
        if books.version(id, &version.version)?.is_some() {
            let body = refused::members(409, "Skill version already exists")
                .text("skillId", id)
                .text("version", &version.version);
            return Ok(Decision::reply(Response::json(409, body.done())));
        }
        let versions = books.versions(id)?;
        if versions.len() >= MAX_VERSIONS {
            return Ok(Decision::reply(refusal(429, "Skill has reached the max of 100 versions")));
        }
        let rates = or_reply!(count_publishing(books, &skill.owner, None, moment.now)?);
        let version = VersionRow { skill: skill.id.clone(), ..version };
        let is_latest = Semver::parse(&version.version) > Semver::parse(&skill.latest);
        let mut changes = Vec::from([Change::Nonce(nonce)]);
        changes.extend(rates.into_iter().map(Change::Rate));
        // The secret is another one at another host, and there was none where its seller charged.
        let is_known = versions.iter().any(|old| {
            old.version == skill.latest
                && old.charges == Charges::Gate
                && origin_of(&old.call_url) == origin_of(&version.call_url)
        });
        let (skill, version) = if is_latest {
            for old in versions.into_iter().filter(|old| old.until.is_none()) {
                changes
                    .push(Change::Version(Box::new(VersionRow { until: Some(moment.now), ..old })));
            }
            let latest = version.version.clone();
            let row =
                SkillRow { name, description, latest, changed: moment.now, refused: None, ..skill };
            let housed = or_reply!(self.table.house(books, row, &version, moment.now)?);
            changes.extend(housed.changes);
            (housed.skill, version)
        } else {
            (SkillRow { changed: moment.now, ..skill }, VersionRow { until: Some(0), ..version })
        };
        let secret = match tells_secret(&version) {
            SecretTold::Yes if is_known => SecretTold::Again,
            told => told,
        };
        let response = self.show(201, &skill, &version, secret);
        changes.push(Change::Skill(Box::new(skill)));
        changes.push(Change::Version(Box::new(version)));
        changes.extend(self.table.change(books, moment.now)?);
        Ok(Decision { answer: Answer::Reply(response), changes })
    }

    /// Sells a skill no longer, as its owner or the operator asks.
    pub fn deactivate<B: Rows>(
        &self,
        books: &B,
        asked: OwnerRequest<'_>,
        moment: Now<'_>,
    ) -> Applied<B> {
        let shown = asked.labels.authorization.as_deref().unwrap_or_default();
        if is_operator(self.operator, shown) {
            return self.remove(books, asked.id, asked.body, moment);
        }
        let claimed = claim(books, self.listings.url, SkillAction::Deactivate, asked, moment)?;
        let (skill, version, nonce) = or_reply!(claimed);
        let (response, mut changes) = self.take_back(books, skill, &version, moment.now)?;
        changes.push(Change::Nonce(nonce));
        Ok(Decision { answer: Answer::Reply(response), changes })
    }

    /// Takes a skill back for the operator, whose reason is for the log.
    fn remove<B: Rows>(&self, books: &B, id: &str, body: &str, moment: Now<'_>) -> Applied<B> {
        let refuse = |response: Response| Ok(Decision::reply(response));
        let members = or_reply!(object(body));
        let reason = text_of(&members, "reason").map(str::trim).unwrap_or_default();
        let is_reason = reason.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
        if !(1..=MAX_REASON).contains(&reason.len()) || !is_reason {
            return refuse(refusal(400, "reason must have 1 to 256 visible characters of ASCII"));
        }
        // What its owner took back may be forgotten and published anew, and what made room comes back.
        let may_return = |skill: &SkillRow| skill.active || skill.made_room || !skill.used;
        let Some(skill) = books.skill(id)?.filter(may_return) else {
            return refuse(refused::no_skill());
        };
        let Some(version) = books.version(id, &skill.latest)? else {
            return refuse(refused::no_skill());
        };
        let skill = SkillRow { made_room: false, used: true, ..skill };
        let (response, changes) = self.take_back(books, skill, &version, moment.now)?;
        let response = response.with(REMOVED, reason);
        Ok(Decision { answer: Answer::Reply(response), changes })
    }

    /// The changes after which a skill is sold no longer.
    fn take_back<B: Rows>(
        &self,
        books: &B,
        skill: SkillRow,
        version: &VersionRow,
        now: u64,
    ) -> Result<(Response, Vec<Change>), B::Error> {
        let skill = SkillRow { active: false, changed: now, ..skill };
        let response = self.show(200, &skill, version, SecretTold::No);
        let idle = forget_idle(books, &skill, now)?;
        let mut changes = end_skill(books, skill, now)?;
        changes.extend(idle);
        changes.extend(self.table.change(books, now)?);
        Ok((response, changes))
    }

    /// Gives the owner another secret.
    pub fn rotate<B: Rows>(
        &self,
        books: &B,
        asked: OwnerRequest<'_>,
        moment: Now<'_>,
    ) -> Applied<B> {
        let claimed = claim(books, self.listings.url, SkillAction::Rotate, asked, moment)?;
        let (skill, version, nonce) = or_reply!(claimed);
        let rotation = skill.rotation.saturating_add(1);
        let skill = SkillRow { rotation, changed: moment.now, ..skill };
        let response = self.show(200, &skill, &version, SecretTold::Yes);
        let changes = Vec::from([Change::Nonce(nonce), Change::Skill(Box::new(skill))]);
        Ok(Decision { answer: Answer::Reply(response), changes })
    }

    fn show(
        &self,
        status: u32,
        skill: &SkillRow,
        version: &VersionRow,
        secret: SecretTold,
    ) -> Response {
        let body = Members::ok().raw("skill", &self.listings.write(skill, version));
        let told = |body: Members| {
            body.text("secret", &seller_secret(self.secret, skill, &version.call_url))
        };
        let body = match secret {
            SecretTold::Yes => told(body),
            SecretTold::Again => told(body).raw("secretIsKnown", "true"),
            SecretTold::No => body,
        };
        Response::json(status, body.done())
    }
}

/// A sold version's secret is told to its owner once.
fn tells_secret(version: &VersionRow) -> SecretTold {
    if version.charges == Charges::Gate { SecretTold::Yes } else { SecretTold::No }
}

/// An id of a name that no skill has.
fn fresh_id<B: Rows>(books: &B, name: &str, moment: Now<'_>) -> Result<String, B::Error> {
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

/// The changes that end skills whose owners have not paid the market's fee for a day. One that was ever
/// called or paid for waits for its owner, as one that made room does.
fn end_unpaid<B: Rows>(books: &B, now: u64) -> Result<Vec<Change>, B::Error> {
    let (mut changes, mut gone) = (Vec::new(), Vec::new());
    for id in books.unpaid(now.saturating_sub(UNPAID_MS), MAX_LAPSED)? {
        let known = books.skill(&id)?;
        let known = known.filter(|row| row.called);
        match known {
            Some(row) => {
                let row = SkillRow { active: false, made_room: true, changed: now, ..row };
                changes.extend(end_skill(books, row, now)?);
            }
            None => gone.push(id),
        }
    }
    // A fee that is paid too late is paid for no other owner's skill.
    changes.extend(forget(books, gone)?);
    Ok(changes)
}

/// A skill that comes back as it was, described anew.
fn bring_back(known: SkillRow, skill: SkillRow) -> SkillRow {
    SkillRow {
        owes: skill.owes && known.fee.is_none(),
        id: known.id,
        since: known.since,
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
