//! Claims of x402 channels as a facilitator takes them: those that are due at one time in one
//! transaction.

use alloc::string::String;
use alloc::vec::Vec;

use super::errand::ChannelTerms;
use crate::Gate;
use crate::call::FacilitatorCall;
use farebox_base::encoding::json::json;
use farebox_channel::authorizer::claim_digest;
use farebox_channel::claims::ClaimQueue;
use farebox_channel::desk::ChannelDesk;
use farebox_wire::facilitator::outcome::affirms;
use farebox_wire::facilitator::reply::{FacilitatorReply, MAX_REPLY_BYTES};

impl Gate {
    /// The object that sends the claims of this channel's payee, token and facilitator, and the
    /// message for it; `None` if the channel sends its claim by itself.
    pub(super) fn claim_beside_others(&self, desk: &ChannelDesk) -> Option<(String, String)> {
        if desk.most_beside() == 0 {
            return None;
        }
        let kept = ChannelTerms::read(&desk.terms)?;
        let settler = self.settler_of(&kept, desk.channel.as_ref()?.turn())?;
        // One signature is for the claims of one authorizer, and a facilitator is shown the terms
        // of one channel for all.
        let part = |name: &str| kept.config.get(name)?.as_str();
        let name = [
            "claims",
            &settler.facilitator.settle_url(),
            kept.requirements.get("network")?.as_str()?,
            part("receiver")?,
            part("token")?,
            part("receiverAuthorizer")?,
        ];
        Some((name.join(" "), desk.to_claim()?))
    }

    /// The call that sends these claims; `None` if none of them can be sent.
    #[must_use]
    pub fn claims_call(&self, batch: &[ChannelDesk]) -> Option<FacilitatorCall> {
        let mut first = None;
        let (mut entries, mut rows) = (Vec::new(), Vec::new());
        for desk in batch {
            let Some(kept) = ChannelTerms::read(&desk.terms) else { continue };
            let channel = desk.channel.as_ref()?;
            let Some(earnings) = channel.earnings() else { continue };
            let (entry, row) = kept.claim(channel.id(), &earnings);
            entries.push(entry);
            rows.push(row);
            first.get_or_insert((kept, channel.turn()));
        }
        let (kept, turn) = first?;
        let payload = json!({
            "type": "claim",
            "claims": rows,
            "claimAuthorizerSignature": self.authorize(&kept, claim_digest(&kept.contract, &entries))?,
        });
        self.send(&kept, turn, &payload)
    }

    /// Takes what a facilitator said to it: the call that has the contract pay the payee what was
    /// claimed, so that not each channel asks for it.
    pub fn claims_told(
        &self,
        queue: &mut ClaimQueue,
        batch: &[ChannelDesk],
        reply: &FacilitatorReply,
    ) -> Option<FacilitatorCall> {
        if reply.object(MAX_REPLY_BYTES).is_none() {
            queue.clear();
        }
        affirms(reply).then_some(())?;
        self.pay_out(batch.first()?)
    }
}
