//! The payer's own rules for channels.

use alloc::format;
use alloc::string::String;

use crate::client::error::{ClientError, Reason};
use crate::client::offer::Offer;
use crate::client::voucher::suggested_deposit;
use farebox_base::amount::Amount;

/// The longest delay of a withdrawal, seconds, if the payer names none.
const WITHDRAW_DELAY_SECS: u64 = 86_400;

/// The payer's own rules for channels.
#[derive(Clone, Debug, Default)]
pub struct ChannelLimits {
    /// The amount to deposit, in whole tokens; otherwise what the server asks for, or a hundred
    /// requests.
    pub deposit: Option<String>,
    /// The most to deposit at once, in whole tokens; otherwise 1.
    pub max_deposit: Option<String>,
    /// The longest that a withdrawal may be delayed by, seconds; otherwise a day. What is sold with
    /// a longer one is paid for by itself.
    pub max_withdraw_delay_secs: Option<u64>,
}

impl ChannelLimits {
    /// The amount to deposit at once where `least` is needed, and the server would have
    /// `suggested`.
    ///
    /// # Errors
    /// [`Reason::InvalidPolicy`] for a limit that is no amount, [`Reason::PolicyAmount`] if more is
    /// needed than is allowed.
    pub(super) fn amount(
        &self,
        offer: &Offer,
        suggested: Option<Amount>,
        least: Amount,
    ) -> Result<Amount, ClientError> {
        let Offer { asset, amount, .. } = offer;
        let whole = |text: &str, name: &str| {
            let wrong = || {
                ClientError::new(
                    Reason::InvalidPolicy,
                    format!("{name} is not an amount in whole tokens"),
                )
            };
            Amount::from_decimal(text, asset.decimals).map_err(|_| wrong())
        };
        let wanted = match &self.deposit {
            Some(text) => Some(whole(text, "deposit")?),
            None => suggested_deposit(suggested, *amount),
        };
        let most = whole(self.max_deposit.as_deref().unwrap_or("1"), "maxDeposit")?;
        if least > most {
            let (least, most) = (least.to_decimal(asset.decimals), most.to_decimal(asset.decimals));
            let message = format!(
                "the server asks for a deposit of {least} {}, and maxDeposit is {most}",
                asset.symbol
            );
            return Err(ClientError::new(Reason::PolicyAmount, message));
        }
        Ok(wanted.unwrap_or(least).min(most).max(least))
    }

    /// Whether the payer would wait so long for a withdrawal.
    pub(super) fn waits(&self, secs: u64) -> bool {
        secs <= self.max_withdraw_delay_secs.unwrap_or(WITHDRAW_DELAY_SECS)
    }
}
