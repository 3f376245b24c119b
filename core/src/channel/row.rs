//! A channel as text: what is kept of it, all but the holds.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::config::ChannelId;
use super::state::{
    Agreement, AttemptResult, Channel, HighestVoucher, LastSale, OnChain, Promise, Sight,
    VoucherRule,
};
use crate::amount::Amount;
use crate::encoding::{hex, json, message};
use crate::evm::signature::Signature;
use crate::time::UnixTime;

/// A channel's row. Amounts are decimal text, times seconds.
#[derive(Debug, Serialize, Deserialize)]
struct ChannelRow {
    id: String,
    /// The least that a new voucher adds; none if each request brings its own.
    min_delta: Option<String>,
    delay: u64,
    deposit: String,
    claimed: String,
    nonce: String,
    /// Since when the payer withdraws.
    leaving: Option<u64>,
    finalized: bool,
    seen: u64,
    accepted: Option<String>,
    signature: Option<String>,
    spent: String,
    since: Option<u64>,
    /// Nonce and amount.
    promised: Option<(String, String)>,
    closing: bool,
    /// Voucher, request and charge.
    last: Option<(String, String, String)>,
    published: String,
    tries: u64,
    paid: String,
    pay_from: u64,
    tried: Option<u64>,
    unseen: bool,
    looked: u64,
}

impl Channel {
    /// The row.
    #[must_use]
    pub fn to_row(&self) -> String {
        let sight = &self.sight;
        let leaving = match sight.on_chain {
            OnChain::Leaving(since) => Some(since.secs()),
            OnChain::Open | OnChain::Finalized => None,
        };
        json::text(&ChannelRow {
            id: self.id.to_string(),
            min_delta: match self.rule {
                VoucherRule::Exact => None,
                VoucherRule::Headroom { min_delta } => Some(min_delta.to_string()),
            },
            delay: self.withdraw_delay_secs,
            deposit: sight.deposit.to_string(),
            claimed: sight.claimed.to_string(),
            nonce: sight.refund_nonce.to_string(),
            leaving,
            finalized: sight.on_chain == OnChain::Finalized,
            seen: sight.at.secs(),
            accepted: self.evidence.map(|it| it.cumulative.to_string()),
            signature: self.evidence.map(|it| hex::encode_prefixed(&it.signature.to_bytes())),
            spent: self.spent.to_string(),
            since: self.earned_since.map(UnixTime::secs),
            promised: self.promised.map(|it| (it.nonce.to_string(), it.amount.to_string())),
            closing: self.agreement == Agreement::Closing,
            last: self.last.map(|it| {
                let request = hex::encode_prefixed(&it.request);
                (it.cumulative.to_string(), request, it.charged.to_string())
            }),
            published: self.published.to_string(),
            tries: self.tries,
            paid: self.paid_out.to_string(),
            pay_from: self.pay_out_from.secs(),
            tried: self.tried.map(UnixTime::secs),
            unseen: self.result == AttemptResult::Unseen,
            looked: self.looked.secs(),
        })
    }

    /// Reads a row; `None` if it was not written here.
    #[must_use]
    pub fn from_row(text: &str) -> Option<Self> {
        let row: ChannelRow = message::read(text)?;
        let on_chain = match (row.finalized, row.leaving) {
            (true, _) => OnChain::Finalized,
            (false, Some(since)) => OnChain::Leaving(UnixTime::from_secs(since)),
            (false, None) => OnChain::Open,
        };
        let evidence = match (&row.accepted, &row.signature) {
            (Some(accepted), Some(signature)) => Some(HighestVoucher {
                cumulative: amount(accepted)?,
                signature: Signature::parse(signature).ok()?,
            }),
            _ => None,
        };
        let promised = match &row.promised {
            Some((nonce, promised)) => {
                Some(Promise { nonce: amount(nonce)?, amount: amount(promised)? })
            }
            None => None,
        };
        let last = match &row.last {
            Some((cumulative, request, charged)) => Some(LastSale {
                cumulative: amount(cumulative)?,
                request: hex::decode_array(request).ok()?,
                charged: amount(charged)?,
            }),
            None => None,
        };
        Some(Self {
            id: ChannelId::parse(&row.id)?,
            rule: match &row.min_delta {
                None => VoucherRule::Exact,
                Some(delta) => VoucherRule::Headroom { min_delta: amount(delta)? },
            },
            withdraw_delay_secs: row.delay,
            sight: Sight {
                deposit: amount(&row.deposit)?,
                claimed: amount(&row.claimed)?,
                on_chain,
                refund_nonce: amount(&row.nonce)?,
                at: UnixTime::from_secs(row.seen),
            },
            evidence,
            spent: amount(&row.spent)?,
            earned_since: row.since.map(UnixTime::from_secs),
            promised,
            agreement: if row.closing { Agreement::Closing } else { Agreement::Selling },
            last,
            published: amount(&row.published)?,
            tries: row.tries,
            paid_out: amount(&row.paid)?,
            pay_out_from: UnixTime::from_secs(row.pay_from),
            tried: row.tried.map(UnixTime::from_secs),
            result: if row.unseen { AttemptResult::Unseen } else { AttemptResult::Seen },
            looked: UnixTime::from_secs(row.looked),
            holds: Vec::new(),
        })
    }
}

fn amount(text: &str) -> Option<Amount> {
    Amount::from_atomic(text).ok()
}
