//! A gateway, and its commands, each given to its use case.

use alloc::string::String;

use super::bond::Bonds;
use super::capability::list_capabilities;
use super::demo::Demos;
use super::direct::DirectTransfers;
use super::due::Deadlines;
use super::feed::{FeedLine, Seen, View, Views, write_line};
use super::figures::Figures;
use super::hold::HeldMoney;
use super::job::{follow_job, read_job};
use super::keep::{lighten, sweep};
use super::kernel::{Applied, Decision, Now, RANDOM_BYTES};
use super::keys::Keys;
use super::message::{Answer, Command};
use super::offer::Limits;
use super::outcome::{Asker, Outcomes};
use super::quote::Quotes;
use super::records::{Change, Rows};
use super::row::{EventRow, HoldKind};
use super::seller::Sellers;
use super::session::Sessions;
use super::settings::{
    OlderWays, PaymentProfile, Profile, ProfileSettings, SettingsError, Unjudged,
};
use super::shown::{GatePayment, make_till_key, present};
use super::till::{GateAnswer, Till, end_unpriced};
use super::verify::Payments;
use super::work::SellerWork;
use crate::grant::Grant;
use farebox_base::amount::Amount;
use farebox_evm::address::Address;
use farebox_evm::token;
use farebox_machine::Machine;

const MIN_SECRET_BYTES: usize = 32;
/// Least that a task costs whose money a wallet holds, in whole tokens, unless that is set.
const MIN_PRICE: &str = "0.001";
/// A seller sells at most one of so many parts of what is sold in a day, unless that is set.
const SHARES: u64 = 10;

/// A gateway: the coordinator between buyers and sellers of one profile.
#[derive(Debug)]
pub struct Gateway {
    pub(super) profile: PaymentProfile,
    keys: Keys,
    limits: Limits,
    pub(super) bonds: Address,
    payer: (String, String),
    waits_ms: u64,
    unjudged: Option<Unjudged>,
    pub(super) older: OlderWays,
}

impl Machine for Gateway {
    type Command = Command;
    type Answer = Answer;
    type Change = Change;
    type Random = [u8; RANDOM_BYTES];
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
        // A purchase of a seller's own would prove the bond that a stranger asked for in its name.
        let is_shared = set.bonds == set.escrow;
        if set.bonds.is_low() || is_shared {
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
        let decimals = token.decimals;
        Ok(Self {
            keys: Keys { profile: set.profile, secret: set.secret, previous: set.previous },
            limits: Limits { decimals, max_price, min_price, per_day, per_seller_day },
            profile: PaymentProfile {
                kind: set.profile,
                network: set.network,
                chain_id,
                token,
                hold: set.hold,
                escrow: set.escrow,
                url: set.url,
            },
            bonds: set.bonds,
            payer: set.payer,
            waits_ms: set.waits_ms,
            unjudged: set.unjudged,
            older: set.older,
        })
    }

