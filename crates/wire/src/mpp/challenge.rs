//! A challenge: a server's terms, which a credential echoes.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::{Malformed, SCHEME, auth_param};
use farebox_base::encoding::{base64, jcs, json};
use farebox_base::time::UnixTime;

/// Maximum length of `request`, characters. Spec: the limit of `mppx` and of the crate `mpp`.
pub const MAX_REQUEST_BYTES: usize = 16 * 1024;
/// Maximum length of a field value for [`read_list`], bytes.
pub const MAX_LIST_BYTES: usize = 64 * 1024;

/// Room for the names of all members and what stands around them, bytes.
const MEMBER_BYTES: usize = 160;

/// A challenge on the wire, every text as received.
///
/// Spec: draft-httpauth-payment, "Challenge"; `header` is an addition of `mppx`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Challenge {
    /// Identifies the challenge, and binds all but `description`; see [`super::id`].
    pub id: String,
    /// Protection space: usually the host.
    pub realm: String,
    /// Payment method, `evm`.
    pub method: String,
    /// Intent of the payment, `charge`.
    pub intent: String,
    /// base64url of the canonical JSON of the terms.
    pub request: String,
    /// RFC 3339 time at which the challenge expires.
    pub expires: Option<String>,
    /// `sha-256=` and the digest of the request body.
    pub digest: Option<String>,
    /// Text for people; not bound.
    pub description: Option<String>,
    /// base64url of data that the server wants back.
    pub opaque: Option<String>,
    /// Field that carries the credential instead of `Authorization`.
    pub header: Option<String>,
}

/// Reads every `Payment` challenge of a `WWW-Authenticate` value, including rows joined by commas;
/// other schemes are skipped.
///
/// An unreadable challenge does not spoil the others.
///
/// # Examples
/// ```
/// use farebox_wire::mpp::{Malformed, challenge::read_list};
/// let one = r#"Payment id="a", realm="shop.example", method="stripe", intent="charge", request="e30""#;
/// let read = read_list(&format!(r#"Basic realm="x", {one}, Payment id="b", id="b""#));
/// assert_eq!(read[0].as_ref().unwrap().realm, "shop.example");
/// assert_eq!(read[1], Err(Malformed::Duplicate));
/// assert_eq!(read.len(), 2);
/// ```
#[must_use]
pub fn read_list(value: &str) -> Vec<Result<Challenge, Malformed>> {
    if value.len() > MAX_LIST_BYTES {
        return alloc::vec![Err(Malformed::TooLarge)];
    }
    auth_param::pieces(value).into_iter().map(Challenge::from_piece).collect()
}

impl Challenge {
    /// Writes the value of `WWW-Authenticate`, in ASCII only.
    ///
    /// # Errors
    /// The first member that [`read_list`] would refuse.
    ///
    /// # Examples
    /// ```
    /// use farebox_wire::mpp::{Challenge, Malformed};
    /// let text = |text: &str| text.to_owned();
    /// let mut challenge = Challenge {
    ///     id: text("a"), realm: text("shop.example"), method: text("stripe"), intent: text("charge"),
    ///     request: text("e30"), description: Some(text("a \"report\"")), ..Challenge::default()
    /// };
    /// let header = r#"Payment id="a", realm="shop.example", method="stripe", intent="charge", request="e30", description="a \"report\"""#;
    /// assert_eq!(challenge.to_header().as_deref(), Ok(header));
    /// challenge.method = text("Stripe");
    /// assert_eq!(challenge.to_header(), Err(Malformed::Wrong("method")));
    /// ```
    pub fn to_header(&self) -> Result<String, Malformed> {
        self.check()?;
        Ok(self.written())
    }

