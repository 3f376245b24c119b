//! Sessions of sellers: a signed token of 15 minutes for one seller in one profile, which ends with
//! the seller's epoch.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::kernel::{Decision, Now};
use super::keys::Keys;
use super::message::{Answer, JsonAnswer};
use super::row::spell_wallet;
use super::row::{BondRow, Claims, SellerRow};
use super::settings::PaymentProfile;
use super::standing::{unproven, write_proven};
use crate::text::bearer;
use crate::text::{object, quoted};
use farebox_base::encoding::{base64, hex, json};
use farebox_base::secret::ct_eq;
use farebox_base::time::UnixTime;

/// Seconds of a session.
const SESSION_SECS: u64 = 900;
/// The beginning of the subject of a seller that a bond has proven.
pub(super) const WALLET_PROOF: &str = "wallet-proof:";
const TYPE: &str = "quotadex-seller-session";
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
const MAX_TOKEN_BYTES: usize = 4096;

/// Sessions of the sellers of a profile, and the tokens that open and renew them.
#[derive(Clone, Copy)]
pub(super) struct Sessions<'g> {
    pub profile: &'g PaymentProfile,
    pub keys: &'g Keys,
}

/// The proof by which a session is opened.
#[derive(Clone, Copy)]
pub(super) enum SellerProof<'a> {
    /// An identity token.
    Identity,
    /// A bond, or the token of an earlier one.
    Bond {
        /// The token that renews the session, where it is told.
        renewal: Option<&'a str>,
    },
}

impl SellerRow {
    /// Whether an identity is its proof.
    pub(super) fn has_identity(&self) -> bool {
        self.is_bound() && !self.subject.starts_with(WALLET_PROOF)
    }

    /// This seller without what a bond has opened, and can open: the wallet paid, and its owner may not
    /// have asked.
    pub(super) fn without_bond(self) -> Self {
        if self.renewal.is_empty() {
            return self;
        }
        Self { epoch: self.epoch.saturating_add(1), renewal: String::new(), ..self }
    }

    /// Whether it is bound, and is bound anew by its own request alone, which it can sign, or send with the
    /// session that its identity opens.
    pub(super) fn binds_itself(&self) -> bool {
        self.has_identity() || self.is_bound() && self.signs
    }
}

impl Sessions<'_> {
    /// The answer with a new session, and the seller's row; with what it sells, if that is known.
    pub fn open(
        &self,
        known: &SellerRow,
        row: SellerRow,
        proof: SellerProof<'_>,
        tick: Now<'_>,
    ) -> Decision {
        let (method, renewal) = match proof {
            SellerProof::Identity => ("passport_rs256", None),
            SellerProof::Bond { renewal } => ("seller_bond", renewal),
        };
        let secs = tick.now / 1000;
        let ends = secs.saturating_add(SESSION_SECS);
        let mut members = Vec::from([
            ("status", quoted("ok")),
            ("seller_id", quoted(&row.id)),
            ("network_profile", quoted(self.profile.name())),
            ("auth_method", quoted(method)),
            ("token_type", quoted("Bearer")),
            ("seller_session_token", quoted(&self.make_token(&row, secs))),
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
        let changes = write_proven(known, row, tick);
        Decision { answer: Answer::Reply(answer), changes }
    }

    /// A session's token.
    fn make_token(&self, seller: &SellerRow, secs: u64) -> String {
        let claims = object(&[
            ("typ", quoted(TYPE)),
            ("seller_id", quoted(&seller.id)),
            ("passport_agent_id", quoted(&seller.agent)),
            ("passport_subject", quoted(&seller.subject)),
            ("network_profile", quoted(self.profile.name())),
            ("epoch", format!("{}", seller.epoch)),
            ("iat", format!("{secs}")),
            ("exp", format!("{}", secs.saturating_add(SESSION_SECS))),
        ]);
        let signed = format!(
            "{}.{}",
            base64::encode_url(HEADER.as_bytes()),
            base64::encode_url(claims.as_bytes())
        );
        let mac = self.keys.make_mac("seller session", &[signed.as_bytes()]);
        format!("{signed}.{}", base64::encode_url(&mac))
    }

    /// The seller with this id, if a request shows its session; otherwise why not. Who shows none
    /// hears the same of a seller that does not exist.
    pub fn find_seller(
        &self,
        known: Option<SellerRow>,
        id: &str,
        authorization: &str,
        tick: Now<'_>,
    ) -> Result<SellerRow, &'static str> {
        let unknown = || unproven(id.to_string(), String::new(), "", tick);
        let seller = known.unwrap_or_else(unknown);
        self.check(&seller, authorization, tick).map(|()| seller)
    }

    /// Whether a request shows a session of this seller; otherwise why not.
    pub fn check(
        &self,
        seller: &SellerRow,
        authorization: &str,
        tick: Now<'_>,
    ) -> Result<(), &'static str> {
        let claims = self.read(authorization, tick.now)?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let is_theirs = text("seller_id").is_some_and(|id| spell_wallet(id) == seller.id);
        if !is_theirs {
            return Err("Gateway seller session belongs to another seller.");
        }
        let is_bound = seller.is_bound() && text("passport_subject") == Some(&seller.subject);
        if !is_bound || claims.get("epoch").and_then(Value::as_u64) != Some(seller.epoch) {
            return Err("Gateway seller session was revoked.");
        }
        Ok(())
    }

    /// The claims of the session that a request shows, if it is one of this profile that has not ended. It may have been revoked.
    pub fn read(&self, authorization: &str, now: u64) -> Result<Value, &'static str> {
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
        let is_ours = ct_eq(&mac, &self.keys.make_mac("seller session", &[signed.as_bytes()]));
        if !is_ours {
            return Err(BAD);
        }
        let (_, claims) = signed.split_once('.').ok_or(BAD)?;
        let claims = base64::decode_url(claims).map_err(|_| BAD)?;
        let claims = json::parse(&claims).map_err(|_| BAD)?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if text("typ") != Some(TYPE) || text("network_profile") != Some(self.profile.name()) {
            return Err("Gateway seller session belongs to another network profile.");
        }
        let exp = claims.get("exp").and_then(Value::as_u64);
        if exp.is_none_or(|exp| now / 1000 >= exp) {
            return Err("Gateway seller session has expired.");
        }
        Ok(claims)
    }

    /// The token that renews the sessions that a proven bond opened.
    pub fn renewal_token(&self, bond: &BondRow) -> String {
        let parts = [bond.id.as_bytes(), bond.transaction.as_bytes()];
        format!("qdr_{}", base64::encode_url(&self.keys.make_mac("renewal", &parts)))
    }

    pub fn hash_renewal(&self, token: &str) -> String {
        hex::encode(&self.keys.make_mac("renewal hash", &[token.as_bytes()]))
    }

    /// Tells the secret of now from others: the hash of no token.
    pub fn print_secret(&self) -> String {
        self.hash_renewal("")
    }

    /// Whether it is known that there is a token that renews the sessions of a seller: one of another
    /// secret does no more.
    pub fn is_renewable(&self, seller: &SellerRow) -> bool {
        !seller.renewal.is_empty() && seller.keyed == self.print_secret()
    }

    /// Whether a token renews the sessions of a seller.
    pub fn renews(&self, seller: &SellerRow, token: &str) -> bool {
        let known = seller.renewal.as_bytes();
        !known.is_empty() && ct_eq(known, self.hash_renewal(token).as_bytes())
    }
}
