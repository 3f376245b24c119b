//! A credential: the answer of a payer to a challenge.

use alloc::format;
use alloc::string::String;

use serde_json::{Map, Value};

use super::challenge::object;
use super::{Challenge, Malformed, SCHEME, auth_param, members};
use farebox_base::encoding::{base64, jcs};

/// Maximum length of a token, bytes.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// A payer's answer to a challenge. Spec: draft-httpauth-payment, "Credential".
#[derive(Clone, Debug, PartialEq)]
pub struct Credential {
    /// The challenge as echoed. Only its id shows whether it was ever issued.
    pub challenge: Challenge,
    /// The proof, in the shape of method and intent; empty if there was none.
    pub payload: Map<String, Value>,
    /// The payer, as a DID.
    pub source: Option<String>,
}

impl Credential {
    /// Reads the token after the scheme's name: base64url of one JSON object. Accepts either
    /// alphabet, with or without padding.
    ///
    /// # Errors
    /// [`Malformed::TooLarge`] beyond [`MAX_TOKEN_BYTES`], otherwise the first member that is
    /// missing or wrong.
    ///
    /// # Examples
    /// ```
    /// use farebox_wire::mpp::{Credential, Malformed};
    /// let token = "eyJjaGFsbGVuZ2UiOnsiaWQiOiJ4IiwiaW50ZW50IjoiY2hhcmdlIiwibWV0aG9kIjoic3RyaXBlIiwicmVhbG0iOiJzaG9wLmV4YW1wbGUiLCJyZXF1ZXN0IjoiZTMwIn0sInBheWxvYWQiOnsic3B0Ijoic3B0XzEifX0";
    /// let credential = Credential::read(token).unwrap();
    /// assert_eq!((credential.challenge.realm.as_str(), &credential.payload["spt"]), ("shop.example", &"spt_1".into()));
    /// assert_eq!(Credential::read("e30"), Err(Malformed::Missing("challenge")));
    /// assert_eq!(Credential::read("{}"), Err(Malformed::Base64("credential")));
    /// ```
    pub fn read(token: &str) -> Result<Self, Malformed> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Malformed::TooLarge);
        }
        let members = object("credential", token)?;
        let challenge = match members.get("challenge") {
            Some(Value::Object(challenge)) => Challenge::from_object(challenge)?,
            Some(_) => return Err(Malformed::Wrong("challenge")),
            None => return Err(Malformed::Missing("challenge")),
        };
        let payload = match members.get("payload") {
            Some(Value::Object(payload)) => payload.clone(),
            Some(_) => return Err(Malformed::Wrong("payload")),
            None => Map::new(),
        };
        Ok(Self { challenge, payload, source: Self::source_of(&members)? })
    }

    /// The member `source`; empty text counts as absent.
    pub(super) fn source_of(members: &Map<String, Value>) -> Result<Option<String>, Malformed> {
        let source = members::text(members, "source")?.filter(|source| !source.is_empty());
        Ok(source.map(String::from))
    }

    /// Writes the value of the header field, which begins with the scheme's name. Absent members
    /// are omitted.
    ///
    /// # Examples
    /// ```
    /// use farebox_wire::mpp::Credential;
    /// let token = "eyJjaGFsbGVuZ2UiOnsiaWQiOiJ4IiwiaW50ZW50IjoiY2hhcmdlIiwibWV0aG9kIjoic3RyaXBlIiwicmVhbG0iOiJzaG9wLmV4YW1wbGUiLCJyZXF1ZXN0IjoiZTMwIn0sInBheWxvYWQiOnsic3B0Ijoic3B0XzEifX0";
    /// let credential = Credential::read(token).unwrap();
    /// assert_eq!(credential.to_header(), format!("Payment {token}"));
    /// ```
    #[must_use]
    pub fn to_header(&self) -> String {
        let mut members = Map::new();
        members.insert(String::from("challenge"), Value::Object(self.challenge.to_object()));
        members.insert(String::from("payload"), Value::Object(self.payload.clone()));
        if let Some(source) = &self.source {
            members.insert(String::from("source"), Value::String(source.clone()));
        }
        let token = base64::encode_url(jcs::object_text(&members).as_bytes());
        format!("{SCHEME} {token}")
    }
}

/// Credentials of the scheme in header rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialSearch<'a> {
    /// No credential.
    None,
    /// One: the token after the scheme's name.
    One(&'a str),
    /// Two different ones.
    Several,
}

/// Looks for credentials in the rows of `Authorization` and its alternative, each possibly a list
/// with other schemes.
///
/// Identical copies count once; a scheme without a token does not count. A token followed by
/// parameters keeps them, so that it is unreadable. Spec: RFC 9110 11.6.2.
///
/// # Examples
/// ```
/// use farebox_wire::mpp::credential::{CredentialSearch, find};
/// assert_eq!(find(["Bearer key, Payment e30"].into_iter()), CredentialSearch::One("e30"));
/// assert_eq!(find(["Payment e30", "Payment e31"].into_iter()), CredentialSearch::Several);
/// assert_eq!(find(["Bearer key"].into_iter()), CredentialSearch::None);
/// ```
pub fn find<'a>(rows: impl Iterator<Item = &'a str>) -> CredentialSearch<'a> {
    let mut found = CredentialSearch::None;
    for row in rows {
        for piece in auth_param::pieces(row) {
            let token = match piece.split_once(',') {
                Some((_, rest)) if is_param(rest) => piece,
                Some((token, _)) => token,
                None => piece,
            };
            let token = token.trim_matches([' ', '\t', ',']);
            found = match found {
                _ if token.is_empty() => continue,
                CredentialSearch::None => CredentialSearch::One(token),
                CredentialSearch::One(first) if first == token => found,
                CredentialSearch::One(_) | CredentialSearch::Several => {
                    return CredentialSearch::Several;
                }
            };
        }
    }
    found
}

/// Whether the next element of a list is a parameter, and not a scheme of its own.
fn is_param(rest: &str) -> bool {
    let element = rest.trim_start_matches([' ', '\t', ',']);
    element.split([' ', '\t', ',']).next().is_some_and(|word| word.contains('='))
}