    /// Writes the value like [`Challenge::to_header`], of members that are known to be right.
    #[must_use]
    pub fn written(&self) -> String {
        let members = self.members();
        let bytes = members.iter().map(|(_, value)| value.len());
        let bytes = bytes.fold(MEMBER_BYTES, usize::saturating_add);
        let mut text = String::with_capacity(bytes);
        text.push_str(SCHEME);
        let mut before = " ";
        for (name, value) in members.into_iter().filter(|(name, value)| is_there(name, value)) {
            text.push_str(before);
            auth_param::write(&mut text, name, value);
            before = ", ";
        }
        text
    }

    /// The terms as an object. Only canonical text is accepted, so that every reader sees the same
    /// terms.
    ///
    /// Numbers with more digits than money or a chain id needs, 16 or more after the point, may
    /// count as not canonical.
    ///
    /// # Errors
    /// [`Malformed::NotCanonical`], and what [`read_list`] refuses.
    ///
    /// # Examples
    /// ```
    /// use farebox_wire::mpp::{Challenge, Malformed};
    /// let request = |request: &str| Challenge { request: request.into(), ..Challenge::default() }.request_object();
    /// let asked = request("eyJhbW91bnQiOiI1MDAiLCJjdXJyZW5jeSI6InVzZCJ9").unwrap();
    /// assert_eq!((&asked["amount"], &asked["currency"]), (&"500".into(), &"usd".into()));
    /// // The same object with a space in it.
    /// assert_eq!(request("eyAiYW1vdW50IjoiNTAwIn0"), Err(Malformed::NotCanonical("request")));
    /// assert_eq!(request("W10"), Err(Malformed::Json("request")));
    /// ```
    pub fn request_object(&self) -> Result<Map<String, Value>, Malformed> {
        let object = object("request", &self.request)?;
        if base64::encode_url(jcs::object_text(&object).as_bytes()) != self.request {
            return Err(Malformed::NotCanonical("request"));
        }
        Ok(object)
    }

    /// The expiry of the challenge, in whole seconds, rounded down.
    ///
    /// # Errors
    /// [`Malformed::Wrong`] if `expires` is not a time.
    ///
    /// # Examples
    /// ```
    /// use farebox_base::time::UnixTime;
    /// use farebox_wire::mpp::{Challenge, Malformed};
    /// let ends = |text: &str| Challenge { expires: Some(text.into()), ..Challenge::default() }.expires_at();
    /// assert_eq!(ends("2025-02-27T16:01:29.999Z"), Ok(Some(UnixTime::from_secs(1_740_672_089))));
    /// assert_eq!(ends("tomorrow"), Err(Malformed::Wrong("expires")));
    /// ```
    pub fn expires_at(&self) -> Result<Option<UnixTime>, Malformed> {
        let time = |text: &String| UnixTime::from_rfc3339(text);
        self.expires.as_ref().map(time).transpose().map_err(|_| Malformed::Wrong("expires"))
    }

