//! An agent's steps with a subscription, scheme `period`: whether it may subscribe, and what a
//! state allows. A host that talks to the contract carries it out.
//!
//! Spec: OKX agent payments, "Subscription". The message that `APP-Access` signs is not published:
//! only its name and its domain are known.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::json::Json;
use super::text::bounded;

/// The header that proves a subscription.
const ACCESS: &str = "APP-Access";
/// Name and version of the domain in which it is signed.
const DOMAIN: (&str, &str) = ("A2APaySubscription", "1");
/// Maximum characters of a word that is told again.
const MAX_WORD: usize = 64;

/// Where a subscription stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SubscriptionStanding {
    Pending,
    Active,
    Completed,
    Canceled,
    Changed,
    Failed,
}

impl SubscriptionStanding {
    fn of(code: &str) -> Option<Self> {
        Some(match code {
            "0" => Self::Pending,
            "1" => Self::Active,
            "2" => Self::Completed,
            "3" => Self::Canceled,
            "4" => Self::Changed,
            "99" => Self::Failed,
            _ => return None,
        })
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Completed => "completed",
            Self::Canceled => "canceled",
            Self::Changed => "changed",
            Self::Failed => "failed",
        }
    }

    /// Whether it never changes again.
    const fn is_over(self) -> bool {
        match self {
            Self::Pending | Self::Active => false,
            Self::Completed | Self::Canceled | Self::Changed | Self::Failed => true,
        }
    }
}

/// The step that follows for `intent` (`subscribe`, `access`, `change`, `cancel` or
/// `cancel-pending`): `{do, state?, code?, text, access?}`.
///
/// `asked` has the `contract` and `network` that the wallet knows, the seller's `terms` with
/// `contract`, `network`, `periodMode` and `periodSec`, and the `subscriptions` that the wallet has
/// with this seller, each with `state` and `contract`. `do` is the intent itself, `access` for one
/// that is active already, `wait`, or `stop` with a code.
///
/// # Examples
/// ```
/// use farebox_payer::agent::{json::Json, subscription::next};
/// let asked = |state: &str| {
///     let text = format!(r#"{{"contract":"0xAb","network":"eip155:196","terms":{{"contract":"0xaB","network":"eip155:196",
///         "periodMode":"fixed_seconds","periodSec":60}},"subscriptions":[{{"state":{state},"contract":"0xab"}}]}}"#);
///     next("subscribe", &Json::read(&text, 1000).unwrap()).text_of("do").unwrap().to_string()
/// };
/// assert_eq!([asked("1"), asked("0"), asked("3"), asked("7")], ["access", "wait", "subscribe", "stop"]);
/// ```
#[must_use]
pub fn next(intent: &str, asked: &Json) -> Json {
    let known = |name: &str| asked.text_of(name).unwrap_or_default();
    let terms = asked.get("terms").cloned().unwrap_or(Json::Null);
    let (contract, network) = (known("contract"), known("network"));
    let is_it = |it: &Json| it.text_of("contract").is_some_and(|own| same(own, contract));
    let listed = asked.get("subscriptions").map(Json::elements).unwrap_or_default();
    let fits =
        is_it(&terms) && terms.text_of("network") == Some(network) && listed.iter().all(is_it);
    if !fits {
        let text = "The subscription names another contract than the one that is known. Stop: do not sign, and do not try another way.";
        return stop("contract_mismatch", text);
    }
    let mut standings = Vec::new();
    for it in listed {
        match it.get("state").and_then(number).as_deref().and_then(SubscriptionStanding::of) {
            Some(standing) => standings.push(standing),
            None => {
                return stop(
                    "unknown_state",
                    "The subscription is in a state that is not known here.",
                );
            }
        }
    }
    // One that lives decides; of those that are over, the first that is listed.
    let lives = |wanted: SubscriptionStanding| standings.iter().copied().find(|it| *it == wanted);
    let standing = lives(SubscriptionStanding::Active)
        .or(lives(SubscriptionStanding::Pending))
        .or(standings.first().copied());
    match (intent, standing) {
        ("subscribe", Some(SubscriptionStanding::Active)) => {
            access(SubscriptionStanding::Active, contract, network)
        }
        ("subscribe", Some(SubscriptionStanding::Pending)) => {
            said("wait", SubscriptionStanding::Pending, "The subscription is pending already.")
        }
        ("subscribe", _) => match period(&terms) {
            Ok(()) => act(intent, standing),
            Err(text) => stop("invalid_period", text),
        },
        ("access", Some(SubscriptionStanding::Active)) => {
            access(SubscriptionStanding::Active, contract, network)
        }
        ("change" | "cancel", Some(SubscriptionStanding::Active))
        | ("cancel-pending", Some(SubscriptionStanding::Pending)) => match (intent, period(&terms))
        {
            ("change", Err(text)) => stop("invalid_period", text),
            _ => act(intent, standing),
        },
        ("access", Some(SubscriptionStanding::Pending)) => {
            said("wait", SubscriptionStanding::Pending, "The subscription is not active yet.")
        }
        ("access" | "change" | "cancel" | "cancel-pending", standing) => {
            let state = standing.map_or("not there", SubscriptionStanding::name);
            let text = ["The subscription is ", state, ": there is nothing to ", intent, "."];
            stop("not_possible", &text.concat())
        }
        _ => {
            stop("unknown_intent", &["There is no ", &bounded(intent, MAX_WORD), " here."].concat())
        }
    }
}

