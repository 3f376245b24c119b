//! Sessions of sellers: a signed token of 15 minutes for one seller in one profile, which ends with
//! the seller's epoch.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::body::{Fields, spelled};
use super::message::{Answer, Identity, JsonAnswer, SellerRequest};
use super::offer::JobOffer;
use super::records::Rows;
use super::refused::{invalid, no_seller, said};
use super::row::{Claims, SellerRow};
use super::seal::bearer;
use super::seller::{changed, unproven};
use super::settings::Gateway;
use super::text::{object, quoted};
use super::{Decision, Now};
use farebox_base::encoding::{base64, json};
use farebox_base::mutant::{Mutant, planted};
use farebox_base::secret::ct_eq;
use farebox_base::time::UnixTime;

/// Seconds of a session.
const SESSION_SECS: u64 = 900;
/// The beginning of the subject of a seller that a bond has proven.
pub(super) const WALLET_PROOF: &str = "wallet-proof:";
const TYPE: &str = "quotadex-seller-session";
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
const MAX_TOKEN_BYTES: usize = 4096;

/// Names under which an identity token may say who its agent is.
const AGENT_CLAIMS: [&str; 4] = ["passport_agent_id", "agent_id", "agentId", "kite_agent_id"];
const AGENT_OBJECTS: [&str; 2] = ["agent", "passport_agent"];
const AGENT_MEMBERS: [&str; 3] = ["id", "agent_id", "agentId"];
/// Names under which it may say who pays.
const PAYER_CLAIMS: [&str; 10] = [
    "passport_payer_addr",
    "payer_addr",
    "payer_address",
    "payerAddress",
    "wallet_address",
    "walletAddress",
    "user_wallet",
    "userWallet",
    "aa_wallet_address",
    "smart_wallet_address",
];
const PAYER_OBJECTS: [&str; 3] = ["wallet", "payer", "account"];

/// The content of a request for a session.
struct AskedSession {
    seller: String,
    agent: String,
    bond: Option<(String, String)>,
    renewal: Option<String>,
    offer: Option<JobOffer>,
}

impl Gateway {
    /// Opens a session: by a bond, else by an identity that the Worker has checked, else by the
    /// token of an earlier bond.
    pub(super) fn open_session<R: Rows>(
        &self,
        records: &R,
        request: &SellerRequest,
        (identity, evidence): (Option<&Identity>, Option<&str>),
        tick: Now<'_>,
    ) -> Result<Decision, R::Error> {
        let read = self.fields(&request.body).and_then(|fields| self.asked_session(&fields));
        let asked = match read {
            Ok(asked) => asked,
            Err(answer) => return Ok(Decision::reply(answer)),
        };
        let Some(known) = records.seller(&asked.seller)? else {
            return Ok(Decision::reply(no_seller()));
        };
        // Written only with a session: what proves the seller proves what it sells.
        let offer = asked.offer.as_ref().filter(|_| !planted(Mutant::StrangersSetTerms));
        let seller = offer.map_or_else(|| known.clone(), |offer| offer.of(known.clone()));
        if let Some((id, hash)) = &asked.bond {
            let named = (&known, seller, asked.agent.as_str());
            return self.bonded(records, named, (id, hash, evidence), tick);
        }
        let mismatch = || {
            let why = "The identity does not belong to this seller.";
            Ok(Decision::reply(said(403, "SELLER_PASSPORT_MISMATCH", why)))
        };
        // An agent that was only claimed binds no one.
        let is_its = !seller.is_bound() || seller.agent == asked.agent;
        match (identity, &asked.renewal) {
            (Some(identity), _) => {
                let is_same = !seller.is_bound()
                    || seller.subject == identity.subject
                    || seller.subject.starts_with(WALLET_PROOF);
                let is_it = is_of(identity, &seller.id, &asked.agent);
                if !is_it && !planted(Mutant::AnyIdentitySells) || !is_its || !is_same {
                    return mismatch();
                }
                let subject = identity.subject.clone();
                let row = SellerRow { agent: asked.agent, subject, ..seller };
                Ok(self.opened(&known, row, ("passport_rs256", None), tick))
            }
            (None, Some(token)) => {
                let is_right = self.renews(&seller, token) || planted(Mutant::AnyTokenRenews);
                if !is_right || !seller.is_bound() {
                    return Ok(Decision::reply(no_proof()));
                }
                if !is_its {
                    return mismatch();
                }
                Ok(self.opened(&known, seller, ("seller_bond", None), tick))
            }
            (None, None) => Ok(Decision::reply(no_proof())),
        }
    }

