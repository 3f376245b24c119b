//! A payment that its payer signs again with the same nonce: what begins by the new bytes, and what is
//! kept because it may still be mined.
//!
//! The token lets at most one authorization of a nonce move money, so that beginning again is safe
//! while nothing moved and nothing asks for it.

use super::Entry;
use crate::command::{Payment, Repeat, Signing};
use crate::state::State;

impl Entry {
    /// Takes the bytes of a repeat; the receipt id and the correlation id stay those of the first
    /// request, and of what is signed again the secret, too. What was signed before and differs may still be mined.
    /// Another request brings a secret and a correlation id of its own.
    pub(super) fn take_again(&mut self, again: Payment) {
        let receipt = self.payment.receipt.clone();
        if self.payment.is_signed_elsewhere_by(&again) {
            self.payment.sign_again(Payment { receipt, ..again });
            return;
        }
        let correlation = core::mem::take(&mut self.payment.correlation);
        let again = Payment { receipt, correlation, ..again };
        if self.payment.is_signed_again_by(&again) {
            let secret = self.payment.secret.take().or_else(|| again.secret.clone());
            self.payment.sign_again(Payment { secret, ..again });
        } else {
            let known = core::mem::take(&mut self.payment.signing);
            self.payment = again;
            self.payment.signing = Signing { by: self.payment.signing.by, ..known };
        }
    }

    /// Whether a repeat that its payer has signed again begins the payment: no money moved for it,
    /// no request works on it, and nothing asks for its money any more.
    pub(crate) fn begins_anew(&self, again: &Payment) -> bool {
        let rests = matches!(
            self.state,
            State::Released
                | State::Abandoned
                | State::Refused { resend: None, .. }
                | State::Void
                | State::Closed
        );
        rests
            && (self.payment.is_signed_again_by(again)
                || self.payment.is_signed_elsewhere_by(again))
            && self.payment.may_be_signed_again()
    }

    /// Whether its stored response was made for what the repeat pays. Where less than the most is
    /// charged, the most is compared.
    pub(super) fn keeps_response(&self, again: &Repeat) -> bool {
        let same = self.payment.is_signed_as(&again.payment)
            && again.payment.pay_to.eq_ignore_ascii_case(&self.payment.pay_to);
        let is_for = self.payment.is_signed_again_by(&again.payment);
        self.sealed && is_for && same && matches!(self.state, State::Refused { .. })
    }

    /// Keeps what its payer has signed again while it is open: that may be mined as well.
    pub(super) fn keep_shown(&mut self, again: &Repeat) {
        let moves = matches!(
            self.state,
            State::Executing(_)
                | State::Settling(_)
                | State::Unknown { .. }
                | State::Refused { .. }
        );
        if moves
            && self.payment.is_proven_anew_by(&again.payment)
            && self.payment.may_be_signed_again()
        {
            self.payment.signing.add(again.payment.terms());
        }
    }
}
