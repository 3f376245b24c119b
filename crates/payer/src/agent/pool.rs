//! The ways to pay of one 402, as a person may choose among them: all of them, also those that this
//! wallet cannot sign.
//!
//! Each is shown by identifiers, digits and pinned names. A merchant's own names of tokens are left
//! out: a contract may call itself as it likes.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::asset;
use super::candidate::Candidate;
use super::challenge::RawChallenge;
use super::cost;
use super::detect::{Protocol, schemes};
use super::json::Json;
use super::money;
use super::requirement::AmountType;
use super::text::identifier;
use crate::client::price::{Unit, in_words};
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_base::encoding::base64;
use farebox_base::time::UnixTime;
use farebox_evm::address::Address;
use farebox_evm::token;
use farebox_wire::mpp::SCHEME;
use farebox_wire::mpp::charge::METHOD;

/// Maximum ways to pay of each protocol.
const MAX_CHOICES: usize = 64;
/// Maximum size of the terms of one challenge, bytes.
const MAX_TERMS: usize = 16 * 1024;

/// The kind of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An entry of `accepts`.
    Accepts,
    /// A charge of MPP.
    Charge,
    /// A session of MPP: never chosen by itself.
    Session,
}

/// One way to pay.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Its number: the index in `accepts`, and after those the challenges in their order.
    pub index: usize,
    /// The kind of payment.
    pub kind: Kind,
    /// The way in which it is paid.
    pub scheme: String,
    /// The network, as its CAIP-2 id if it is known.
    pub network: String,
    /// The token.
    pub asset: String,
    /// The recipient.
    pub payee: String,
    /// Atomic units.
    pub amount: String,
    /// Whether that is the amount or its bound.
    pub amount_type: AmountType,
    /// Symbol and fraction digits, if the token is known.
    pub unit: Option<(String, u8)>,
    /// The terms of a challenge beside its price.
    pub charge: Option<ChargeTerms>,
}

/// The terms of a challenge of MPP beside its price.
#[derive(Clone, Debug, Default)]
pub struct ChargeTerms {
    /// Whether the server pays for gas.
    pub server_pays_gas: bool,
    /// Number of others who receive a part.
    pub splits: usize,
    /// Atomic units to begin a session with.
    pub suggested_deposit: Option<String>,
    /// Time of its end.
    pub expires: Option<UnixTime>,
}

/// A token that the caller knows.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    network: &'a str,
    address: &'a str,
    symbol: &'a str,
    decimals: u8,
}

impl<'a> Known<'a> {
    /// Reads the caller's list; what is no token is skipped.
    #[must_use]
    pub fn list(tokens: &'a Json) -> Vec<Self> {
        let known = |it: &'a Json| {
            let (symbol, decimals) =
                (it.text_of("symbol")?, super::challenge::whole(it.get("decimals"))?);
            Some(Self {
                network: it.text_of("network")?,
                address: it.text_of("address")?,
                symbol: identifier(symbol)?,
                decimals: u8::try_from(decimals).ok().filter(|it| *it <= 36)?,
            })
        };
        tokens.elements().iter().filter_map(known).collect()
    }
}

impl Choice {
    /// The digest of the terms that are bound: network, token, payee, amount and scheme.
    #[must_use]
    pub fn digest(&self) -> String {
        let Self { network, asset, payee, amount, scheme, .. } = self;
        Candidate { network, asset, payee, amount, scheme }.digest()
    }

    /// The symbol, or the token's id.
    #[must_use]
    pub fn symbol(&self) -> &str {
        self.unit.as_ref().map_or(&self.asset, |(symbol, _)| symbol)
    }

    /// The amount in whole tokens and atomic units, with `up to` if it is a bound.
    #[must_use]
    pub fn amount_text(&self) -> String {
        let words = self.words(&self.amount);
        match self.amount_type {
            AmountType::Exact => words,
            AmountType::Max => alloc::format!("up to {words}"),
        }
    }

    /// Atomic units in words.
    #[must_use]
    pub fn words(&self, minor: &str) -> String {
        let (symbol, decimals) = match &self.unit {
            Some((symbol, decimals)) => (symbol.as_str(), Some(*decimals)),
            None => ("", None),
        };
        let amount = Amount::from_atomic(minor).unwrap_or(Amount::MAX);
        in_words(amount, Unit { symbol, contract: None, decimals })
    }

