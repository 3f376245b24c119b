//! The settings of a profile: its network and token, how money is held, its secret.

use alloc::string::String;
use core::fmt;

use super::message::TillPayment;
use super::row::{HoldKind, QuoteRow, show_wallet};
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_base::secret::Secret;
use farebox_evm::address::Address;
use farebox_evm::token::Token;

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

    /// The last two bits of its ids.
    pub(super) const fn mark(self) -> u8 {
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
    pub fn from_name(name: &str) -> Option<Self> {
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
    /// The secret before, by which what was made of it is still read.
    pub previous: Option<Secret<String>>,
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
    /// Unix seconds of a restore from a backup; 0 without one. What it forgot may be older.
    pub closed_before: u64,
    /// Whether a seller may sign each callback instead of having a session.
    pub seller_signatures: bool,
}

/// Bits of the last byte of an id that say which profile it is.
pub(super) const PROFILE_BITS: u8 = 0b11;

/// The network and token that a profile is paid in, and where its money is held.
#[derive(Debug)]
pub(super) struct PaymentProfile {
    pub kind: Profile,
    pub network: ChainId,
    pub chain_id: u64,
    pub token: &'static Token,
    pub hold: HoldKind,
    /// The wallet or contract that holds money.
    pub escrow: Address,
    /// The origin under which buyers and sellers reach it.
    pub url: String,
}

impl PaymentProfile {
    /// Its name on the wire.
    pub const fn name(&self) -> &'static str {
        self.kind.name()
    }

    /// Whether both hold money of one network and asset in a wallet.
    pub fn shares_money(&self, other: &Self) -> bool {
        self.hold.has_money()
            && other.hold.has_money()
            && self.network == other.network
            && self.token.address == other.token.address
    }

    /// The account that a buyer pays for the work of a seller.
    pub fn payee(&self, seller: &str) -> String {
        match self.hold {
            HoldKind::Completion => show_wallet(seller),
            HoldKind::Escrow | HoldKind::Contract | HoldKind::Mock => self.escrow.to_checksum(),
        }
    }

    /// Whether a quote asks for what the profile asks for now.
    pub fn is_current(&self, quote: &QuoteRow) -> bool {
        quote.pay_to == self.payee(&quote.seller)
            && quote.asset == self.token.address.to_checksum()
            && quote.network == self.network.as_str()
    }

    /// Whether a payment is in this profile's token, by someone who can be paid back.
    pub fn takes(&self, sale: &TillPayment) -> bool {
        let is_token = Address::parse(&sale.asset).is_ok_and(|it| it == self.token.address);
        let is_wallet = Address::parse(&sale.payer).is_ok_and(|payer| !payer.is_low());
        let is_amount = Amount::from_atomic(&sale.amount).is_ok_and(|amount| !amount.is_zero());
        let is_network = sale.network == self.network.as_str();
        is_token && is_wallet && is_amount && is_network && !sale.payment.is_empty()
    }
}

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
            Self::Bonds => "bonds must go to a wallet that nothing else is paid to",
            Self::MaxPrice => "the greatest price must be decimal text above zero",
            Self::MinPrice => {
                "the least price must be decimal text in whole tokens, at most the greatest"
            }
            Self::PerDay => "what is sold in a day must be decimal text in whole tokens",
        })
    }
}

impl core::error::Error for SettingsError {}
