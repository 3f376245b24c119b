//! `PAYOUT_TOKENS`: secrets that open the payouts of one wallet of one organization, and nothing
//! else.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::organizations::Organization;
use super::reader::{members, read_named, text};
use super::wallets::Wallet;
use farebox_base::secret::Secret;
use farebox_common::config::Reader;

/// A secret, and the wallet whose payouts it opens.
#[derive(Debug)]
pub struct PayoutToken {
    pub(super) secret: Secret<String>,
    /// The organization whose wallet this is.
    pub organization: String,
    /// The wallet.
    pub wallet: String,
}

const NAME: &str = "PAYOUT_TOKENS";
const EXAMPLE: &str =
    r#"[{"organization": "acme", "wallet": "escrow", "secret": "ESCROW_PAYOUT_TOKEN"}]"#;
const KNOWN: [&str; 3] = ["organization", "wallet", "secret"];
/// Least length of a secret, bytes.
const MIN_BYTES: usize = 32;

/// The tokens; each secret is another one than those in `others`, which open more.
pub(super) fn read(
    reader: &mut Reader,
    organizations: &[Organization],
    wallets: &[Wallet],
    others: &[(&str, Option<&Secret<String>>)],
) -> Vec<PayoutToken> {
    let listed = match reader.value(NAME) {
        None => return Vec::new(),
        Some(Value::Array(listed)) => listed,
        Some(_) => {
            reader.fail(NAME, format!("must be a list such as {EXAMPLE}"));
            return Vec::new();
        }
    };
    let mut tokens: Vec<PayoutToken> = Vec::new();
    for (index, value) in listed.iter().enumerate() {
        let place = format!("{NAME}[{index}]");
        let Some(found) = members(reader, &place, value, &KNOWN) else { continue };
        let organization = text(reader, &place, found, "organization");
        let wallet = text(reader, &place, found, "wallet");
        let Some(name) = text(reader, &place, found, "secret") else { continue };
        let (Some(organization), Some(wallet)) = (organization, wallet) else { continue };
        if !organizations.iter().any(|it| it.name == organization) {
            let remedy = "is not the name of an organization in ORGANIZATIONS";
            reader.fail_at(&place, "organization", remedy);
        }
        if !wallets.iter().any(|it| it.name == wallet) {
            reader.fail_at(&place, "wallet", "is not the name of a wallet in WALLETS");
        }
        let place = format!("{place}.secret");
        let Some(secret) = read_named(reader, &name).map(ToString::to_string) else {
            let remedy = format!("the secret {name} is not set; set it, or remove this");
            reader.fail(&place, remedy);
            continue;
        };
        let is = |other: &Secret<String>| *other.expose() == secret;
        let taken = others.iter().find(|(_, other)| other.is_some_and(is));
        if let Some((other, _)) = taken {
            reader.fail(&place, format!("{name} is the {other}; set another secret"));
        } else if tokens.iter().any(|token| is(&token.secret)) {
            reader.fail(&place, format!("{name} is the secret of another token; set another"));
        } else if secret.len() < MIN_BYTES {
            let remedy = format!("{name} must have at least {MIN_BYTES} bytes; set a longer one");
            reader.fail(&place, remedy);
        }
        tokens.push(PayoutToken { secret: Secret::new(secret), organization, wallet });
    }
    tokens
}
