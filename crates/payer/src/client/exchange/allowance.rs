//! The steps of an allowance that is signed with a payment: the caller reads what Permit2 may move,
//! and where that is too little the wallet signs a permit before the payment.
//!
//! Nothing depends on what a node tells but this: one that fails or lies makes a payment that the
//! facilitator refuses, as without it.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::state::Allowance;
use super::{Exchange, Next};
use crate::client::allowance::{AllowanceReading, PermitTerms, SignedAllowance};
use crate::client::error::{ClientError, Reason};
use crate::client::prepare::Prepared;
use farebox_wire::x402::extension::gas_sponsoring;

impl Exchange {
    /// Has what Permit2 may move read on these networks, CAIP-2 ids, where the server announces that
    /// its facilitator takes a permit for it.
    pub fn read_on(&mut self, networks: Vec<String>) {
        self.nodes = networks;
    }

    /// The calls to make before this payment is signed; none if a permit cannot go with it.
    pub(super) fn unread(&self, prepared: &Prepared) -> Option<AllowanceReading> {
        let announced = self.state.challenge()?.extensions.as_ref();
        let is_announced = announced.is_some_and(|all| all.contains_key(gas_sponsoring::NAME));
        // One that ends before the payment is refused with it.
        let is_unread = match &self.allowance {
            Allowance::Unread => true,
            Allowance::Signed(it) => it.deadline() < prepared.authorization.valid_before,
            Allowance::Read | Allowance::Signing(_) => false,
        };
        let reading = AllowanceReading::of(prepared.payment())
            .filter(|it| self.nodes.contains(&it.network))?;
        (is_unread && is_announced).then_some(reading)
    }

    /// Takes what both calls of [`Next::Read`] returned, hex; none for one that failed.
    pub fn read(&mut self, told: [Option<&str>; 2]) -> Next {
        self.allowance = Allowance::Read;
        let Some(proposed) = self.state.proposed() else { return nothing() };
        let Some(terms) = PermitTerms::of(&proposed.prepared.authorization, told) else {
            return Next::Prepare;
        };
        self.allowance = Allowance::Signing(terms);
        Next::Sign(Box::new(terms.typed_data(proposed.prepared.payment())))
    }

    /// Takes the wallet's signature of the permit; none if it was not asked for one.
    pub(super) fn permit_signed(&mut self, signature: &str) -> Option<Next> {
        let Allowance::Signing(terms) = self.allowance else { return None };
        let Some(proposed) = self.state.proposed() else { return Some(nothing()) };
        Some(match terms.signed(proposed.prepared.payment(), signature) {
            Ok(signed) => {
                self.allowance = Allowance::Signed(signed);
                Next::Prepare
            }
            Err(error) => Next::Fail(error),
        })
    }

    /// Lets go of a permit that the wallet was asked for and did not sign: what it signs next is another
    /// thing.
    pub(super) fn forget_unsigned(&mut self) {
        if matches!(self.allowance, Allowance::Signing(_)) {
            self.allowance = Allowance::Unread;
        }
    }

    /// Whether a permit may be signed before the payment that is proposed.
    pub(super) fn may_allow(&self, prepared: &Prepared) -> bool {
        self.unread(prepared).is_some() || prepared.allowance.is_some()
    }

    /// The permit that goes with the payment.
    pub(super) fn signed_allowance(&self) -> Option<SignedAllowance> {
        match &self.allowance {
            Allowance::Signed(signed) => Some(signed.clone()),
            Allowance::Unread | Allowance::Read | Allowance::Signing(_) => None,
        }
    }

    /// All that was signed for the payment, as [`Exchange::restore`] takes it: its signature, or the
    /// hash of the payer's own transaction, and the permit beside it.
    #[must_use]
    pub fn proof(&self) -> Option<String> {
        let paid = self.state.paid()?;
        Some(match &paid.prepared.allowance {
            Some(permit) => permit.joined(&paid.signature),
            None => paid.signature.clone(),
        })
    }
}

fn nothing() -> Next {
    Next::Fail(ClientError::new(Reason::MalformedChallenge, "nothing is reserved"))
}
