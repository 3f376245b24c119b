//! The commands of a treasury, each given to its use case.

use alloc::string::String;
use alloc::vec::Vec;

use super::attempt::recover::Recovery;
use super::attempt::report::Reports;
use super::attempt::reserve::Reservations;
use super::books::{Change, Rows};
use super::config::Treasury;
use super::decide::Decisions;
use super::escrow::Escrows;
use super::escrow::response::show_escrow;
use super::inquire::{self, identify, list_open, show_own_receipt, show_receipt};
use super::keep::remove;
use super::kernel::{Decision, Grant, Now, RANDOM_BYTES};
use super::links::id::is_link;
use super::links::settlement::LinkSettlements;
use super::links::{Links, claim};
use super::message::{Answer, Command, MerchantAnswer, Operation, Order};
use super::operate::Policies;
use super::operate::agents::{
    disable_agent, enable_agent, issue_key, list_agents, list_tokens, revoke_key, revoke_tokens,
};
use super::operate::lists::audit::{audit_attempts, list_budgets};
use super::operate::lists::{
    export_decisions, list_decisions, list_log, show_decision, write_metrics,
};
use super::operate::reviews::{answer_review, list_reviews};
use super::outcome::{Turn, take_turn};
use super::payout::Payouts;
use super::payout::request::members;
use super::payout::response::{list_payouts, show_payout};
use super::places::{PlacedJob, Places};
use super::row::{TokenKind, Verdict};
use super::seed::seed;
use farebox_base::time::UnixTime;
use farebox_ledger::inquiry::finding::Finding;
use farebox_machine::Machine;

impl Machine for Treasury {
    type Command = Command;
    type Answer = Answer;
    type Change = Change;
    type Random = [u8; RANDOM_BYTES];
}

impl Treasury {
    /// The document at `/.well-known/farebox-keys.json`: a JWK set.
    #[must_use]
    pub fn keys(&self) -> String {
        self.receipts.keys()
    }

    /// The organization of a link; `None` if this treasury did not make the id.
    #[must_use]
    pub fn organization_of_link(&self, id: &str) -> Option<String> {
        self.link_ids.organization_of(id)
    }

    /// The writes for what the configuration seeds, once for each version of it. To be carried out
    /// before the first command of an object.
    ///
    /// # Errors
    /// An error of the storage.
    pub fn seed<B: Rows>(&self, books: &B, scene: Now<'_>) -> Result<Vec<Change>, B::Error> {
        seed(books, &self.owners, scene)
    }

    /// A step of the removal, or of that of answers, if one is due: after its last one it is not any
    /// more.
    ///
    /// # Errors
    /// An error of the storage.
    pub fn remove<B: Rows>(&self, books: &B, scene: Now<'_>) -> Result<Vec<Change>, B::Error> {
        remove(books, self.keep_secs, scene.now)
    }

    /// Work that is due and has places beside those that are taken, with the writes that grant it.
    ///
    /// # Errors
    /// An error of the storage.
    pub fn recover<B: Rows>(
        &self,
        books: &B,
        places: &Places,
        scene: Now<'_>,
    ) -> Result<(Vec<PlacedJob>, Vec<Change>), B::Error> {
        let (mut works, mut changes, mut places) = (Vec::new(), Vec::new(), places.clone());
        let mut add = |(more, writes): (Vec<PlacedJob>, Vec<Change>)| {
            works.extend(more);
            changes.extend(writes);
        };
        // Of those that share places, chance names the first, and which of the others comes before.
        let chance = scene.random.last().copied().unwrap_or_default();
        let is_first = chance & 1 == 0;
        let links_first = chance & 2 == 0;
        if is_first {
            add(self.recovery().recover(books, &mut places, scene)?);
        }
        if links_first {
            add(self.link_settlements().recover(books, &mut places, scene)?);
        }
        add(self.escrows().recover(books, &mut places, scene)?);
        if !links_first {
            add(self.link_settlements().recover(books, &mut places, scene)?);
        }
        if !is_first {
            add(self.recovery().recover(books, &mut places, scene)?);
        }
        Ok((works, changes))
    }

