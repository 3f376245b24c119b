//! A request for terms that no client sent.

use alloc::format;
use alloc::vec::Vec;

use super::Gate;
use super::admission::Admission;
use super::attempts::Attempts;
use super::isolate::Isolate;
use super::reply::Reply;
use farebox_base::http::RequestHead;
use farebox_base::time::UnixTime;
use farebox_wire::facilitator::payers::PayerHistory;

impl Gate {
    /// Answers a request for the terms of the first route, as the first client's, and counts
    /// nothing; `None` if nothing is sold.
    ///
    /// An engine compiles each function when it is first called, which takes longer than to answer:
    /// before there is a client there is time for it.
    #[must_use]
    pub fn rehearse(&self, now: UnixTime) -> Option<Reply> {
        let listed = self.public.publication.listing.items.first()?;
        let (methods, _) = listed.sales.first()?;
        // The names of parameters are segments like any other.
        let path = listed.path.replace(['{', '}'], "");
        let method = methods.first()?;
        let head = format!("{method}\nhttps://gate.invalid{path}\n\ncf-connecting-ip: 192.0.2.1");
        let mut isolate = Isolate {
            facilitators: Vec::new(),
            payers: const { &PayerHistory::new() },
            attempts: &mut Attempts::new(),
            client: None,
        };
        let head = RequestHead::from_text(&head)?;
        let Admission::Respond(reply) = self.admit(head, "rehearsal", &mut isolate, now) else {
            return None;
        };
        Some(reply)
    }
}
