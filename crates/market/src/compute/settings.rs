//! The settings of a gateway: a profile, its network and token, how money is held, its secret.

use alloc::string::String;
use core::fmt;

use super::row::HoldKind;
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_base::hash;
use farebox_base::secret::Secret;
use farebox_evm::address::Address;
use farebox_evm::token::{self, Token};

/// A network profile: what one has says nothing in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// `demo-testnet`.
    DemoTestnet,
    /// `live-testnet`.
    LiveTestnet,
    /// `live-mainnet`.
    LiveMainnet,
}

impl Profile {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::DemoTestnet, Self::LiveTestnet, Self::LiveMainnet];

    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DemoTestnet => "demo-testnet",
            Self::LiveTestnet => "live-testnet",
            Self::LiveMainnet => "live-mainnet",
        }
    }

    const fn mark(self) -> u8 {
        match self {
            Self::DemoTestnet => 0,
            Self::LiveTestnet => 1,
            Self::LiveMainnet => 2,
        }
    }

    /// The profile of a quote or job with this id; `None` if it is no id.
    #[must_use]
    pub fn of_id(id: &str) -> Option<Self> {
        let digit = id.chars().last()?.to_digit(16)?;
        let bits = u8::try_from(digit).ok()? & PROFILE_BITS;
        Self::ALL.into_iter().find(|profile| profile.mark() == bits)
    }

    /// The profile with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }
}

/// An operator's settings of a profile.
#[derive(Debug)]
pub struct ProfileSettings {
    /// Which one.
    pub profile: Profile,
    /// Where it is paid.
    pub network: ChainId,
    /// Symbol of the token.
    pub asset: String,
    /// How money is held.
    pub hold: HoldKind,
    /// The wallet of the treasury that money is held in, or the escrow contract.
    pub escrow: Address,
    /// The wallet that sellers transfer their bonds to.
    pub bonds: Address,
    /// Organization and wallet of the treasury that pays out.
    pub payer: (String, String),
    /// The origin under which buyers and sellers reach it.
    pub url: String,
    /// Keys of fingerprints, tokens and seals are made of it.
    pub secret: Secret<String>,
    /// Milliseconds for which a buyer's request waits for the work, under `completion`.
    pub waits_ms: u64,
    /// Most that a task may cost, in whole tokens: the till's `max`.
    pub max_price: String,
    /// Least that a task may cost, in whole tokens; `None` for what its hold needs.
    pub min_price: Option<String>,
    /// Most that is sold in a day, UTC, in whole tokens.
    pub per_day: Option<String>,
    /// Most of it that one seller sells.
    pub per_seller_day: Option<String>,
    /// The fate of a result that the bound Worker does not judge; `None` if results need no proof.
    pub unjudged: Option<Unjudged>,
    /// The ways of the original that are taken as well.
    pub older: OlderWays,
}

/// The fate of the money for a result that the Worker does not judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unjudged {
    /// Its seller is paid.
    Released,
    /// Its buyer is paid back.
    Refunded,
}

/// Ways of the original that are taken only where an operator asks for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OlderWays {
    /// Blocks that a transfer by a transaction of the buyer's own needs; `None` if none is taken.
    pub direct_transfers: Option<u64>,
    /// Whether a seller may sign each callback instead of having a session.
    pub seller_signatures: bool,
}

/// A gateway: the coordinator between buyers and sellers of one profile.
#[derive(Debug)]
pub struct Gateway {
    pub(super) set: ProfileSettings,
    pub(super) token: &'static Token,
    pub(super) chain_id: u64,
    pub(super) max_price: Amount,
    pub(super) min_price: Amount,
    pub(super) per_day: Option<Amount>,
    pub(super) per_seller_day: Option<Amount>,
}

