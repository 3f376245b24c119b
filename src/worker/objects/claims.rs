//! The object that sends the claims of many x402 channels together. Its queue is in memory alone: each
//! channel waits for what was sent, looks at the chain, and comes again if it has to.

use std::cell::RefCell;
use std::rc::Rc;

use farebox_core::channel::claims::ClaimQueue;
use farebox_core::channel::desk::ChannelDesk;
use farebox_core::gate::session::errand::take_claims_reply;
use wasm_bindgen::JsValue;

use crate::worker::{config, edge, facilitator};

/// Milliseconds in which claims gather.
const GATHER_MS: u32 = 1_000;

/// The claims that gather, and the answer that their channels wait for.
#[derive(Default)]
pub(super) struct ClaimSender(Rc<RefCell<(ClaimQueue, Option<JsValue>)>>);

impl ClaimSender {
    /// Takes a claim; the promise of an answer once it was sent.
    pub(super) fn take(&self, claim: ChannelDesk) -> JsValue {
        let mut gathered = self.0.borrow_mut();
        gathered.0.take(claim);
        let round = || edge::promise(round(self.0.clone()));
        gathered.1.get_or_insert_with(round).clone()
    }
}

/// Sends what gathers from now on.
async fn round(gathers: Rc<RefCell<(ClaimQueue, Option<JsValue>)>>) -> JsValue {
    edge::pause(GATHER_MS).await;
    let (mut queue, _) = gathers.take();
    if let Some(gate) = config::for_objects() {
        let mut payout = None;
        loop {
            let batch = queue.batch();
            if batch.is_empty() {
                break;
            }
            if let Some(call) = gate.channel_calls().claim(&batch) {
                let reply = facilitator::told(&gate, &call).await;
                payout =
                    take_claims_reply(gate.channel_calls(), &mut queue, &batch, &reply).or(payout);
            }
        }
        if let Some(call) = payout {
            facilitator::told(&gate, &call).await;
        }
    }
    edge::answered("true", None, None)
}