    fn asked_session(&self, fields: &Fields) -> Result<AskedSession, JsonAnswer> {
        let seller = self.seller_id(fields)?;
        let agent = fields.text("passport_agent_id")?;
        let bond = fields.maybe("challenge_id")?.zip(fields.maybe("tx_hash")?);
        let renewal = fields.maybe("seller_renewal_token")?;
        let offer = self.maybe_offer(fields)?;
        Ok(AskedSession { seller, agent, bond, renewal, offer })
    }

    /// The answer with a new session, and the seller's row; with what it sells, if that is known.
    pub(super) fn opened(
        &self,
        known: &SellerRow,
        row: SellerRow,
        (method, renewal): (&str, Option<&str>),
        tick: Now<'_>,
    ) -> Decision {
        let secs = tick.now / 1000;
        let ends = secs.saturating_add(SESSION_SECS);
        let mut members = Vec::from([
            ("status", quoted("ok")),
            ("seller_id", quoted(&row.id)),
            ("network_profile", quoted(self.profile().name())),
            ("auth_method", quoted(method)),
            ("token_type", quoted("Bearer")),
            ("seller_session_token", quoted(&self.session_token(&row, secs))),
        ]);
        members.extend(renewal.map(|token| ("seller_renewal_token", quoted(token))));
        members.extend([
            ("expires_in_seconds", format!("{SESSION_SECS}")),
            ("expires_at", quoted(&UnixTime::from_secs(ends).rfc3339())),
        ]);
        if row.claims == Claims::Agreed {
            members.extend([
                ("capability", quoted(&row.capability)),
                ("price_per_task", quoted(&row.price)),
                ("capacity", format!("{}", row.capacity)),
            ]);
        }
        let answer = JsonAnswer::new(200, object(&members));
        let changes = changed(known, row, tick);
        Decision { answer: Answer::Reply(answer), changes }
    }

    /// A session's token.
    fn session_token(&self, seller: &SellerRow, secs: u64) -> String {
        let claims = object(&[
            ("typ", quoted(TYPE)),
            ("seller_id", quoted(&seller.id)),
            ("passport_agent_id", quoted(&seller.agent)),
            ("passport_subject", quoted(&seller.subject)),
            ("network_profile", quoted(self.profile().name())),
            ("epoch", format!("{}", seller.epoch)),
            ("iat", format!("{secs}")),
            ("exp", format!("{}", secs.saturating_add(SESSION_SECS))),
        ]);
        let signed = format!(
            "{}.{}",
            base64::encode_url(HEADER.as_bytes()),
            base64::encode_url(claims.as_bytes())
        );
        let mac = self.keyed("seller session", &[signed.as_bytes()]);
        format!("{signed}.{}", base64::encode_url(&mac))
    }