    /// Reads the members of an object that echoes a challenge; others are skipped, and `null`
    /// counts as absent.
    ///
    /// # Errors
    /// The first member that is missing or wrong.
    pub(super) fn from_object(members: &Map<String, Value>) -> Result<Self, Malformed> {
        let text = |name: &'static str| match members.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            // Older clients echoed it like this, before its text had to stay unchanged.
            Some(Value::Object(object))
                if name == "opaque" && object.values().all(Value::is_string) =>
            {
                Ok(Some(base64::encode_url(jcs::object_text(object).as_bytes())))
            }
            Some(_) => Err(Malformed::Wrong(name)),
        };
        Self::read(text)
    }

    /// The object that echoes the challenge; absent members are left out.
    pub(super) fn to_object(&self) -> Map<String, Value> {
        let members = self.members().into_iter().filter(|(name, value)| is_there(name, value));
        json::object(members.map(|(name, value)| (name.into(), Value::String(value.into()))))
    }

    /// Reads the parameters after one scheme name. An empty value of an optional member counts as
    /// absent.
    fn from_piece(piece: &str) -> Result<Self, Malformed> {
        let params = auth_param::read(piece)?;
        Self::read(|wanted| {
            let value = params.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
            Ok(value.filter(|value| wanted == "header" || is_there(wanted, value)).cloned())
        })
    }

    fn read(
        text: impl Fn(&'static str) -> Result<Option<String>, Malformed>,
    ) -> Result<Self, Malformed> {
        let required = |name| text(name)?.ok_or(Malformed::Missing(name));
        let challenge = Self {
            id: required("id")?,
            // The only member that may be present and empty.
            realm: required("realm")?,
            method: required("method")?,
            intent: required("intent")?,
            request: required("request")?,
            expires: text("expires")?,
            digest: text("digest")?,
            description: text("description")?,
            opaque: text("opaque")?,
            header: text("header")?.filter(|name| !name.eq_ignore_ascii_case("authorization")),
        };
        challenge.check()?;
        Ok(challenge)
    }

    /// Checks the form of each member.
    fn check(&self) -> Result<(), Malformed> {
        let is = |holds: bool, name| if holds { Ok(()) } else { Err(Malformed::Wrong(name)) };
        for (name, value) in self.members() {
            if value.len() > MAX_REQUEST_BYTES {
                return Err(Malformed::TooLarge);
            }
            is(name == "description" || !value.contains(char::is_control), name)?;
        }
        for (name, value) in [("id", &self.id), ("request", &self.request)] {
            if value.is_empty() {
                return Err(Malformed::Missing(name));
            }
        }
        is(is_method(&self.method), "method")?;
        is(is_word(&self.intent, |byte| byte.is_ascii_alphanumeric()), "intent")?;
        is(self.digest.as_deref().is_none_or(is_digest), "digest")?;
        is(self.header.as_deref().is_none_or(is_field_name), "header")?;
        self.expires_at()?;
        if let Some(opaque) = &self.opaque {
            is(!opaque.is_empty(), "opaque")?;
            base64::decode_url(opaque).map_err(|_| Malformed::Base64("opaque"))?;
        }
        object("request", &self.request).map(drop)
    }

    /// Names and values in writing order; absent members are empty.
    fn members(&self) -> [(&'static str, &str); 10] {
        fn optional(value: &Option<String>) -> &str {
            value.as_deref().unwrap_or_default()
        }
        [
            ("id", &self.id),
            ("realm", &self.realm),
            ("method", &self.method),
            ("intent", &self.intent),
            ("request", &self.request),
            ("expires", optional(&self.expires)),
            ("description", optional(&self.description)),
            ("digest", optional(&self.digest)),
            ("header", optional(&self.header)),
            ("opaque", optional(&self.opaque)),
        ]
    }
}

/// Whether a member is written: a realm may be present and empty.
fn is_there(name: &str, value: &str) -> bool {
    name == "realm" || !value.is_empty()
}

/// The object in base64 of JSON.
pub(super) fn object(member: &'static str, text: &str) -> Result<Map<String, Value>, Malformed> {
    let bytes = base64::decode_url(text).map_err(|_| Malformed::Base64(member))?;
    match json::parse_within(&bytes, json::MAX_BYTES, json::MAX_PROOF_VALUES) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(Malformed::Json(member)),
    }
}

/// Whether text is a method's name. Spec: what `mppx` reads; the draft allows only letters.
fn is_method(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && is_word(text, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b':')
}

fn is_word(text: &str, accepts: fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(|byte| accepts(byte) || matches!(byte, b'-' | b'_'))
}

/// Whether text is a SHA-256 digest, in either spelling.
fn is_digest(text: &str) -> bool {
    let Some(value) = text.strip_prefix("sha-256=") else { return false };
    let value = value.strip_prefix(':').and_then(|value| value.strip_suffix(':')).unwrap_or(value);
    !value.is_empty() && base64::decode_url(value).is_ok()
}

fn is_field_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(auth_param::is_token)
}
