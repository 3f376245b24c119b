//! Why a channel refuses, with the codes of both protocols.

/// A refusal; the channel is as it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelRefusal {
    /// Not in the form that the protocol asks for.
    Malformed,
    /// Another signer, contract or chain, or a spelling that contracts do not take.
    SignatureInvalid,
    /// No such channel, or the voucher of another one.
    NotFound,
    /// The last view of the chain is too old to go by: look, and ask again.
    Stale,
    /// The payer withdraws, or a close was agreed.
    Closing,
    /// The contract has closed the channel for ever.
    Finalized,
    /// Above what is deposited and not promised back.
    AboveDeposit,
    /// Below a voucher that was accepted.
    Decreasing,
    /// Too little above the voucher before it.
    DeltaTooSmall,
    /// The vouchers cover less than the price.
    InsufficientHeadroom,
    /// Not what was charged plus the price.
    CumulativeMismatch,
    /// Another request of this channel is being served.
    Busy,
    /// More was used than the voucher pays for.
    AboveCharge,
    /// There is less to pay back, too little is asked for, or nothing was ever charged.
    RefundAmount,
    /// The chain may still undo the last addition: it is paid back later.
    RefundLater,
    /// Everything that is deposited was earned.
    NoBalance,
    /// Nothing was bought that is not settled.
    NothingOwed,
    /// Anyone can have shown this voucher: it was sent for a chain.
    Published,
}

impl ChannelRefusal {
    /// Every refusal.
    pub const ALL: [Self; 18] = [
        Self::Malformed,
        Self::SignatureInvalid,
        Self::NotFound,
        Self::Stale,
        Self::Closing,
        Self::Finalized,
        Self::AboveDeposit,
        Self::Decreasing,
        Self::DeltaTooSmall,
        Self::InsufficientHeadroom,
        Self::CumulativeMismatch,
        Self::Busy,
        Self::AboveCharge,
        Self::RefundAmount,
        Self::RefundLater,
        Self::NoBalance,
        Self::NothingOwed,
        Self::Published,
    ];

    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    /// The code of OKX's dialect of MPP. Spec: OKX payments, error codes.
    #[must_use]
    pub const fn okx(self) -> u32 {
        self.row().1
    }

    /// The reason of x402 `batch-settlement`, after `invalid_batch_settlement_evm_`. Spec: x402
    /// `batch-settlement` on EVM, "Error Codes".
    #[must_use]
    pub const fn x402(self) -> &'static str {
        self.row().2
    }

    const fn row(self) -> (&'static str, u32, &'static str) {
        match self {
            Self::Malformed => ("schema", 70_003, "payload_type"),
            Self::SignatureInvalid => ("signature_invalid", 70_004, "voucher_signature"),
            Self::NotFound => ("channel_not_found", 70_010, "channel_not_found"),
            Self::Stale => ("channel_stale", 8_000, "verification_state_unavailable"),
            Self::Closing => ("channel_closing", 70_014, "channel_closing"),
            Self::Finalized => ("channel_finalized", 70_008, "channel_not_found"),
            Self::AboveDeposit => ("over_deposit", 70_012, "cumulative_exceeds_balance"),
            Self::Decreasing => ("voucher_decreasing", 70_013, "cumulative_below_claimed"),
            Self::DeltaTooSmall => ("delta_too_small", 70_013, "cumulative_amount_mismatch"),
            Self::InsufficientHeadroom => {
                ("insufficient_headroom", 70_015, "cumulative_amount_mismatch")
            }
            Self::CumulativeMismatch => {
                ("cumulative_mismatch", 70_013, "cumulative_amount_mismatch")
            }
            Self::Busy => ("channel_busy", 70_007, "channel_busy"),
            Self::AboveCharge => {
                ("charge_above_voucher", 70_015, "charge_exceeds_signed_cumulative")
            }
            Self::RefundAmount => ("refund_amount", 70_012, "refund_amount_invalid"),
            Self::RefundLater => ("refund_later", 70_007, "refund_later"),
            Self::NoBalance => ("nothing_to_refund", 70_012, "refund_no_balance"),
            Self::NothingOwed => ("nothing_owed", 70_000, "refund_no_balance"),
            Self::Published => ("voucher_published", 70_000, "voucher_published"),
        }
    }
}
