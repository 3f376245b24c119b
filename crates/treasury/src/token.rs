//! Tokens: `fbk_<organization>_<id>_<secret>` is an agent's bootstrap key, `fbt_…` a runtime token
//! that was made for it.
//!
//! The organization in a token says which object to ask, before anything is known to be true. A
//! secret is kept as its SHA-256.

use alloc::format;
use alloc::string::{String, ToString};

use super::row::TokenKind;
use farebox_base::encoding::base32;
use farebox_base::hash;
use farebox_base::secret::{Secret, ct_eq};

/// Maximum length of a token, bytes.
const MAX_BYTES: usize = 256;
/// Letters of an id that is made here.
const ID_LETTERS: usize = 16;
/// Letters of a secret that is made here.
const SECRET_LETTERS: usize = 51;

/// A token as it is shown.
#[derive(Debug)]
pub struct Token {
    /// Its purpose.
    pub kind: TokenKind,
    /// Name of the organization.
    pub organization: String,
    /// Its public part.
    pub id: String,
    secret: Secret<String>,
}

impl Token {
    /// Reads the value of `Authorization`; `None` unless it has the form of a token.
    ///
    /// # Examples
    /// ```
    /// use farebox_treasury::token::Token;
    /// let shown = "Bearer fbt_acme_k2v7_0123456789abcdef0123456789abcdef";
    /// assert_eq!(Token::of_header(shown).unwrap().organization, "acme");
    /// assert!(Token::of_header("Bearer fbt_acme_k2v7").is_none());
    /// ```
    #[must_use]
    pub fn of_header(value: &str) -> Option<Self> {
        let (scheme, token) = value.trim().split_once(' ')?;
        if scheme.eq_ignore_ascii_case("bearer") { Self::parse(token.trim()) } else { None }
    }

    /// Reads a token.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_BYTES {
            return None;
        }
        let mut parts = text.split('_');
        let kind = match parts.next()? {
            "fbk" => TokenKind::Bootstrap,
            "fbt" => TokenKind::Runtime,
            _ => return None,
        };
        let (organization, id, secret) = (parts.next()?, parts.next()?, parts.next()?);
        let is_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let is_token = is_name(organization)
            && (4..=32).contains(&id.len())
            && is_word(id)
            && (32..=128).contains(&secret.len())
            && is_word(secret)
            && parts.next().is_none();
        is_token.then(|| Self {
            kind,
            organization: organization.to_string(),
            id: id.to_string(),
            secret: Secret::new(secret.to_string()),
        })
    }

    /// A new token, from 32 random bytes.
    #[must_use]
    pub fn new(kind: TokenKind, organization: &str, random: &[u8; 32]) -> Self {
        let id = Self::fresh_id(random);
        let secret = base32::encode(&hash::mac(random, &[b"farebox token"]), SECRET_LETTERS);
        Self { kind, organization: organization.to_string(), id, secret: Secret::new(secret) }
    }

    /// The id that follows from random bytes. It is public, so it says nothing about a secret.
    #[must_use]
    pub fn fresh_id(random: &[u8; 32]) -> String {
        base32::encode(&hash::mac(random, &[b"farebox token id"]), ID_LETTERS)
    }

    /// The runtime token with this id, always the same under one key: so it can be told again though
    /// only its hash is kept.
    #[must_use]
    pub fn runtime(key: &[u8; 32], organization: &str, id: &str) -> Self {
        let parts: [&[u8]; 2] = [organization.as_bytes(), id.as_bytes()];
        let secret = base32::encode(&hash::mac(key, &parts), SECRET_LETTERS);
        Self {
            kind: TokenKind::Runtime,
            organization: organization.to_string(),
            id: id.to_string(),
            secret: Secret::new(secret),
        }
    }

    /// The token as it is shown to its holder.
    #[must_use]
    pub fn to_text(&self) -> String {
        let kind = match self.kind {
            TokenKind::Bootstrap => "fbk",
            TokenKind::Runtime => "fbt",
        };
        format!("{kind}_{}_{}_{}", self.organization, self.id, self.secret.expose())
    }

    /// SHA-256 of the secret, hex.
    #[must_use]
    pub fn hash(&self) -> String {
        hash::digest(&[b"farebox token secret", self.secret.expose().as_bytes()])
    }

    /// Whether its secret is the one with this hash.
    #[must_use]
    pub fn is_of(&self, hash: &str) -> bool {
        ct_eq(self.hash().as_bytes(), hash.as_bytes())
    }
}

/// Whether text can be the name of an organization or agent: 3 to 64 of lower-case letters, digits
/// and single dashes, beginning with a letter.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    (3..=64).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.split('-').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_can_be_read_and_holds_its_own_hash_alone() {
        let made = Token::new(TokenKind::Runtime, "acme", &[7; 32]);
        let other = Token::new(TokenKind::Runtime, "acme", &[8; 32]);
        let read = Token::parse(&made.to_text()).unwrap();
        assert_eq!((read.id.as_str(), read.kind), (made.id.as_str(), TokenKind::Runtime));
        assert!(read.is_of(&made.hash()));
        assert!(!read.is_of(&other.hash()));
        assert!(!format!("{read:?}").contains(made.secret.expose().as_str()));
    }

    #[test]
    fn names_are_those_of_the_contract() {
        for good in ["abc", "a1b", "acme-2", "a-b-c"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["ab", "1ab", "Abc", "a--b", "-ab", "ab-", "a_b", "a b", &"a".repeat(65)] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
