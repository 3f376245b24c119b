//! A request with its payment by session: what was asked for, at which terms, and who pays.

use alloc::vec::Vec;

use super::mpp::meter::StreamMeter;
use super::payment::{SessionDoor, SessionPayment};
use crate::keys::Keys;
use crate::offer::{Choice, Offer};
use crate::parts::{PayerRules, Settlers, Upstream};
use crate::request::IncomingRequest;
use farebox_base::amount::Amount;

/// Sessions: the parts of the gate that carry them out.
#[derive(Clone, Copy)]
pub(crate) struct Sessions<'g> {
    pub keys: &'g Keys,
    pub origin: &'g Upstream,
    pub settlement: &'g Settlers,
    pub payers: &'g PayerRules,
}

/// A request that is paid by session.
#[cfg_attr(feature = "copies", derive(Clone))]
pub(super) struct AskedSession<'g> {
    pub parts: Sessions<'g>,
    pub offer: &'g Offer,
    pub choice: &'g Choice,
    pub request: IncomingRequest,
    pub payment: SessionPayment,
    /// Indices of the facilitators to ask in turn, the one to ask now first.
    pub settlers: Vec<usize>,
}

impl AskedSession<'_> {
    /// How its answer is charged, if it flows.
    pub const fn meter(&self) -> Option<StreamMeter> {
        self.offer.meter
    }

    /// The charge for a request before it is answered: if its answer flows, the first step, because
    /// the origin works for that.
    pub fn first(&self) -> Amount {
        self.meter().map_or(self.choice.terms.amount, |meter| meter.step_price)
    }

    /// The amount that it holds before it is served: the whole amount of the terms where each
    /// voucher pays for one request.
    pub fn price(&self) -> Amount {
        match &self.payment.door {
            SessionDoor::X402(..) => self.choice.terms.amount,
            SessionDoor::Mpp(_) => self.first(),
        }
    }
}
