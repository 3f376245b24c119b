//! Codes of OKX's dialect: what a seller answers, and what a payer makes of it. Spec: OKX payments,
//! error codes.

use alloc::string::String;

/// A code, with its problem type and status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OkxCode {
    /// The number.
    pub code: u32,
    /// The problem type, after the prefix of all.
    pub problem: &'static str,
    /// The status of the answer.
    pub status: u16,
    /// The fault; empty where no gate of ours says it.
    pub detail: &'static str,
}

/// A payer's remedy for a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Ask for a fresh challenge: the parameters are stale, or it has expired.
    AskAgain,
    /// Sign a higher voucher, once.
    SignOnce,
    /// Add to the deposit first.
    TopUp,
    /// Wait until the transaction is confirmed.
    Wait,
    /// Close the channel, then open another one.
    CloseFirst,
    /// Open another channel.
    OpenAgain,
    /// Show it to a person.
    Tell,
}

/// Every code of a session, in order. 30001 is a wrong URL or stale parameters.
pub const CODES: [OkxCode; 18] = [
    row(8_000, "service-error", 500, "the chain cannot be asked now; send the same again"),
    row(30_001, "bad-request", 400, "this gate has not issued the challenge for these terms"),
    row(
        70_000,
        "bad-request",
        400,
        "nothing is owed that is not on its way; call requestClose of the contract, and withdraw after its delay",
    ),
    row(70_001, "unsupported-chain", 422, ""),
    row(70_002, "payer-blocked", 403, "this account buys nothing here"),
    row(70_003, "malformed-credential", 402, "a member is missing or wrong"),
    row(70_004, "session/invalid-signature", 402, "the channel's signer has not signed this"),
    row(70_005, "invalid-split", 400, ""),
    row(70_006, "invalid-split", 400, ""),
    row(
        70_007,
        "tx-not-confirmed",
        402,
        "a deposit or a request of this channel is on its way; send the same again in a moment",
    ),
    row(70_008, "session/channel-finalized", 410, "the contract has closed this channel"),
    row(70_009, "payment-expired", 401, "the challenge or the authorization has ended"),
    row(70_010, "session/channel-not-found", 404, "there is no such channel for these terms"),
    row(70_011, "session/invalid-escrow-config", 400, "payers of this contract withdraw too soon"),
    row(
        70_012,
        "session/amount-exceeds-deposit",
        402,
        "the voucher is above the deposit, the deposit too small, or the close below a voucher",
    ),
    row(
        70_013,
        "session/delta-too-small",
        402,
        "the voucher is below the highest one, or adds less than minVoucherDelta",
    ),
    row(70_014, "session/channel-closing", 409, "this channel is being closed"),
    row(
        70_015,
        "session/insufficient-balance",
        402,
        "the voucher is used up; sign one for requiredCumulative",
    ),
];

const fn row(code: u32, problem: &'static str, status: u16, detail: &'static str) -> OkxCode {
    OkxCode { code, problem, status, detail }
}

impl Remedy {
    /// Whether the request is sent again for it, by the same channel.
    #[must_use]
    pub const fn sends_again(self) -> bool {
        matches!(self, Self::AskAgain | Self::SignOnce | Self::Wait)
    }
}

impl OkxCode {
    /// The row of a number; an unknown one is a failed verification.
    ///
    /// # Examples
    /// ```
    /// use farebox_wire::mpp::okx_code::{OkxCode, Remedy};
    /// let exhausted = OkxCode::of(70_015);
    /// assert_eq!((exhausted.problem, exhausted.status), ("session/insufficient-balance", 402));
    /// assert_eq!(exhausted.remedy(), Remedy::SignOnce);
    /// assert_eq!(OkxCode::of(1).problem, "verification-failed");
    /// ```
    #[must_use]
    pub fn of(code: u32) -> Self {
        let found = CODES.into_iter().find(|row| row.code == code);
        found.unwrap_or_else(|| row(code, "verification-failed", 402, ""))
    }

    /// The problem's title: its type in words.
    #[must_use]
    pub fn title(&self) -> String {
        let name = self.problem.rsplit('/').next().unwrap_or_default();
        let mut title = String::new();
        for word in name.split('-') {
            let (first, rest) = word.split_at_checked(1).unwrap_or_default();
            let space = if title.is_empty() { "" } else { " " };
            title.extend([space, &first.to_ascii_uppercase(), rest]);
        }
        title
    }

    /// The payer's remedy for it.
    #[must_use]
    pub const fn remedy(&self) -> Remedy {
        match self.code {
            30_001 | 70_009 => Remedy::AskAgain,
            70_007 => Remedy::Wait,
            70_014 => Remedy::CloseFirst,
            70_008 | 70_010 => Remedy::OpenAgain,
            70_012 => Remedy::TopUp,
            70_013 | 70_015 => Remedy::SignOnce,
            _ => Remedy::Tell,
        }
    }
}
