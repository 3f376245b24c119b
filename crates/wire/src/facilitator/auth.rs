//! Authenticates requests to a facilitator. The edge adds the signatures of private keys.
//!
//! Spec: RFC 6750 (bearer), the key authentication of Coinbase's Developer Platform (a JWT for each
//! request, RFC 7519), and that of OKX's API (an HMAC over time, method, target and body).

use alloc::format;
use alloc::string::String;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use farebox_base::encoding::{base64, hex, json};
use farebox_base::http::UrlPieces;
use farebox_base::secret::Secret;
use farebox_base::time::UnixTime;

/// Seconds for which a JWT may be used.
const JWT_SECS: u64 = 120;

/// The key of a facilitator, if it takes one.
#[derive(Debug)]
pub enum Auth {
    /// It needs no key.
    None,
    /// A token.
    Bearer {
        /// Name of the secret that holds it.
        variable: String,
        /// Visible ASCII.
        token: Secret<String>,
    },
    /// A key of Coinbase's Developer Platform.
    Cdp {
        /// Name of the key; visible ASCII.
        id: String,
        /// The signing key.
        key: SigningKey,
    },
    /// A key of OKX's API; each part is visible ASCII.
    Okx {
        /// Name of the key.
        key: Secret<String>,
        /// Key of the HMAC.
        secret: Secret<String>,
        /// Sent with each request.
        passphrase: Secret<String>,
    },
}

/// A private key that the edge signs with.
#[derive(Debug)]
pub struct SigningKey {
    /// Name of the algorithm in a JWT: `EdDSA` or `ES256`.
    pub algorithm: &'static str,
    /// PKCS#8 in base64.
    pub pkcs8: Secret<String>,
}

/// The time of a request, and a random value that makes it unique.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Unix time in milliseconds.
    pub milliseconds: u64,
    /// Random.
    pub nonce: [u8; 16],
}

/// A request as sent.
#[derive(Debug)]
pub struct Signed {
    /// One `name: value` line per authentication field.
    pub lines: Secret<String>,
    /// Algorithm, PKCS#8 and the bytes to sign, separated by spaces: the JWT goes into
    /// `authorization`.
    pub signing: Option<Secret<String>>,
    /// JSON; empty without a body.
    pub body: String,
}

impl Auth {
    /// Whether a request may be refused because of the key.
    #[must_use]
    pub const fn takes_key(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// The secret to look at when the key is refused.
    #[must_use]
    pub fn variable(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Bearer { variable, .. } => Some(variable),
            Self::Cdp { .. } => Some("CDP_API_KEY_SECRET"),
            Self::Okx { .. } => Some("OKX_API_SECRET"),
        }
    }

    /// Builds the request with all its authentication.
    #[must_use]
    pub fn sign(&self, method: &str, url: &str, mut body: String, moment: Moment) -> Signed {
        let (mut lines, mut signing) = (String::new(), None);
        match self {
            Self::None => {}
            Self::Bearer { token, .. } => {
                lines = format!("authorization: Bearer {}\n", token.expose());
            }
            Self::Cdp { id, key } => {
                let input = jwt(id, key.algorithm, method, url, moment);
                let pkcs8 = key.pkcs8.expose();
                signing = Some(Secret::new(format!("{} {pkcs8} {input}", key.algorithm)));
            }
            Self::Okx { key, secret, passphrase } => {
                // Otherwise it answers before the transaction is on the chain.
                if url.ends_with("/settle")
                    && let Some(open) = body.strip_suffix('}')
                {
                    body = format!(r#"{open},"syncSettle":true}}"#);
                }
                let at = timestamp(moment.milliseconds);
                let target = UrlPieces::of(url).and_then(|url| url.target()).unwrap_or_default();
                let signed = [&at, method, target, &body];
                lines = format!(
                    "ok-access-key: {}\nok-access-sign: {}\nok-access-timestamp: {at}\nok-access-passphrase: {}\n",
                    key.expose(),
                    mac(secret.expose(), &signed),
                    passphrase.expose(),
                );
            }
        }
        Signed { lines: Secret::new(lines), signing, body }
    }
}

/// The signed part of a JWT: it permits one method of one URL for two minutes.
fn jwt(id: &str, algorithm: &str, method: &str, url: &str, moment: Moment) -> String {
    let id = json::text(id);
    let place = url.split_once("://").map_or(url, |(_, place)| place);
    let now = moment.milliseconds / 1000;
    let end = now.saturating_add(JWT_SECS);
    // Configured URLs have neither quotes nor backslashes.
    let nonce = hex::encode(&moment.nonce);
    let header = format!(r#"{{"alg":"{algorithm}","kid":{id},"typ":"JWT","nonce":"{nonce}"}}"#);
    let claims = format!(
        r#"{{"sub":{id},"iss":"cdp","uris":["{method} {place}"],"iat":{now},"nbf":{now},"exp":{end}}}"#
    );
    format!("{}.{}", base64url(&header), base64url(&claims))
}

fn base64url(text: &str) -> String {
    let standard = base64::encode(text.as_bytes());
    let url = |char| match char {
        '+' => '-',
        '/' => '_',
        other => other,
    };
    standard.chars().filter(|char| *char != '=').map(url).collect()
}

/// UTC with milliseconds, `2025-11-20T06:00:00.123Z`.
fn timestamp(milliseconds: u64) -> String {
    let whole = UnixTime::from_secs(milliseconds / 1000).rfc3339();
    format!("{}.{:03}Z", whole.trim_end_matches('Z'), milliseconds % 1000)
}

/// HMAC-SHA-256 over the concatenated parts, in base64.
fn mac(key: &str, parts: &[&str]) -> String {
    // HMAC accepts keys of every length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else {
        return String::new();
    };
    for part in parts {
        mac.update(part.as_bytes());
    }
    base64::encode(&mac.finalize().into_bytes())
}