    /// The seller with this id, if a request shows its session; otherwise why not. Who shows none
    /// hears the same of a seller that does not exist.
    pub(super) fn session_in(
        &self,
        known: Option<SellerRow>,
        id: &str,
        authorization: &str,
        tick: Now<'_>,
    ) -> Result<SellerRow, &'static str> {
        let unknown = || unproven(id.to_string(), String::new(), "", tick);
        let seller = known.unwrap_or_else(unknown);
        self.session_of(&seller, authorization, tick).map(|()| seller)
    }

    /// Whether a request shows a session of this seller; otherwise why not.
    pub(super) fn session_of(
        &self,
        seller: &SellerRow,
        authorization: &str,
        tick: Now<'_>,
    ) -> Result<(), &'static str> {
        let token = bearer(authorization);
        if token.is_empty() {
            return Err("Gateway seller session bearer token is required.");
        }
        const BAD: &str = "Gateway seller session bearer token is invalid.";
        if token.len() > MAX_TOKEN_BYTES {
            return Err(BAD);
        }
        let (signed, mac) = token.rsplit_once('.').ok_or(BAD)?;
        let mac = base64::decode_url(mac).map_err(|_| BAD)?;
        let is_ours = ct_eq(&mac, &self.keyed("seller session", &[signed.as_bytes()]));
        if !is_ours && !planted(Mutant::AnySessionSells) {
            return Err(BAD);
        }
        let (_, claims) = signed.split_once('.').ok_or(BAD)?;
        let claims = base64::decode_url(claims).map_err(|_| BAD)?;
        let claims = json::parse(&claims).map_err(|_| BAD)?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let number = |name: &str| claims.get(name).and_then(Value::as_u64);
        if text("typ") != Some(TYPE) || text("network_profile") != Some(self.profile().name()) {
            return Err("Gateway seller session belongs to another network profile.");
        }
        if number("exp").is_none_or(|exp| tick.now / 1000 >= exp)
            && !planted(Mutant::SessionsNeverEnd)
        {
            return Err("Gateway seller session has expired.");
        }
        let is_theirs = text("seller_id").is_some_and(|id| spelled(id) == seller.id);
        if !is_theirs && !planted(Mutant::AnySellerServes) {
            return Err("Gateway seller session belongs to another seller.");
        }
        let is_bound = seller.is_bound() && text("passport_subject") == Some(&seller.subject);
        if !is_bound || number("epoch") != Some(seller.epoch) {
            return Err("Gateway seller session was revoked.");
        }
        Ok(())
    }
}

/// For a session without anything that proves the seller.
fn no_proof() -> JsonAnswer {
    let why = "A bond, a passport identity token or a renewal token is required to open a session.";
    said(403, "PASSPORT_AUTH_REQUIRED", why)
}

/// Whether an identity is this seller's, in the name of this agent.
fn is_of(identity: &Identity, seller: &str, agent: &str) -> bool {
    let claims = json::parse(identity.claims.as_bytes()).ok();
    claims.as_ref().and_then(Value::as_object).is_some_and(|claims| {
        claim(claims, &AGENT_CLAIMS, &AGENT_OBJECTS, &AGENT_MEMBERS) == Some(agent)
            && claim(claims, &PAYER_CLAIMS, &PAYER_OBJECTS, &["address"])
                .is_some_and(|payer| spelled(payer) == seller)
    })
}

/// A claim by the first name that has text.
fn claim<'a>(
    claims: &'a Map<String, Value>,
    names: &[&str],
    objects: &[&str],
    members: &[&str],
) -> Option<&'a str> {
    let plain = names.iter().find_map(|name| claims.get(*name)?.as_str());
    let inner = || {
        objects.iter().find_map(|name| {
            let object = claims.get(*name)?;
            members.iter().find_map(|member| object.get(*member)?.as_str())
        })
    };
    plain.or_else(inner).filter(|text| !text.is_empty())
}

impl Gateway {
    /// The members of a body for this profile.
    pub(super) fn fields(&self, body: &str) -> Result<Fields, JsonAnswer> {
        let fields = Fields::of(body)?;
        match fields.profile() {
            // Who names none is served by whom the Worker asks.
            Ok(profile) if profile.is_none_or(|it| it == self.profile()) => Ok(fields),
            Ok(_) => Err(invalid("network_profile is not the one of this exchange.")),
            Err(answer) => Err(answer),
        }
    }

    /// The members of a body about a job, which says of which profile it is.
    pub(super) fn fields_of_job(&self, body: &str) -> Result<Fields, JsonAnswer> {
        let fields = Fields::of(body)?;
        if fields.names_profile() { self.fields(body) } else { Ok(fields) }
    }

    /// `seller_id` in its one spelling.
    pub(super) fn seller_id(&self, fields: &Fields) -> Result<String, JsonAnswer> {
        Ok(spelled(&fields.text("seller_id")?).to_string())
    }
}
