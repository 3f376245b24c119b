//! A payment for terms that have changed since: what its channel knows of it, and what it is told.

use alloc::boxed::Box;

use super::{Before, SessionRequest, SessionStep};
use crate::session::mpp::shown::STALE_PARAMETERS;
use crate::session::payment::{Purpose, RecallScope, SessionDoor};
use crate::session::statement;
use farebox_base::amount::Amount;
use farebox_channel::messages::{ChannelReply, Said, Snapshot};

impl<'g> SessionRequest<'g> {
    /// Asks for the answer to what may have been paid under earlier terms, and holds nothing.
    pub(super) fn recall(self: Box<Self>) -> SessionStep<'g> {
        self.foresee(Amount::ZERO)
    }

    /// Goes on after what the channel knows of a request under earlier terms.
    pub(super) fn take_recall(
        self: Box<Self>,
        scope: RecallScope,
        reply: ChannelReply,
    ) -> SessionStep<'g> {
        let may_look = scope == RecallScope::Chain && self.sight.is_none();
        match (reply.said, &reply.channel) {
            (Said::Repeated, _) => self.again(reply),
            // The deposit may be the second one of a channel that is known.
            _ if may_look => self.look(Before::Nothing),
            (_, channel) => match scope {
                RecallScope::Met | RecallScope::Answer => self.outdated(None),
                RecallScope::State | RecallScope::Chain => self.outdated(channel.as_ref()),
            },
        }
    }

    /// Answers with the terms of today, and with the state of a channel that can pay for them.
    pub(super) fn outdated(&self, channel: Option<&Snapshot>) -> SessionStep<'g> {
        match &self.asked.payment.door {
            SessionDoor::X402(..) => {
                SessionStep::Respond(statement::outdated(&self.asked, channel, self.now))
            }
            SessionDoor::Mpp(_) => self.refused_by_code(STALE_PARAMETERS),
        }
    }

    /// Whether the object of its channel is asked although this isolate has not met the channel.
    #[must_use]
    pub const fn asks_unmet(&self) -> bool {
        !matches!(self.asked.payment.purpose, Purpose::Recall(RecallScope::Met))
    }

    /// Answers where the object is not asked.
    #[must_use]
    pub fn unmet(self: Box<Self>) -> SessionStep<'g> {
        self.outdated(None)
    }

    /// Goes on without what the chain might have shown.
    pub(super) fn recall_unseen(mut self: Box<Self>) -> SessionStep<'g> {
        self.asked.payment.purpose = Purpose::Recall(RecallScope::State);
        self.recall()
    }

    /// Whether it was paid under earlier terms, if at all.
    pub(super) const fn is_recall(&self) -> bool {
        matches!(self.asked.payment.purpose, Purpose::Recall(_))
    }
}