/// Whether a state is final: `{state, final}`; null for a code that is none.
#[must_use]
pub fn state(code: &str) -> Json {
    match SubscriptionStanding::of(code) {
        Some(it) => Json::object([
            ("state", Some(it.name().into())),
            ("final", Some(Json::Bool(it.is_over()))),
        ]),
        None => Json::Null,
    }
}

/// Whether the period of these terms is one.
fn period(terms: &Json) -> Result<(), &'static str> {
    let secs = terms.get("periodSec").and_then(number);
    match (terms.text_of("periodMode"), secs.as_deref()) {
        (Some("fixed_seconds"), Some(secs)) if secs != "0" => Ok(()),
        (Some("fixed_seconds"), _) => Err("A period of fixed seconds needs a periodSec above 0."),
        (Some("calendar_month"), Some("0")) => Ok(()),
        (Some("calendar_month"), _) => Err("A period of calendar months has a periodSec of 0."),
        _ => Err("The period is neither of fixed seconds nor of calendar months."),
    }
}

/// A whole number that is not negative, as canonical text.
fn number(value: &Json) -> Option<String> {
    let text = value.to_string();
    let is_canonical = text == "0" || !text.starts_with('0');
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && is_canonical).then_some(text)
}

fn same(one: &str, other: &str) -> bool {
    !one.is_empty() && one.eq_ignore_ascii_case(other)
}

fn act(intent: &str, standing: Option<SubscriptionStanding>) -> Json {
    Json::object([
        ("do", Some(intent.into())),
        ("state", standing.map(|it| it.name().into())),
        ("text", Some("".into())),
    ])
}

fn said(what: &str, standing: SubscriptionStanding, text: &str) -> Json {
    Json::object([
        ("do", Some(what.into())),
        ("state", Some(standing.name().into())),
        ("text", Some(text.into())),
    ])
}

/// The proof that a subscription is active.
fn access(standing: SubscriptionStanding, contract: &str, network: &str) -> Json {
    let (name, version) = DOMAIN;
    let chain_id = network.strip_prefix("eip155:").and_then(|id| id.parse().ok());
    let domain = Json::object([
        ("name", Some(name.into())),
        ("version", Some(version.into())),
        ("chainId", chain_id.map(Json::number)),
        ("verifyingContract", Some(contract.into())),
    ]);
    Json::object([
        ("do", Some("access".into())),
        ("state", Some(standing.name().into())),
        ("text", Some("The subscription is active: prove it, and do not subscribe again.".into())),
        ("access", Some(Json::object([("header", Some(ACCESS.into())), ("domain", Some(domain))]))),
    ])
}

fn stop(code: &str, text: &str) -> Json {
    Json::object([
        ("do", Some("stop".into())),
        ("code", Some(code.into())),
        ("text", Some(text.into())),
    ])
}
