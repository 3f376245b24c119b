//! Carries out admissions, the decisions before a payment is known, as an edge must.

use farebox_core::encoding::hex;
use farebox_core::gate::admission::Admission;
use farebox_core::gate::forward::OriginCall;
use farebox_core::gate::paid::{MAX_DIGESTED_BYTES, OriginReply};
use farebox_core::gate::publish::DocumentRequest;
use farebox_core::gate::reply::{Body, Reply};
use farebox_core::gate::unpaid::Unpaid;
use sha2::{Digest, Sha256};

use super::{Running, World};

impl World {
    /// Carries out one admission.
    pub(super) fn resolve(&mut self, running: &mut Running, admission: Admission<'static>) {
        let (gate, now) = (self.gate, self.now());
        let next = match admission {
            Admission::Pay(step) => {
                running.step = Some(step);
                return;
            }
            Admission::Session(_) => panic!("sessions have a world of their own"),
            Admission::Pass(call, passing) => {
                return self.forward_unpaid(running, call, &passing);
            }
            Admission::Respond(reply) => return self.respond(running, reply),
            Admission::Publish(wanted) => {
                let reply = self.publish(&wanted);
                return self.respond(running, reply);
            }
            Admission::DigestBody(unbound) => {
                let short = running.body.len() <= MAX_DIGESTED_BYTES;
                let digest = hex::encode(&Sha256::digest(&running.body));
                Admission::Respond(
                    gate.admissions().challenge_body(&unbound, short.then_some(digest.as_str())),
                )
            }
            Admission::UseFree(call, spending) => {
                let answer = self.ledger.spend(&call.object, &call.command);
                gate.admissions().take_quota(spending, answer.as_deref(), &mut self.isolate(), now)
            }
            Admission::Price(call, pricing) => {
                assert_eq!(call.binding, "PRICER");
                self.priced.push(serde_json::from_str(&call.body).unwrap());
                let answer = match self.prices.len() {
                    0 => None,
                    1 => self.prices.front().cloned(),
                    _ => self.prices.pop_front(),
                };
                let mut around = self.isolate();
                let next =
                    gate.admissions().take_price(pricing, answer.as_deref(), &mut around, now);
                running.client = around.client;
                next
            }
        };
        match next {
            Admission::Pay(step) => running.step = Some(step),
            other => running.admission = Some(other),
        }
    }

    /// Forwards a request without a payment.
    pub(super) fn forward_unpaid(
        &mut self,
        running: &mut Running,
        call: OriginCall,
        passing: &Unpaid,
    ) {
        let (reply, held) = self.origin.call(call);
        running.held = held;
        running.answer(match reply {
            OriginReply::Head(mut head) => match passing.instead(&head) {
                Some(wanted) => self.publish(wanted),
                None => {
                    passing.finish(&mut head, self.gate.origin());
                    Reply::new(head, Body::Held)
                }
            },
            OriginReply::TimedOut => passing.fail(true),
            OriginReply::Lost => passing.fail(false),
        });
    }

    fn publish(&self, wanted: &DocumentRequest) -> Reply {
        wanted.answer(&self.gate.publications().written(wanted))
    }

    /// Answers, and counts the answer for the client.
    pub(super) fn respond(&mut self, running: &mut Running, reply: Reply) {
        if let Some(client) = running.client.take() {
            let now = self.now();
            if reply.marks.served {
                self.attempts.succeeded(&client, now);
            }
            if let Some((failure, _)) = &reply.marks.failed {
                self.attempts.failed(&client, failure, None, now);
            }
        }
        running.answer(reply);
    }
}