    /// Which profile it serves.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.profile.kind
    }

    /// Applies one command.
    ///
    /// # Errors
    /// An error of the storage; nothing is decided then.
    pub fn apply<R: Rows>(
        &self,
        records: &R,
        command: Command,
        tick: Now<'_>,
    ) -> Result<Decision, R::Error> {
        let Decision { answer, changes } = self.decide(records, command, tick)?;
        Ok(Decision { answer, changes: changes.into_iter().map(lighten).collect() })
    }

    fn decide<R: Rows>(&self, records: &R, command: Command, tick: Now<'_>) -> Applied<R> {
        match command {
            Command::Register { client, request } => {
                self.sellers().register(records, &client, &request, tick)
            }
            Command::Challenge { client, request, evidence } => {
                self.bonds().challenge(records, &client, &request, evidence.as_deref(), tick)
            }
            Command::Session { request, identity, evidence } => {
                let (identity, evidence) = (identity.as_ref(), evidence.as_deref());
                self.sellers().open_session(records, &request, identity, evidence, tick)
            }
            Command::Heartbeat(request) => self.sellers().note_heartbeat(records, &request, tick),
            Command::Offline(request) => self.sellers().go_offline(records, &request, tick),
            Command::SellerJobs(request) => self.work().list_jobs(records, &request, tick),
            Command::Capabilities => list_capabilities(records, &self.profile, tick),
            Command::Quote { client, body } => self.quotes().quote(records, &client, &body, tick),
            Command::Verify { payment, body } => {
                self.payments().verify(records, &payment, &body, tick)
            }
            Command::Buy { client, payment, body } => {
                self.payments().buy(records, &client, &payment, &body, tick)
            }
            Command::Taken { quote, job, status, code, reason, transaction } => {
                let (reason, transaction) = (reason.as_str(), transaction.as_str());
                let answer = GateAnswer { began: &job, status, code: &code, reason, transaction };
                self.till().take_answer(records, &quote, &answer, tick)
            }
            Command::Price(url) => self.till().price(records, &url, tick),
            Command::Unpriced(quote) => end_unpriced(records, &quote),
            Command::Sold(sale) => self.till().take_sale(records, &sale, tick),
            Command::Owed(sale) => self.till().take_debt(records, &sale, tick),
            Command::Follow(id) => follow_job(records, &self.keys, &id),
            Command::Job { authorization, id } => {
                read_job(records, &self.keys, &authorization, &id)
            }
            Command::Call { id, callback, request } => {
                self.work().call(records, &id, callback, &request, tick)
            }
            Command::PaidOut { payment, fence, answer } => {
                let grant = Grant { id: &payment, fence };
                self.money().take_answer(records, grant, answer.as_ref(), tick)
            }
            Command::Proven { job, fence, answer } => {
                let grant = Grant { id: &job, fence };
                self.outcomes().take_verdict(records, grant, answer.as_deref(), tick)
            }
            Command::Demo { client, body } => self.demos().run(records, &client, &body, tick),
            Command::Replied(command, reply) => {
                self.decide(records, *command, tick.with(Some(&reply)))
            }
            Command::AskNow(payment) => self.money().ask_now(records, &payment, tick),
            Command::EndNow(payment) => self.money().end_now(records, &payment, tick),
            Command::Due(errands) => self.deadlines().meet(records, &errands, tick),
            Command::Sweep => sweep(records, self.older.direct_transfers.is_some(), tick),
        }
    }

    /// Looks.
    ///
    /// # Errors
    /// An error of the storage.
    pub fn view<F: Figures>(
        &self,
        figures: &F,
        view: View,
        tick: Now<'_>,
    ) -> Result<Seen, F::Error> {
        Views { sessions: self.sessions() }.view(figures, view, tick)
    }

    /// An event as feeds have it.
    #[must_use]
    pub fn line(&self, event: &EventRow) -> FeedLine {
        write_line(&self.profile, event)
    }

    /// A payment as the gate reads it, whichever field it came in: the original's bare object becomes
    /// one of version 1.
    #[must_use]
    pub fn present_payment(&self, payment: &str) -> GatePayment {
        present(&self.profile, payment)
    }

    /// `Idempotency-Key` of a payment for a quote, by which the gate answers a repeat as it did
    /// before; none where whoever reads the chain could make up the same request.
    #[must_use]
    pub fn till_key(&self, asked: &Command, client: &str, quote: &str) -> Option<String> {
        make_till_key(&self.keys, asked, client, quote)
    }

    pub(super) const fn sessions(&self) -> Sessions<'_> {
        Sessions { profile: &self.profile, keys: &self.keys }
    }

    /// Whether money of sales is held at this address.
    pub(super) fn takes_money_at(&self, wallet: &Address) -> bool {
        self.profile.hold.has_money() && self.profile.escrow == *wallet
    }

    const fn bonds(&self) -> Bonds<'_> {
        Bonds { wallet: &self.bonds, sessions: self.sessions() }
    }

    const fn sellers(&self) -> Sellers<'_> {
        Sellers { limits: &self.limits, sessions: self.sessions(), bonds: self.bonds() }
    }

    const fn quotes(&self) -> Quotes<'_> {
        Quotes { profile: &self.profile, keys: &self.keys, limits: &self.limits }
    }

    const fn payments(&self) -> Payments<'_> {
        Payments {
            quotes: self.quotes(),
            transfers: DirectTransfers {
                profile: &self.profile,
                keys: &self.keys,
                till: self.till(),
                confirmations: self.older.direct_transfers,
                closed_before: self.older.closed_before,
            },
        }
    }

    const fn till(&self) -> Till<'_> {
        Till { limits: &self.limits, money: self.money(), waits_ms: self.waits_ms }
    }

    const fn money(&self) -> HeldMoney<'_> {
        HeldMoney { profile: &self.profile, keys: &self.keys, payer: &self.payer }
    }

    const fn outcomes(&self) -> Outcomes<'_> {
        Outcomes { money: self.money(), unjudged: self.unjudged, asker: Asker::Caller }
    }

    const fn work(&self) -> SellerWork<'_> {
        let (sessions, outcomes) = (self.sessions(), self.outcomes());
        SellerWork { sessions, outcomes, older: self.older }
    }

    const fn deadlines(&self) -> Deadlines<'_> {
        let outcomes = Outcomes { asker: Asker::Alarm, ..self.outcomes() };
        Deadlines { limits: &self.limits, outcomes }
    }

    const fn demos(&self) -> Demos<'_> {
        Demos { quotes: self.quotes() }
    }
}
