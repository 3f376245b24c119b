//! The commands of a market, each given to its use case.

use alloc::vec::Vec;

use super::alarm::Tasks;
use super::booking::Bookings;
use super::books::{Change, Rows};
use super::called::SellerCalls;
use super::catalogue::Catalogue;
use super::catalogue::owned::{OwnerRequest, write_typed_data};
use super::config::Market;
use super::decided::PaymentDecisions;
use super::draft::{GateTable, note_failure, note_look, note_written};
use super::forwarded::read_sale;
use super::invoke::Invocations;
use super::kernel::{Applied, Decision, Now, RANDOM_BYTES};
use super::ledger::export::export;
use super::ledger::import::import;
use super::ledger::{list_invocations, show_invocation, show_spend};
use super::listing::Listings;
use super::listing_request::ListingRequests;
use super::message::{Answer, Command, Response, Sale};
use super::metrics::write_metrics;
use super::offered::Edition;
use super::original::OriginalPaths;
use super::original::rail::Rails;
use super::original::reputation::Reputation;
use super::pack::show_pack;
use super::refused::{self, refusal};
use super::shelf::{Archive, Opened};
use super::sold::Sales;
use crate::gate::is_from_gate;
use crate::grant::Grant;
use crate::operator::is_operator;
use farebox_base::http::RequestHead;
use farebox_machine::Machine;

impl Machine for Market {
    type Command = Command;
    type Answer = Answer;
    type Change = Change;
    type Random = [u8; RANDOM_BYTES];
}

impl Market {
    /// Applies one command.
    ///
    /// # Errors
    /// An error of the storage; nothing is decided then.
    pub fn apply<B: Rows>(
        &self,
        books: &B,
        command: Command,
        moment: Now<'_>,
    ) -> Result<Decision, B::Error> {
        let mut decision = self.decide(books, command, moment)?;
        self.archive().note_growth(books, &mut decision, moment)?;
        Ok(decision)
    }

    /// The changes before the first command to books: what another version wrote is made anew.
    ///
    /// # Errors
    /// An error of the storage.
    pub fn renew<B: Rows>(&self, books: &B, now: u64) -> Result<Vec<Change>, B::Error> {
        self.table().renew(books, now)
    }

    fn decide<B: Rows>(&self, books: &B, command: Command, moment: Now<'_>) -> Applied<B> {
        match command {
            Command::Show(id) => self.listings().show(books, &id),
            Command::Edition => Ok(Decision::told(Answer::Edition(Edition::of(&books.table()?)))),
            Command::Offered(id) => self.listings().look(books, &id),
            Command::Skills(after) => self.listings().list(books, after.as_ref()),
            Command::Publish(labels, body) => {
                self.catalogue().publish(books, &labels, &body, moment)
            }
            Command::Revise(labels, id, body) => {
                let asked = OwnerRequest { labels: &labels, id: &id, body: &body };
                self.catalogue().revise(books, asked, moment)
            }
            Command::Deactivate(labels, id, body) => {
                let asked = OwnerRequest { labels: &labels, id: &id, body: &body };
                self.catalogue().deactivate(books, asked, moment)
            }
            Command::Rotate(labels, id, body) => {
                let asked = OwnerRequest { labels: &labels, id: &id, body: &body };
                self.catalogue().rotate(books, asked, moment)
            }
            Command::TypedData(query, body) => {
                write_typed_data(books, &self.url, &query, &body, moment)
            }
            Command::Wake => note_look(books, moment),
            Command::Table(stored) => self.table().draft(books, &stored, moment),
            Command::TableWritten(revision, refused) => {
                note_written(books, revision, &refused, moment)
            }
            Command::TableFailed => note_failure(books, moment),
            Command::Sold(sale) => {
                let sales = Sales { secret: &self.secret, table: self.table() };
                sales.sell(books, &sale, moment)
            }
            Command::Pack(key) => show_pack(books, &key, moment),
            Command::Due => {
                let (bookings, archive) = (self.bookings(), self.archive());
                Tasks { bookings, archive }.list(books, moment)
            }
            Command::Invoke(asked) => {
                let (listings, bookings) = (self.listings(), self.bookings());
                let invocations = Invocations { listings, bookings, secret: &self.secret };
                invocations.invoke(books, &asked, moment)
            }
            Command::Called { invocation, fence, outcome } => {
                let calls = SellerCalls {
                    listings: self.listings(),
                    bookings: self.bookings(),
                    daily_cap: self.daily_cap,
                    mock: self.mock,
                };
                calls.take_outcome(books, Grant { id: &invocation, fence }, &outcome, moment)
            }
            Command::Paid { invocation, fence, answer } => {
                let decisions = PaymentDecisions { bookings: self.bookings() };
                let grant = Grant { id: &invocation, fence };
                decisions.take_answer(books, grant, answer.as_ref(), moment)
            }
            Command::Follow(id) => self.bookings().follow(books, &id, moment),
            Command::Invocations(..) | Command::InvocationById(..) | Command::Export(..) => {
                answer_question(books, &command, &[])
            }
            Command::Opened(asked, opened) => answer_question(books, &asked, &opened),
            Command::Shelf => self.archive().next_shelf(books, moment),
            Command::Kept(name, read) => {
                self.archive().take_shelf(books, &name, read.as_deref(), moment)
            }
            Command::Spend(viewer, agent) => show_spend(books, &viewer, &agent),
            Command::Import(viewer, lines) => import(books, &viewer, &lines),
            Command::Metrics(viewer) => write_metrics(books, &viewer, moment),
            Command::Original(_) if !self.compatible => {
                Ok(Decision::reply(refusal(404, "Not found").no_store()))
            }
            Command::Original(request) => {
                let original = OriginalPaths {
                    rails: self.rails(),
                    reputation: Reputation { is_bound: self.has_reputation },
                    secret: &self.secret,
                    operator: &self.operator,
                };
                original.original(books, &request, moment)
            }
        }
    }