    /// Takes what the chain showed of an attempt or a payment by link.
    ///
    /// # Errors
    /// An error of the storage.
    pub fn read<B: Rows>(
        &self,
        books: &B,
        id: &str,
        fence: u64,
        finding: &Finding,
        scene: Now<'_>,
    ) -> Result<Vec<Change>, B::Error> {
        let grant = Grant { id, fence };
        match is_link(id) {
            true => self.link_settlements().take_finding(books, grant, finding, scene),
            false => self.reports().take_finding(books, grant, finding, scene),
        }
    }

    /// Decides whether an order is sent again, after each answer to it; `None` if no complete one
    /// came. `sent` is how often it was sent.
    #[must_use]
    pub fn turn(
        &self,
        order: &Order,
        answer: Option<MerchantAnswer>,
        sent: u32,
        now: UnixTime,
    ) -> Turn {
        take_turn(self.facilitator.as_ref(), order, answer, sent, now)
    }

    /// Applies one command.
    ///
    /// # Errors
    /// An error of the storage; nothing is decided then.
    pub fn apply<B: Rows>(
        &self,
        books: &B,
        command: Command,
        scene: Now<'_>,
    ) -> Result<Decision, B::Error> {
        match command {
            Command::Exchange(caller) => self.tokens.exchange(books, &caller, scene),
            Command::Decide(caller, body) => self.decisions().decide(books, &caller, &body, scene),
            Command::LookUp(caller, receipt) => {
                show_own_receipt(books, &self.receipts, &caller, &receipt, scene)
            }
            Command::Identify(caller) => identify(books, &self.owners, &caller, scene),
            Command::Open(caller) => list_open(books, &caller, scene),
            Command::Known { agent, key } => {
                inquire::show_decision(books, &self.receipts, &agent, &key)
            }
            Command::KnownReceipt(receipt) => {
                show_receipt(books, &self.receipts, &receipt, None, scene)
            }
            Command::Prepared { attempt, fence, signature, balance } => {
                let grant = Grant { id: &attempt, fence };
                let (signature, balance) = (signature.as_deref(), balance.as_deref());
                self.reservations().take_prepared(books, grant, signature, balance, scene)
            }
            Command::Link(asked) => self.links().answer(books, asked, scene),
            Command::Claim { name, link, until } => claim::give(books, name, link, until),
            Command::Answered { attempt, fence, answer, sent } if is_link(&attempt) => self
                .link_settlements()
                .take_answer(books, Grant { id: &attempt, fence }, Some((&answer, sent)), scene),
            Command::Lost { attempt, fence, .. } if is_link(&attempt) => self
                .link_settlements()
                .take_answer(books, Grant { id: &attempt, fence }, None, scene),
            Command::Answered { attempt, fence, answer, sent } => self.reports().take_answer(
                books,
                Grant { id: &attempt, fence },
                &answer,
                sent,
                scene,
            ),
            Command::Lost { attempt, fence, sent } => {
                self.reports().take_loss(books, Grant { id: &attempt, fence }, sent, scene)
            }
            Command::Enquired { escrow, fence, reply } => self.escrows().read_reply(
                books,
                Grant { id: &escrow, fence },
                reply.as_deref(),
                scene,
            ),
            Command::Operate(operation) => self.operate(books, operation, scene),
        }
    }