impl Gateway {
    /// The gateway of these settings.
    ///
    /// # Errors
    /// A [`SettingsError`] says what has to be changed.
    pub fn new(set: ProfileSettings) -> Result<Self, SettingsError> {
        let token = token::by_symbol(&set.network, &set.asset).filter(|token| token.eip3009);
        let token = token.ok_or(SettingsError::Asset)?;
        let chain_id = set.network.evm_id().ok_or(SettingsError::Network)?;
        let is_main = set.profile == Profile::LiveMainnet;
        if set.network.is_main_network() != is_main {
            return Err(SettingsError::Network);
        }
        if set.hold == HoldKind::Mock && is_main {
            return Err(SettingsError::Mock);
        }
        if set.secret.expose().len() < MIN_SECRET_BYTES {
            return Err(SettingsError::Secret);
        }
        if set.escrow.is_low() && set.hold.has_money() {
            return Err(SettingsError::Escrow);
        }
        if set.bonds.is_low() {
            return Err(SettingsError::Bonds);
        }
        let max_price = Amount::from_decimal(&set.max_price, token.decimals);
        let max_price = max_price.ok().filter(|most| !most.is_zero());
        let max_price = max_price.ok_or(SettingsError::MaxPrice)?;
        let min_price = match (set.min_price.as_deref(), set.hold) {
            (Some(text), _) => text,
            // Whoever sells for less than the gas spends the operator's.
            (None, HoldKind::Escrow | HoldKind::Contract) => MIN_PRICE,
            (None, HoldKind::Completion | HoldKind::Mock) => "0",
        };
        let min_price = Amount::from_decimal(min_price, token.decimals).ok();
        let min_price = min_price.filter(|least| *least <= max_price);
        let min_price = min_price.ok_or(SettingsError::MinPrice)?;
        let day = |text: Option<&str>| match text {
            None => Ok(None),
            Some(text) => Amount::from_decimal(text, token.decimals)
                .map(Some)
                .map_err(|_| SettingsError::PerDay),
        };
        let per_day = day(set.per_day.as_deref())?;
        let share = per_day.and_then(|most| most.checked_div_u64(SHARES));
        let per_seller_day = day(set.per_seller_day.as_deref())?.or(share);
        Ok(Self { set, token, chain_id, max_price, min_price, per_day, per_seller_day })
    }

    /// Which profile it serves.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.set.profile
    }

    /// Whether both hold money of one network and asset in a wallet.
    #[must_use]
    pub(super) fn shares_money(&self, other: &Self) -> bool {
        let is_held = |it: &Self| it.set.hold.has_money();
        is_held(self)
            && is_held(other)
            && self.set.network == other.set.network
            && self.token.address == other.token.address
    }

    /// An id of this profile: random bytes whose last two bits say which profile it is.
    pub(super) fn marked<const N: usize>(&self, random: &[u8; N]) -> [u8; N] {
        let mut id = *random;
        if let Some(last) = id.last_mut() {
            *last = *last & !PROFILE_BITS | self.profile().mark();
        }
        id
    }

    /// A keyed hash over length-prefixed parts, for one purpose.
    pub(super) fn keyed(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        // A token of one profile says nothing in another, also where they have one secret.
        let profile = [self.profile().name().as_bytes(), b": ", purpose.as_bytes()];
        let key = hash::mac(self.set.secret.expose().as_bytes(), &profile);
        hash::mac(&key, &[&hash::sha256(parts)])
    }
}

const MIN_SECRET_BYTES: usize = 32;
/// Least that a task costs whose money a wallet holds, in whole tokens, unless that is set.
const MIN_PRICE: &str = "0.001";
/// A seller sells at most one of so many parts of what is sold in a day, unless that is set.
const SHARES: u64 = 10;
/// Bits of the last byte of an id that say which profile it is.
const PROFILE_BITS: u8 = 0b11;

/// Why a profile cannot be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettingsError {
    /// The token is not known, or cannot be sent by authorization.
    Asset,
    /// The network is no EVM chain, or not of the profile's kind.
    Network,
    /// Pretended money on a main network.
    Mock,
    /// The secret is too short.
    Secret,
    /// The escrow wallet is no wallet.
    Escrow,
    /// The wallet for bonds is no wallet.
    Bonds,
    /// The greatest price is none.
    MaxPrice,
    /// The least price is none, or above the greatest.
    MinPrice,
    /// The limit on the sales of a day is no amount.
    PerDay,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Asset => "the asset is not a known token of this network that takes EIP-3009",
            Self::Network => {
                "the network must be an EVM chain: a main network for live-mainnet, a test network otherwise"
            }
            Self::Mock => "pretended payments need a test network",
            Self::Secret => "the secret must have 32 bytes or more",
            Self::Escrow => {
                "the escrow must be the address of a wallet of the treasury, or of the escrow contract"
            }
            Self::Bonds => "bonds must go to the address of a wallet",
            Self::MaxPrice => "the greatest price must be decimal text above zero",
            Self::MinPrice => {
                "the least price must be decimal text in whole tokens, at most the greatest"
            }
            Self::PerDay => "what is sold in a day must be decimal text in whole tokens",
        })
    }
}

impl core::error::Error for SettingsError {}
