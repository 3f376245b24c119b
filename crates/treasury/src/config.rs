//! From an operator's variables to a [`Treasury`]. Spec: docs/treasury.md, "Variables".
//!
//! Variables come as one JSON object; structured values may be JSON or JSON text. What is missing,
//! unknown or contradictory is an error that names the field and the remedy.

pub(super) mod accounts;
mod bindings;
mod environment;
mod escrows;
mod organizations;
mod payers;
mod reader;
mod wallets;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

pub use self::environment::Environment;
pub use self::escrows::EscrowContract;
pub(crate) use self::organizations::Owners;
pub use self::organizations::{AgentSeed, Organization};
pub use self::payers::PayoutToken;
use self::reader::variables;
pub use self::wallets::{Key, Wallet};
use super::access::RuntimeTokens;
use super::attempt::secret::PurchaseSecrets;
use super::chain::ChainReader;
use super::kernel::SendWindow;
use super::links::id::LinkIds;
use super::merchant::{Locality, origin};
use super::receipt::Receipts;
use farebox_base::encoding::hex;
use farebox_base::hash;
use farebox_base::secret::{Secret, ct_eq};
use farebox_base::time::UnixTime;
use farebox_common::config::{ConfigError, Reader, nodes};
use farebox_evm::account::Account;
use farebox_wire::facilitator::wire::Facilitator;

/// A treasury: its organizations, wallets and times.
#[derive(Debug)]
pub struct Treasury {
    operator: Secret<String>,
    pub(super) owners: Owners,
    pub(super) chain: ChainReader,
    pub(super) receipts: Receipts,
    pub(super) tokens: RuntimeTokens,
    pub(super) secrets: PurchaseSecrets,
    /// How long a payment is sent again.
    pub(super) window: SendWindow,
    /// How long a review waits, seconds.
    pub(super) review_secs: u64,
    /// How long what has ended is kept, seconds.
    pub(super) keep_secs: u64,
    /// Whether merchants on this machine are paid.
    pub(super) locality: Locality,
    /// The facilitator of payouts and links.
    pub(super) facilitator: Option<Facilitator>,
    /// Where the operator hears of events.
    pub webhook: Option<Webhook>,
    /// The token that may look decisions up.
    lookup: Option<Secret<String>>,
    /// The tokens that may pay out of one wallet alone.
    payers: Vec<PayoutToken>,
    /// Escrow contracts whose gateway is one of the wallets.
    pub(super) escrows: Vec<EscrowContract>,
    pub(super) link_ids: LinkIds,
    /// Merchants that are asked through a binding of the platform, by origin.
    pub(super) bound: Vec<(String, String)>,
}

/// Where the operator hears of events.
#[derive(Debug)]
pub struct Webhook {
    /// The URL.
    pub url: String,
    /// Signs what is told.
    secret: Secret<String>,
}

impl Webhook {
    /// `Farebox-Signature` of a notice: like that of the gate's.
    #[must_use]
    pub fn signature(&self, body: &str, now: UnixTime) -> String {
        let secs = now.secs();
        let text = format!("{secs}.{body}");
        let mac = hash::mac(self.secret.expose().as_bytes(), &[text.as_bytes()]);
        format!("t={secs},v1={}", hex::encode(&mac))
    }
}

impl Treasury {
    /// Builds a treasury from one JSON object of variables and secrets. The member `bindings` lists
    /// the names of what the platform binds.
    ///
    /// # Errors
    /// Everything that is wrong, not only the first thing.
    ///
    /// # Examples
    /// ```
    /// use farebox_treasury::Treasury;
    /// let wrong = Treasury::from_vars(r#"{"TREASURY_SECRET": "short"}"#).unwrap_err();
    /// assert!(wrong.iter().any(|error| error.to_string().starts_with("ORGANIZATIONS: is missing")));
    /// ```
    pub fn from_vars(text: &str) -> Result<Self, Vec<ConfigError>> {
        let mut reader = variables(text)?;
        let treasury = read(&mut reader);
        match treasury {
            Some(treasury) if reader.errors.is_empty() => Ok(treasury),
            _ => Err(reader.errors),
        }
    }

    /// Whether text is the value of `Authorization` that the operator shows.
    #[must_use]
    pub fn is_operator(&self, authorization: &str) -> bool {
        shows(authorization, &self.operator)
    }

    /// Whether text is the value of `Authorization` of who may look decisions up.
    #[must_use]
    pub fn may_look_up(&self, authorization: &str) -> bool {
        self.lookup.as_ref().is_some_and(|token| shows(authorization, token))
    }

    /// The token that text shows as the value of `Authorization`, if it opens the payouts of a
    /// wallet.
    #[must_use]
    pub fn payout_token(&self, authorization: &str) -> Option<&PayoutToken> {
        self.payers.iter().find(|token| shows(authorization, &token.secret))
    }