    /// Carries out a request of the operator.
    fn operate<B: Rows>(
        &self,
        books: &B,
        operation: Operation,
        scene: Now<'_>,
    ) -> Result<Decision, B::Error> {
        let policies = Policies { owners: &self.owners };
        match operation {
            Operation::Overview => policies.overview(books, scene),
            Operation::PutPolicy(scope, document) => {
                policies.put_policy(books, scope, &document, scene)
            }
            Operation::Agents => list_agents(books),
            Operation::PutAgent(name) => enable_agent(books, &name, scene),
            Operation::DisableAgent(name) => disable_agent(books, &name, scene),
            Operation::IssueKey(agent) => issue_key(books, &agent, scene),
            Operation::Keys(agent) => list_tokens(books, &agent, TokenKind::Bootstrap),
            Operation::RevokeKey(id) => revoke_key(books, &id, scene),
            Operation::Tokens(agent) => list_tokens(books, &agent, TokenKind::Runtime),
            Operation::RevokeTokens(agent) => revoke_tokens(books, &agent, scene),
            Operation::Budgets => list_budgets(books, scene),
            Operation::Reviews(listing) => list_reviews(books, &listing, self.review_secs, scene),
            Operation::Approve(id) => {
                answer_review(books, &id, Verdict::Approved, self.review_secs, scene)
            }
            Operation::Deny(id) => {
                answer_review(books, &id, Verdict::Denied, self.review_secs, scene)
            }
            Operation::Decisions(listing) => list_decisions(books, &listing),
            Operation::Decision(id) => show_decision(books, &self.receipts, &id, scene),
            Operation::Export(listing, format) => export_decisions(books, &listing, &format),
            Operation::Audit(listing) => audit_attempts(books, &listing),
            Operation::Log(listing) => list_log(books, &listing),
            Operation::Metrics => write_metrics(books),
            Operation::PayOut(body) => self.put_payout(books, &body, None, scene),
            Operation::PayOutFrom(wallet, body) => {
                self.put_payout(books, &body, Some(&wallet), scene)
            }
            Operation::Payouts(listing) => list_payouts(books, &listing),
            Operation::Payout(id) => show_either(books, &id, None),
            Operation::PayoutFrom(wallet, id) => show_either(books, &id, Some(&wallet)),
        }
    }

    /// Makes a payout, or moves a payment of an escrow contract on: such a body names the contract.
    fn put_payout<B: Rows>(
        &self,
        books: &B,
        body: &str,
        only: Option<&str>,
        scene: Now<'_>,
    ) -> Result<Decision, B::Error> {
        match members(body).filter(|it| it.contains_key("contract")) {
            Some(members) => self.escrows().hold(books, &members, only, scene),
            None => self.payouts().pay_out(books, body, only, scene),
        }
    }

    fn decisions(&self) -> Decisions<'_> {
        Decisions {
            owners: &self.owners,
            receipts: &self.receipts,
            reservations: self.reservations(),
            recovery: self.recovery(),
            review_secs: self.review_secs,
        }
    }

    fn payouts(&self) -> Payouts<'_> {
        Payouts {
            owners: &self.owners,
            chain: &self.chain,
            facilitator: self.facilitator.as_ref(),
            receipts: &self.receipts,
            reservations: self.reservations(),
        }
    }

    fn reservations(&self) -> Reservations<'_> {
        Reservations {
            wallets: &self.owners.wallets,
            chain: &self.chain,
            receipts: &self.receipts,
            secrets: &self.secrets,
            locality: self.locality,
            window: self.window,
        }
    }

    const fn reports(&self) -> Reports<'_> {
        Reports { chain: &self.chain, receipts: &self.receipts }
    }

    const fn recovery(&self) -> Recovery<'_> {
        Recovery { reports: self.reports(), window: self.window }
    }

    const fn links(&self) -> Links<'_> {
        let settlements = self.link_settlements();
        Links { owners: &self.owners, ids: &self.link_ids, settlements }
    }

    const fn link_settlements(&self) -> LinkSettlements<'_> {
        let (chain, facilitator) = (&self.chain, self.facilitator.as_ref());
        LinkSettlements { chain, facilitator, window: self.window }
    }

    const fn escrows(&self) -> Escrows<'_> {
        Escrows {
            contracts: self.escrows.as_slice(),
            wallets: self.owners.wallets.as_slice(),
            chain: &self.chain,
        }
    }
}

/// A payout, or a payment of an escrow contract.
fn show_either<B: Rows>(books: &B, id: &str, only: Option<&str>) -> Result<Decision, B::Error> {
    match id.starts_with("esc_") {
        true => show_escrow(books, id, only),
        false => show_payout(books, id, only),
    }
}