    /// Whether text is the value of `Authorization` that the operator shows.
    #[must_use]
    pub fn is_operator(&self, authorization: &str) -> bool {
        is_operator(&self.operator, authorization)
    }

    /// Whether the gate has signed a request within 300 seconds, whatever it asks for.
    #[must_use]
    pub fn is_from_gate(&self, head: &RequestHead, now_ms: u64) -> bool {
        is_from_gate(self.origin_secret.as_ref(), head, now_ms)
    }

    /// Reads a request that was paid at the gate.
    ///
    /// # Errors
    /// 403 unless the gate has signed it, and said what was paid.
    pub fn read_sale(&self, head: &RequestHead, now_ms: u64) -> Result<Sale, Response> {
        read_sale(self.origin_secret.as_ref(), head, now_ms)
    }

    fn listings(&self) -> Listings<'_> {
        Listings { url: &self.url, fee: self.listing_fee.as_deref() }
    }

    fn catalogue(&self) -> Catalogue<'_> {
        Catalogue {
            listings: self.listings(),
            requests: ListingRequests {
                url: &self.url,
                networks: &self.networks,
                rate: &self.rate,
                local_sellers: self.local_sellers,
            },
            table: self.table(),
            secret: &self.secret,
            operator: &self.operator,
        }
    }

    fn table(&self) -> GateTable<'_> {
        GateTable {
            networks: &self.networks,
            own_routes: &self.own_routes,
            fee: self.listing_fee.as_deref(),
            pay_to: self.pay_to.as_deref(),
        }
    }

    const fn bookings(&self) -> Bookings<'_> {
        Bookings { rate: &self.rate, lookup_token: self.lookup_token.as_ref() }
    }

    const fn archive(&self) -> Archive {
        Archive { keep: self.ledger_rows }
    }

    fn rails(&self) -> Rails<'_> {
        Rails {
            networks: &self.networks,
            nodes: &self.nodes,
            pay_to: self.pay_to.as_deref(),
            rate: &self.rate,
            mock: self.mock,
        }
    }
}

/// Answers a question about the rows of the ledger.
fn answer_question<B: Rows>(books: &B, asked: &Command, opened: Opened<'_>) -> Applied<B> {
    match asked {
        Command::Invocations(viewer, query) => list_invocations(books, viewer, query, opened),
        Command::InvocationById(viewer, id) => show_invocation(books, viewer, id, opened),
        Command::Export(viewer, query) => export(books, viewer, query, opened),
        _ => Ok(Decision::reply(refused::internal().no_store())),
    }
}