    /// The amount at a fixed number of fraction digits, if the token's are known.
    #[must_use]
    pub fn worth(&self) -> Option<Amount> {
        let (_, decimals) = self.unit.as_ref()?;
        let zeros = usize::from(WORTH_DECIMALS.checked_sub(*decimals)?);
        Amount::from_atomic(&alloc::format!("{}{}", self.amount, "0".repeat(zeros))).ok()
    }

    /// Whether it is on a main network.
    #[must_use]
    pub fn is_main(&self) -> bool {
        ChainId::parse(&self.network).is_ok_and(|network| network.is_main_network())
    }

    /// As it is shown.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let number = |it: usize| Json::number(u64::try_from(it).unwrap_or(u64::MAX));
        let kind = match self.kind {
            Kind::Accepts => "accepts",
            Kind::Charge => "charge",
            Kind::Session => "session",
        };
        Json::object([
            ("acceptsIndex", Some(number(self.index))),
            ("kind", Some(kind.into())),
            ("scheme", Some(self.scheme.as_str().into())),
            ("network", Some(self.network.as_str().into())),
            ("networkName", Some(network_name(&self.network).into())),
            ("asset", Some(self.asset.as_str().into())),
            ("symbol", self.unit.as_ref().map(|(symbol, _)| symbol.as_str().into())),
            ("decimals", self.unit.as_ref().map(|(_, it)| Json::number(u64::from(*it)))),
            ("amount", Some(self.amount.as_str().into())),
            ("amountText", Some(self.amount_text().into())),
            ("payTo", Some(self.payee.as_str().into())),
            ("testNetwork", Some(Json::Bool(!self.is_main()))),
            ("digest", Some(self.digest().into())),
        ])
    }
}

/// Fraction digits at which amounts of different tokens are compared.
const WORTH_DECIMALS: u8 = 36;

/// The ways to pay that a 402 offers.
#[derive(Clone, Debug, Default)]
pub struct Pool {
    /// Entries of `accepts` and charges.
    pub choices: Vec<Choice>,
    /// Sessions.
    pub sessions: Vec<Choice>,
    /// Methods of MPP that are not supported.
    pub foreign: Vec<String>,
    /// Whether a challenge has ended.
    pub has_ended: bool,
}

