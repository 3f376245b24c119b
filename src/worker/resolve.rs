//! What has to be known about a request before it is known whether it pays: a free request of the day, its price, its body.

use farebox_core::gate::Gate;
use farebox_core::gate::admission::Admission;
use farebox_core::gate::attempts::Spot;
use farebox_core::gate::forward::OriginCall;
use farebox_core::gate::passage::Step;
use farebox_core::gate::passing::Passing;
use farebox_core::gate::reply::Reply;
use wasm_bindgen::JsValue;

use super::edge::Digested;
use super::{Bindings, attempts, edge, operator};

/// What becomes of a request once that is known.
pub(super) enum Resolved<'g> {
    /// It goes on without a payment.
    Pass(OriginCall, Passing),
    /// It is answered.
    Respond(Reply),
    /// Its payment goes its way.
    Pay(Step<'g>),
}

/// Asks until it is known; `spot` is where the client is counted.
pub(super) async fn resolve<'g>(
    gate: &'g Gate,
    mut admission: Admission<'g>,
    request: &JsValue,
    bindings: &Bindings,
    spot: &mut Option<Spot>,
) -> Resolved<'g> {
    loop {
        admission = match admission {
            Admission::Pass(call, passing) => return Resolved::Pass(call, passing),
            Admission::Respond(reply) => return Resolved::Respond(reply),
            Admission::Pay(step) => return Resolved::Pay(step),
            Admission::Spend(call, spending) => {
                let answer = operator::ask(&bindings.ledger, &call).await;
                attempts::spent(gate, spending, answer.as_deref())
            }
            Admission::Price(call, pricing) => {
                let answer = bindings.price(&call).await;
                let (next, counted) = attempts::priced(gate, pricing, answer.as_deref());
                *spot = counted;
                next
            }
            Admission::Bind(unbound) => {
                let (digest, _) = edge::digest_of(request).await;
                return Resolved::Respond(match digest {
                    Digested::Whole(digest) => gate.bound(&unbound, Some(&digest)),
                    Digested::Long => gate.bound(&unbound, None),
                    Digested::Broken => unbound.broken(),
                });
            }
        };
    }
}
