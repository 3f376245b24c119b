//! Identity tokens: what is asked of an RS256 token beside its signature, which the platform
//! checks. Spec: RFC 7515, RFC 7519.

use alloc::format;
use alloc::string::{String, ToString};

use serde_json::{Map, Value};

use super::body::Fields;
use super::message::{Identity, JsonAnswer, SellerRequest};
use super::refused::refusal;
use super::row::spell_wallet;
use crate::text::bearer;
use farebox_base::encoding::{base64, json};

const MAX_TOKEN_BYTES: usize = 8 * 1024;
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

/// The issuer of the tokens that tell a seller's identity.
#[derive(Debug)]
pub struct Issuer {
    /// `iss` of its tokens.
    pub name: String,
    /// The URL of its keys, a JWKS.
    pub keys: String,
    /// The `aud` that its tokens need to have; any, if there is none.
    pub audience: Option<String>,
}

/// A token whose signature is to be checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnprovenToken {
    /// `kid`; empty if it names no key.
    pub key: String,
    /// The signed text: header and claims as they came.
    pub signed: String,
    /// The signature, base64url.
    pub signature: String,
}

/// The platform's verdict on a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureCheck {
    /// It is the issuer's.
    Right,
    /// It is not, or the issuer has no such key.
    Wrong,
    /// The issuer's keys cannot be read.
    Unread,
}

/// The token that a request for a session shows; `None` if something else proves the seller, or
/// nothing does.
///
/// # Errors
/// The answer to what can be no token of an issuer.
pub fn unproven(request: &SellerRequest) -> Result<Option<UnprovenToken>, JsonAnswer> {
    let shown = bearer(&request.authorization);
    let Ok(fields) = Fields::of(&request.body) else { return Ok(None) };
    let is_bond = fields.has("challenge_id") && fields.has("tx_hash");
    if shown.is_empty() || is_bond {
        return Ok(None);
    }
    match split_token(shown) {
        Some(token) => Ok(Some(token)),
        // Whoever renews may still show the session that ends.
        None if fields.has("seller_renewal_token") => Ok(None),
        None => Err(bad_token("The passport identity token is not an RS256 token.")),
    }
}

fn split_token(token: &str) -> Option<UnprovenToken> {
    if token.len() > MAX_TOKEN_BYTES {
        return None;
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, _) = signed.split_once('.')?;
    let header = json::parse(&base64::decode_url(header).ok()?).ok()?;
    let is_rs256 = header.get("alg").and_then(Value::as_str) == Some("RS256");
    // An extension that has to be understood is not.
    let is_plain = header.get("crit").is_none();
    let key = header.get("kid").and_then(Value::as_str).unwrap_or_default().to_string();
    let (signed, signature) = (signed.to_string(), signature.to_string());
    (is_rs256 && is_plain).then_some(UnprovenToken { key, signed, signature })
}

impl Issuer {
    /// The identity to which a token belongs.
    ///
    /// # Errors
    /// The answer to one that proves no one.
    pub fn identity(
        &self,
        token: &UnprovenToken,
        check: SignatureCheck,
        now_ms: u64,
    ) -> Result<Identity, JsonAnswer> {
        match check {
            SignatureCheck::Right => {}
            SignatureCheck::Wrong => {
                return Err(bad_token("The passport identity token is not signed by its issuer."));
            }
            SignatureCheck::Unread => {
                let why = "The issuer's keys cannot be read; try again.";
                let answer = refusal(503, "PASSPORT_KEYS_UNAVAILABLE", why);
                return Err(answer.with("retry-after", "5"));
            }
        }
        let claims = token.signed.split_once('.').map(|(_, claims)| claims).unwrap_or_default();
        let claims = base64::decode_url(claims).ok().and_then(|bytes| json::parse(&bytes).ok());
        let Some(Value::Object(claims)) = claims else {
            return Err(bad_token("The passport identity token has no claims."));
        };
        let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("iss") != self.name {
            return Err(bad_token("The passport identity token is of another issuer."));
        }
        let named = |value: &Value| value.as_str() == self.audience.as_deref();
        let is_for_us = self.audience.is_none()
            || claims.get("aud").is_some_and(|aud| match aud {
                Value::Array(all) => all.iter().any(named),
                one => named(one),
            });
        if !is_for_us {
            return Err(bad_token("The passport identity token is for another service."));
        }
        let subject = text("sub").to_string();
        if subject.is_empty() {
            return Err(bad_token("The passport identity token names no subject."));
        }
        let secs = now_ms / 1000;
        let ends = claims.get("exp").and_then(Value::as_u64);
        if ends.is_none_or(|ends| secs >= ends) {
            let why = "The passport identity token has expired.";
            return Err(refusal(403, "PASSPORT_TOKEN_EXPIRED", why));
        }
        let begins = claims.get("nbf").map(|value| value.as_u64().unwrap_or(u64::MAX));
        if begins.is_some_and(|begins| secs < begins) {
            return Err(bad_token("The passport identity token is not valid yet."));
        }
        Ok(Identity { subject, claims: format!("{}", Value::Object(claims)) })
    }
}

/// Whether an identity is this seller's, in the name of this agent.
pub(super) fn is_of(identity: &Identity, seller: &str, agent: &str) -> bool {
    let claims = json::parse(identity.claims.as_bytes()).ok();
    claims.as_ref().and_then(Value::as_object).is_some_and(|claims| {
        claim(claims, &AGENT_CLAIMS, &AGENT_OBJECTS, &AGENT_MEMBERS) == Some(agent)
            && claim(claims, &PAYER_CLAIMS, &PAYER_OBJECTS, &["address"])
                .is_some_and(|payer| spell_wallet(payer) == seller)
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

/// The answer to a token where no issuer is trusted.
pub fn no_issuer() -> JsonAnswer {
    bad_token("No issuer of passport identity tokens is configured.")
}

fn bad_token(why: &str) -> JsonAnswer {
    refusal(403, "PASSPORT_TOKEN_INVALID", why)
}