    /// The binding through which the merchant of this URL is asked, if there is one.
    #[must_use]
    pub fn binding(&self, url: &str) -> Option<&str> {
        let origin = origin(url, Locality::Local)?;
        let found = self.bound.iter().find(|(bound, _)| *bound == origin);
        found.map(|(_, binding)| binding.as_str())
    }

    /// Whether the facilitator of payouts and links is called at this URL.
    #[must_use]
    pub fn is_facilitator(&self, url: &str) -> bool {
        self.facilitator.as_ref().is_some_and(|it| it.owns(url))
    }

    /// The names of the organizations, in the order of the configuration.
    pub fn organizations(&self) -> impl Iterator<Item = &str> {
        self.owners.organizations.iter().map(|it| it.name.as_str())
    }

    /// The organization of this name.
    #[must_use]
    pub fn organization(&self, name: &str) -> Option<&Organization> {
        self.owners.organization(name)
    }
}

fn shows(authorization: &str, secret: &Secret<String>) -> bool {
    let shown = authorization.trim().split_once(' ');
    shown.is_some_and(|(scheme, token)| {
        scheme.eq_ignore_ascii_case("bearer")
            && ct_eq(token.trim().as_bytes(), secret.expose().as_bytes())
    })
}

fn read(reader: &mut Reader) -> Option<Treasury> {
    let only_test = reader.switch("TEST_NETWORKS_ONLY");
    let local_merchants = reader.switch("ALLOW_LOCAL_MERCHANTS");
    if local_merchants && !only_test {
        let remedy = "needs TEST_NETWORKS_ONLY = true; it is for tests on one machine";
        reader.fail("ALLOW_LOCAL_MERCHANTS", remedy);
    }
    let confirmations = reader.number("CONFIRMATIONS", 12, 1, 10_000);
    let token_secs = reader.number("TOKEN_SECS", 3600, 60, 86_400);
    let review_secs = reader.number("REVIEW_SECS", 86_400, 1, 2_592_000);
    let send_secs = reader.number("SEND_SECS", 20, 1, 300);
    let read_secs = reader.number("READ_SECS", 15, 1, 3600);
    // Longer than a month, an authorization and the search for it: budgets need what they count.
    let keep_days = reader.number("KEEP_DAYS", 400, 40, 36_500);
    let secret = reader.secret("TREASURY_SECRET", 32);
    let operator = reader.secret("OPERATOR_TOKEN", 32);
    let wallets = wallets::read(reader, only_test);
    let organizations = organizations::read(reader, &wallets, only_test);
    let escrows = escrows::read(reader, &wallets, &organizations);
    let nodes = nodes::read(reader);
    let facilitator = url(reader, "FACILITATOR_URL");
    let webhook = webhook(reader);
    let bound = bindings::read(reader, local_merchants);
    let lookup = match reader.is_absent("LOOKUP_TOKEN") {
        true => None,
        false => reader.secret("LOOKUP_TOKEN", 32),
    };
    if let (Some(lookup), Some(operator)) = (&lookup, &operator)
        && lookup.expose() == operator.expose()
    {
        reader.fail("LOOKUP_TOKEN", "is the OPERATOR_TOKEN; set another secret");
    }
    let others = [("OPERATOR_TOKEN", operator.as_ref()), ("LOOKUP_TOKEN", lookup.as_ref())];
    let payers = payers::read(reader, &organizations, &wallets, &others);
    let secret = secret?;
    let secret = secret.expose().as_bytes();
    let key = |purpose: &[u8]| Secret::new(hash::mac(secret, &[purpose]));
    Some(Treasury {
        chain: ChainReader { nodes, confirmations, read_secs },
        receipts: Receipts { signer: signer(secret), confirmations },
        tokens: RuntimeTokens { key: key(b"farebox runtime tokens"), secs: token_secs },
        secrets: PurchaseSecrets { key: key(b"farebox purchases") },
        link_ids: LinkIds { key: key(b"farebox payment links") },
        window: SendWindow { secs: send_secs },
        operator: operator?,
        owners: Owners { organizations, wallets },
        review_secs,
        keep_secs: keep_days.saturating_mul(86_400),
        locality: if local_merchants { Locality::Local } else { Locality::Public },
        facilitator: facilitator.as_deref().map(Facilitator::new),
        webhook,
        lookup,
        payers,
        escrows,
        bound,
    })
}

/// `WEBHOOK_URL` with the secret that it needs.
fn webhook(reader: &mut Reader) -> Option<Webhook> {
    let url = url(reader, "WEBHOOK_URL")?;
    let secret = reader.secret("WEBHOOK_SECRET", 16)?;
    Some(Webhook { url, secret })
}

/// The account that signs receipts, of the treasury's secret.
fn signer(secret: &[u8]) -> Option<Account> {
    let candidates = (0_u8..4)
        .map(|turn| Secret::new(hash::mac(secret, &[b"farebox treasury receipts", &[turn]])));
    Account::from_candidates(candidates)
}

fn url(reader: &mut Reader, name: &str) -> Option<String> {
    let text = reader.text(name)?;
    nodes::checked(reader, name, &text)
}
