//! Sums of money over rows, and whether they balance. Spec: docs/operations.md, "Audit".
//!
//! The settled sum comes from the payers' signatures, counting each transaction once; the sums of
//! its uses come from the rows' states and amounts. The two sides share only the row, so that a
//! difference is meaningful.

use alloc::format;
use alloc::string::{String, ToString};

use serde::{Deserialize, Serialize};

use farebox_base::amount::Amount;
use farebox_base::encoding::message::read_struct;
use farebox_base::sorted::Sorted;

use crate::command::signed_amount;

/// Uses of settled value; together these make up `settled`.
pub const ACCOUNTS: [&str; 6] = ["delivered", "refund_due", "refunded", "waived", "manual", "open"];

/// One sum for a network, asset and route: column, then atomic units as text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// CAIP-2 network.
    pub network: String,
    /// Token address.
    pub asset: String,
    /// Route pattern.
    pub route: String,
    /// Atomic units by column; a column that is absent is zero.
    pub of: Sorted<String, String>,
}

read_struct!(Sum { network, asset, route, of });

/// The columns of a row that enter the sums.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// Name of the state.
    pub state: &'a str,
    /// Reason of the state.
    pub reason: Option<&'a str>,
    /// The settlement's transaction.
    pub transaction: Option<&'a str>,
    /// Whether another row already counts the transaction.
    pub counted: bool,
    /// Atomic units, as recorded.
    pub amount: &'a str,
    /// The body of the facilitator request.
    pub request: &'a str,
}

impl Line<'_> {
    /// Whether value is known to have moved for this row.
    fn is_settled(&self) -> bool {
        let doubted = match self.state {
            "executing" | "settling" | "unknown" | "refused" => true,
            "manual" => self.reason == Some("overdue"),
            _ => false,
        };
        self.transaction.is_some() && !doubted
    }

    /// The account of the row's amount; `None` if no value moved.
    fn account(&self) -> Option<&'static str> {
        Some(match self.state {
            "delivered" | "sold" => "delivered",
            "refund_due" => "refund_due",
            "refunded" => "refunded",
            "waived" => "waived",
            "settled" | "delivering" => "open",
            "manual" if self.is_settled() => "manual",
            "manual" | "unknown" => "doubtful",
            "executing" | "settling" | "refused" | "released" | "abandoned" | "void" | "closed" => {
                return None;
            }
            // A state of another version: the operator has to look.
            _ if self.is_settled() => "manual",
            _ => "doubtful",
        })
    }

    /// The amount that the payer signed; the recorded one if that cannot be read.
    fn signed(&self) -> Amount {
        let signed = signed_amount(self.request).and_then(|it| Amount::from_atomic(&it).ok());
        signed.unwrap_or_else(|| atomic(self.amount))
    }
}

impl Sum {
    /// Adds a row.
    pub fn add(&mut self, line: &Line<'_>) {
        if line.is_settled() && !line.counted {
            self.put("settled", line.signed());
        }
        if let Some(account) = line.account() {
            self.put(account, atomic(line.amount));
        }
    }

    /// Adds another sum of the same columns.
    pub fn merge(&mut self, other: &Self) {
        for (column, amount) in other.of.iter() {
            self.put(column, atomic(amount));
        }
    }

    /// Atomic units of one column.
    #[must_use]
    pub fn column(&self, column: &str) -> Amount {
        self.of.get(column).map_or(Amount::from_u64(0), |text| atomic(text))
    }

    fn put(&mut self, column: &str, amount: Amount) {
        // A sum of token amounts beyond 2^256 stays as it is, and so does not balance.
        let sum = self.column(column).checked_add(amount).unwrap_or_else(|| self.column(column));
        self.of.insert(column.to_string(), sum.to_string());
    }

    /// Settled value minus its uses, as text; `"0"` if all is accounted for.
    #[must_use]
    pub fn difference(&self) -> String {
        let settled = self.column("settled");
        let accounted = ACCOUNTS
            .iter()
            .try_fold(Amount::from_u64(0), |sum, account| sum.checked_add(self.column(account)));
        let Some(accounted) = accounted else {
            return "overflow".to_string();
        };
        match (settled.checked_sub(accounted), accounted.checked_sub(settled)) {
            (Some(rest), _) => rest.to_string(),
            (None, Some(rest)) => format!("-{rest}"),
            (None, None) => "overflow".to_string(),
        }
    }
}

/// Parses a row's text as an amount; malformed text counts as zero, and so does not balance.
fn atomic(text: &str) -> Amount {
    Amount::from_atomic(text).unwrap_or(Amount::from_u64(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::StateName;

    const SIGNED: &str = r#"{"paymentPayload":{"payload":{"authorization":{"value":"10000"}}}}"#;

    fn line(state: &'static str) -> Line<'static> {
        let transaction = Some("0xab");
        Line { state, reason: None, transaction, counted: false, amount: "10000", request: SIGNED }
    }

    fn difference(lines: &[Line<'_>]) -> String {
        let mut sum = Sum::default();
        for line in lines {
            sum.add(line);
        }
        sum.difference()
    }

    // I-13
    #[test]
    fn every_state_with_its_usual_columns_balances() {
        for state in StateName::ALL.iter().map(|state| state.name()) {
            let transaction = match state {
                "void" | "closed" | "released" | "abandoned" | "executing" => None,
                _ => Some("0xab"),
            };
            assert_eq!(difference(&[Line { transaction, ..line(state) }]), "0", "{state}");
        }
    }

    #[test]
    fn a_changed_row_does_not_balance() {
        let cases = [
            ("another state", Line { state: "void", ..line("delivered") }, "10000"),
            ("a smaller amount", Line { amount: "9000", ..line("delivered") }, "1000"),
            ("a larger amount", Line { amount: "19000", ..line("refund_due") }, "-9000"),
            ("no amount", Line { amount: "x", ..line("delivered") }, "10000"),
            ("no transaction", Line { transaction: None, ..line("delivered") }, "-10000"),
            ("another's transaction", Line { counted: true, ..line("delivered") }, "-10000"),
        ];
        for (what, changed, expected) in cases {
            assert_eq!(difference(&[line("delivered"), changed]), expected, "{what}");
        }
    }

    #[test]
    fn doubts_are_neither_settled_nor_owed() {
        let overdue = Line { reason: Some("overdue"), ..line("manual") };
        let mut sum = Sum::default();
        sum.add(&overdue);
        sum.add(&line("unknown"));
        assert_eq!(sum.column("settled"), Amount::from_u64(0));
        assert_eq!(sum.column("doubtful"), Amount::from_u64(20_000));
        assert_eq!(sum.difference(), "0");
    }
}