impl Pool {
    /// Reads the 402. An entry without an amount, a payee or a token cannot be shown and is left
    /// out. `now` tells which challenges have ended.
    #[must_use]
    pub fn read(challenge: &RawChallenge, tokens: &[Known<'_>], now: UnixTime) -> Self {
        let mut pool = Self::default();
        let listed = challenge.payload.get("accepts").map(Json::elements).unwrap_or_default();
        if challenge.protocol == Protocol::X402 {
            let choices = listed.iter().enumerate().take(MAX_CHOICES);
            pool.choices.extend(choices.filter_map(|(at, it)| accepted(at, it, tokens)));
        }
        let value = challenge.headers.joined("www-authenticate").unwrap_or_default();
        let challenges = schemes(&value).into_iter();
        let mine = challenges.filter(|it| it.name.eq_ignore_ascii_case(SCHEME)).take(MAX_CHOICES);
        for (at, scheme) in mine.enumerate() {
            let index = listed.len().saturating_add(at);
            match scheme.param("method") {
                Some(METHOD) => {}
                Some(other) => {
                    pool.foreign.extend(identifier(other).map(ToString::to_string));
                    continue;
                }
                None => continue,
            }
            let ends = scheme.param("expires").and_then(|it| UnixTime::from_rfc3339(it).ok());
            if ends.is_some_and(|ends| ends <= now) {
                pool.has_ended = true;
                continue;
            }
            let kind = match scheme.param("intent") {
                Some("charge") => Kind::Charge,
                Some("session") => Kind::Session,
                _ => continue,
            };
            let request = scheme.param("request").unwrap_or_default();
            let Some(choice) = charged(index, kind, request, ends, tokens) else { continue };
            match kind {
                Kind::Session => pool.sessions.push(choice),
                Kind::Accepts | Kind::Charge => pool.choices.push(choice),
            }
        }
        pool
    }

    /// The choice of this number, sessions included.
    #[must_use]
    pub fn choice(&self, index: usize) -> Option<&Choice> {
        self.choices.iter().chain(&self.sessions).find(|choice| choice.index == index)
    }
}

fn accepted(index: usize, entry: &Json, tokens: &[Known<'_>]) -> Option<Choice> {
    let scheme = identifier(entry.text_of("scheme")?)?;
    let (amount, amount_type) = match entry.get("amount") {
        Some(amount) => (amount, AmountType::Exact),
        None => (entry.get("maxAmountRequired")?, AmountType::Exact),
    };
    let amount_type = if scheme == "upto" { AmountType::Max } else { amount_type };
    let network = identifier(entry.text_of("network")?)?;
    choice(
        Choice {
            index,
            kind: Kind::Accepts,
            scheme: scheme.to_string(),
            network: network.to_string(),
            asset: identifier(entry.text_of("asset")?)?.to_string(),
            payee: identifier(entry.text_of("payTo")?)?.to_string(),
            amount: amount.text()?.to_string(),
            amount_type,
            unit: None,
            charge: None,
        },
        tokens,
    )
}

fn charged(
    index: usize,
    kind: Kind,
    request: &str,
    expires: Option<UnixTime>,
    tokens: &[Known<'_>],
) -> Option<Choice> {
    let bytes = base64::decode_url(request).ok()?;
    let request = Json::read(core::str::from_utf8(&bytes).ok()?, MAX_TERMS)?;
    let details = request.object_of("methodDetails")?;
    let chain = super::challenge::whole(details.get("chainId"))?;
    let deposit = request.text_of("suggestedDeposit").filter(|it| money::is_digits(it));
    let scheme = match kind {
        Kind::Session => "session",
        Kind::Accepts | Kind::Charge => "charge",
    };
    choice(
        Choice {
            index,
            kind,
            scheme: scheme.to_string(),
            network: alloc::format!("eip155:{chain}"),
            asset: identifier(request.text_of("currency")?)?.to_string(),
            payee: identifier(request.text_of("recipient")?)?.to_string(),
            amount: request.text_of("amount")?.to_string(),
            amount_type: AmountType::Exact,
            unit: None,
            charge: Some(ChargeTerms {
                server_pays_gas: details.get("feePayer") != Some(&Json::Bool(false)),
                splits: details.get("splits").map(|it| it.elements().len()).unwrap_or_default(),
                suggested_deposit: deposit.map(ToString::to_string),
                expires,
            }),
        },
        tokens,
    )
}

/// The choice with its token's unit, if its amount is one.
fn choice(mut choice: Choice, tokens: &[Known<'_>]) -> Option<Choice> {
    Amount::from_atomic(&choice.amount).ok()?;
    if let Ok(network) = ChainId::parse_or_name(&choice.network) {
        choice.network = network.as_str().to_string();
    }
    choice.unit = unit(&choice.network, &choice.asset, tokens);
    Some(choice)
}

/// Symbol and fraction digits of a token: of the pinned table, or else as the caller says.
fn unit(network: &str, id: &str, tokens: &[Known<'_>]) -> Option<(String, u8)> {
    let contract = ChainId::parse(network).ok().zip(Address::parse(id).ok());
    if let Some(token) = contract.and_then(|(network, it)| token::by_address(&network, &it)) {
        return Some((token.symbol.to_string(), token.decimals));
    }
    let is_it = |it: &&Known<'_>| {
        let same = ChainId::parse_or_name(it.network).is_ok_and(|it| it.as_str() == network);
        let address = it.address == id || is_hex(id) && it.address.eq_ignore_ascii_case(id);
        same && address
    };
    if let Some(known) = tokens.iter().find(is_it) {
        return Some((known.symbol.to_string(), known.decimals));
    }
    let pinned = asset::known(id).filter(|_| !is_hex(id))?;
    Some((pinned.symbol.to_string(), u8::try_from(pinned.precision).ok()?))
}

fn is_hex(id: &str) -> bool {
    id.starts_with("0x")
}

/// The name that people use for a network, or its id.
#[must_use]
pub fn network_name(id: &str) -> String {
    cost::network(id).unwrap_or_else(|| id.to_string())
}
