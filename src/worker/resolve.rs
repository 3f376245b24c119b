//! Facts to find out before it is known whether a request pays: its free request of the day, its
//! price, its body.

use farebox_core::gate::Gate;
use farebox_core::gate::admission::Admission;
use farebox_core::gate::attempts::ClientKey;
use farebox_core::gate::forward::OriginCall;
use farebox_core::gate::paid::Step;
use farebox_core::gate::reply::Reply;
use farebox_core::gate::session::step::SessionStep;
use farebox_core::gate::unpaid::Unpaid;
use wasm_bindgen::JsValue;

use super::edge::Digested;
use super::{Bindings, attempts, documents, edge, operator};

/// The decision once they are known.
pub(super) enum Resolved<'g> {
    /// Forward it without a payment.
    Pass(OriginCall, Unpaid),
    /// Answer it.
    Respond(Reply),
    /// Carry out its payment.
    Pay(Step<'g>),
    /// Carry out its payment by session.
    Session(SessionStep<'g>),
}

/// Asks until the decision is known; `client_key` is the key under which the client is counted.
pub(super) async fn resolve<'g>(
    gate: &'g Gate,
    mut admission: Admission<'g>,
    request: &JsValue,
    bindings: &Bindings,
    client_key: &mut Option<ClientKey>,
) -> Resolved<'g> {
    loop {
        admission = match admission {
            Admission::Pass(call, passing) => return Resolved::Pass(call, passing),
            Admission::Respond(reply) => return Resolved::Respond(reply),
            Admission::Publish(wanted) => {
                return Resolved::Respond(documents::answer(gate, &wanted).await);
            }
            Admission::Pay(step) => return Resolved::Pay(step),
            Admission::Session(step) => return Resolved::Session(step),
            Admission::UseFree(call, spending) => {
                let answer = operator::ask(&bindings.ledger, &call).await;
                attempts::spent(gate, spending, answer.as_deref())
            }
            Admission::Price(call, pricing) => {
                let answer = bindings.price(&call).await;
                let (next, counted) = attempts::priced(gate, pricing, answer.as_deref());
                *client_key = counted;
                next
            }
            Admission::DigestBody(unbound) => {
                let (digest, _) = edge::digest_of(request).await;
                return Resolved::Respond(match digest {
                    Digested::Whole(digest) => {
                        gate.admissions().challenge_body(&unbound, Some(&digest))
                    }
                    Digested::Long => gate.admissions().challenge_body(&unbound, None),
                    Digested::Broken => unbound.broken(),
                });
            }
        };
    }
}
