//! A channel as text: what is kept of it, all but the holds.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::config::ChannelId;
use super::messages::read_mark;
use super::state::bearer::REST_SECS;
use super::state::firm::{FirmDeposit, LowerDeposit};
use super::state::{
    Agreement, AttemptResult, Channel, LastSale, ListNotice, OnChain, Promise, Sight, VoucherRule,
};
use super::voucher::HighestVoucher;
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;
use farebox_base::time::UnixTime;
use farebox_evm::signature::Signature;

/// The first line of a row: another version of the program wrote others.
const VERSION: &str = "1";

impl Channel {
    /// The row: one line for each fact, in a fixed order; amounts are decimal text, times seconds,
    /// and what there is not is an empty line.
    #[must_use]
    pub fn to_row(&self) -> String {
        let sight = &self.sight;
        let amount = |it: Option<Amount>| it.map(|it| it.to_string()).unwrap_or_default();
        let time = |it: Option<UnixTime>| it.map(|it| it.secs().to_string()).unwrap_or_default();
        let mark = |is_set: bool| if is_set { "1" } else { "" }.to_string();
        let evidence = self.evidence;
        let signature = |it: Option<HighestVoucher>| {
            it.map(|it| hex::encode(&it.signature.to_bytes())).unwrap_or_default()
        };
        let firm = &self.firm;
        [
            VERSION.to_string(),
            self.id.to_string(),
            amount(match self.rule {
                VoucherRule::Exact => None,
                VoucherRule::Headroom { min_delta } => Some(min_delta),
            }),
            self.withdraw_delay_secs.to_string(),
            sight.deposit.to_string(),
            sight.claimed.to_string(),
            time(match sight.on_chain {
                OnChain::Leaving(since) => Some(since),
                OnChain::Open | OnChain::Finalized => None,
            }),
            mark(sight.on_chain == OnChain::Finalized),
            sight.refund_nonce.to_string(),
            time(Some(sight.at)),
            amount(evidence.map(|it| it.cumulative)),
            signature(evidence),
            self.spent.to_string(),
            time(self.earned_since),
            amount(self.promised.map(|it| it.nonce)),
            amount(self.promised.map(|it| it.amount)),
            mark(self.agreement == Agreement::Closing),
            amount(self.last.map(|it| it.cumulative)),
            self.last.map(|it| hex::encode(&it.request)).unwrap_or_default(),
            amount(self.last.map(|it| it.charged)),
            self.published.to_string(),
            self.tries.to_string(),
            time(match self.listing {
                ListNotice::Due(at) => Some(at),
                ListNotice::Done => None,
            }),
            self.paid_out.to_string(),
            time(Some(self.pay_out_from)),
            time(self.tried),
            mark(self.result == AttemptResult::Unseen),
            time(Some(self.looked)),
            amount(self.refunded.map(|(it, _)| it.nonce)),
            amount(self.refunded.map(|(it, _)| it.amount)),
            amount(self.refunded.map(|(_, spent)| spent)),
            self.paid_back.to_string(),
            self.turn.to_string(),
            firm.deposit.to_string(),
            amount(firm.voucher.map(|it| it.cumulative)),
            signature(firm.voucher),
            amount(firm.rising.map(|(least, _)| least)),
            time(firm.rising.map(|(_, since)| since)),
            time(Some(self.rested)),
            time(Some(self.opened)),
            time(Some(self.sold)),
            self.pay_out_tries.to_string(),
            self.own.to_string(),
            write_lower(&firm.lower),
            mark(self.may_leave),
            amount(self.sent.map(|(_, charged)| charged)),
            amount(self.sent.map(|(voucher, _)| voucher.cumulative)),
            signature(self.sent.map(|(voucher, _)| voucher)),
            self.last
                .and_then(|it| it.mark)
                .map(|mark| hex::encode_prefixed(&mark))
                .unwrap_or_default(),
        ]
        .join("\n")
    }

    /// Reads a row; `None` if it was not written here.
    #[must_use]
    pub fn from_row(text: &str) -> Option<Self> {
        let mut lines = Lines(text.split('\n'));
        if lines.text()? != VERSION {
            return None;
        }
        let id = ChannelId::parse(lines.text()?)?;
        let rule = match lines.amount()? {
            None => VoucherRule::Exact,
            Some(min_delta) => VoucherRule::Headroom { min_delta },
        };
        let withdraw_delay_secs = lines.time()??.secs();
        let sight = lines.sight()?;
        let evidence = lines.voucher()?;
        let mut channel = Self {
            id,
            rule,
            withdraw_delay_secs,
            sight,
            evidence,
            spent: lines.amount()??,
            earned_since: lines.time()?,
            promised: lines.promise()?,
            agreement: match lines.text()? {
                "" => Agreement::Selling,
                _ => Agreement::Closing,
            },
            last: lines.last_sale()?,
            published: lines.amount()??,
            sent: None,
            tries: lines.time()??.secs(),
            listing: lines.time()?.map_or(ListNotice::Done, ListNotice::Due),
            paid_out: lines.amount()??,
            pay_out_from: lines.time()??,
            tried: lines.time()?,
            result: match lines.text()? {
                "" => AttemptResult::Seen,
                _ => AttemptResult::Unseen,
            },
            looked: lines.time()??,
            refunded: lines.promise()?.zip(lines.amount()?),
            paid_back: lines.amount()??,
            turn: lines.time()??.secs(),
            holds: Vec::new(),
            firm: lines.firm(&sight, evidence)?,
            rested: match lines.time() {
                Some(rested) => rested?,
                // A row of an earlier version.
                None => sight.at.plus(REST_SECS),
            },
            // Rows of earlier versions do not say it.
            opened: lines.time().flatten().unwrap_or(UnixTime::from_secs(0)),
            closed_before: UnixTime::from_secs(0),
            sold: lines.time().flatten().unwrap_or(sight.at),
            pay_out_tries: lines.time().flatten().map_or(0, UnixTime::secs),
            own: lines.amount().flatten().unwrap_or(Amount::ZERO),
            may_leave: matches!(sight.on_chain, OnChain::Leaving(_)),
        };
        channel.read_newest(&mut lines)?;
        Some(channel)
    }

    /// Reads the lines that were added last: rows of earlier versions do not have them.
    fn read_newest(&mut self, lines: &mut Lines<'_>) -> Option<()> {
        self.firm.lower = lines.text().map_or(Some(Vec::new()), read_lower)?;
        self.may_leave |= lines.text().is_some_and(|mark| !mark.is_empty());
        let charged = lines.amount().flatten();
        self.sent = lines.voucher().flatten().zip(charged);
        let mark = lines.text().and_then(read_mark);
        self.last = self.last.map(|last| LastSale { mark, ..last });
        Some(())
    }
}

/// Deposits with the highest voucher within each, in one line.
fn write_lower(lower: &[LowerDeposit]) -> String {
    let text = |it: &LowerDeposit| match it.voucher {
        Some(HighestVoucher { cumulative, signature }) => {
            let signature = hex::encode(&signature.to_bytes());
            [it.deposit.to_string(), cumulative.to_string(), signature].join("/")
        }
        None => it.deposit.to_string(),
    };
    lower.iter().map(text).collect::<Vec<_>>().join(" ")
}

fn read_lower(line: &str) -> Option<Vec<LowerDeposit>> {
    let read = |text: &str| {
        let mut parts = text.split('/');
        let deposit = Amount::from_atomic(parts.next()?).ok()?;
        let voucher = match (parts.next(), parts.next()) {
            (Some(cumulative), Some(signature)) => Some(HighestVoucher {
                cumulative: Amount::from_atomic(cumulative).ok()?,
                signature: Signature::parse(&["0x", signature].concat()).ok()?,
            }),
            _ => None,
        };
        Some(LowerDeposit { deposit, voucher })
    };
    line.split(' ').filter(|text| !text.is_empty()).map(read).collect()
}

/// The lines of a row that are not read yet. The outer option is none if a line is missing or wrong,
/// the inner one if it is empty.
struct Lines<'a>(core::str::Split<'a, char>);

impl<'a> Lines<'a> {
    fn text(&mut self) -> Option<&'a str> {
        self.0.next()
    }

    fn amount(&mut self) -> Option<Option<Amount>> {
        match self.text()? {
            "" => Some(None),
            text => Some(Some(Amount::from_atomic(text).ok()?)),
        }
    }

    fn voucher(&mut self) -> Option<Option<HighestVoucher>> {
        Some(match (self.amount()?, self.text()?) {
            (Some(cumulative), signature) => {
                let signature = Signature::parse(&["0x", signature].concat()).ok()?;
                Some(HighestVoucher { cumulative, signature })
            }
            (None, _) => None,
        })
    }

    fn time(&mut self) -> Option<Option<UnixTime>> {
        match self.text()? {
            "" => Some(None),
            text => Some(Some(UnixTime::from_secs(text.parse().ok()?))),
        }
    }

    /// The view of the chain.
    fn sight(&mut self) -> Option<Sight> {
        let (deposit, claimed) = (self.amount()??, self.amount()??);
        let on_chain = match (self.time()?, self.text()?) {
            (Some(since), _) => OnChain::Leaving(since),
            (None, "") => OnChain::Open,
            (None, _) => OnChain::Finalized,
        };
        let (refund_nonce, at) = (self.amount()??, self.time()??);
        Some(Sight { deposit, claimed, on_chain, refund_nonce, at })
    }

    fn promise(&mut self) -> Option<Option<Promise>> {
        let (nonce, amount) = (self.amount()?, self.amount()?);
        Some(nonce.zip(amount).map(|(nonce, amount)| Promise { nonce, amount }))
    }

    /// The last sale; its mark is one of the newest lines.
    fn last_sale(&mut self) -> Option<Option<LastSale>> {
        Some(match (self.amount()?, self.text()?, self.amount()?) {
            (Some(cumulative), request, Some(charged)) => {
                let request = hex::decode_array(&["0x", request].concat()).ok()?;
                Some(LastSale { cumulative, request, charged, mark: None })
            }
            _ => None,
        })
    }

    /// The deposit that is firm; rows of earlier versions do not have it.
    fn firm(&mut self, sight: &Sight, evidence: Option<HighestVoucher>) -> Option<FirmDeposit> {
        let Some(deposit) = self.amount() else {
            return Some(FirmDeposit::new(sight.deposit, evidence));
        };
        let (deposit, voucher) = (deposit?, self.voucher()?);
        let rising = self.amount()?.zip(self.time()?);
        Some(FirmDeposit { deposit, voucher, rising, lower: Vec::new() })
    }
}
