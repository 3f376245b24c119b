//! The allowance that a payment by Permit2 needs: how much of a token its contract may move, decided
//! by a person each time.
//!
//! Spec: OKX agent payments, "Replay": an allowance that is too short is raised once, to the
//! greatest number or to an amount.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::json::Json;
use crate::client::price::{Unit, in_words};
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;
use farebox_evm::address::Address;
use farebox_evm::permit2::PERMIT2;

/// The allowance that is asked for, with its token.
#[derive(Clone, Copy, Debug)]
pub struct Allowance<'a> {
    /// The token contract.
    pub token: &'a str,
    /// Its unit, for people.
    pub unit: Unit<'a>,
    /// Atomic units that the payment moves.
    pub required: &'a str,
}

/// The word for the greatest number.
const MAX: &str = "max";
/// A greater allowance than this, atomic units, is asked for twice.
const LARGE: u64 = 1_000_000_000_000_000;
/// Selector of `approve(address,uint256)`. Spec: ERC-20.
const APPROVE: [u8; 4] = [0x09, 0x5e, 0xa7, 0xb3];

impl Allowance<'_> {
    /// The question for a person; `None` if `current` atomic units, the allowance so far, are
    /// enough. The first choice is the amount of this payment alone.
    #[must_use]
    pub fn question(self, current: &str) -> Option<Json> {
        let required = Amount::from_atomic(self.required).ok()?;
        if Amount::from_atomic(current).is_ok_and(|current| current >= required) {
            return None;
        }
        let text = format!(
            "The payment needs an allowance: may Permit2 ({PERMIT2}) move {} of yours, which is this \
             payment alone? Another amount or \"{MAX}\" can be named instead.",
            in_words(required, self.unit)
        );
        let choices = Json::List(Vec::from([required.to_string().into(), MAX.into()]));
        Some(Json::object([
            ("ask", Some("allowance".into())),
            ("choices", Some(choices)),
            ("text", Some(text.into())),
        ]))
    }

    /// The step after an answer that a person has confirmed so many times: `reject`, `confirm` or
    /// `approve`, with the transaction to send.
    ///
    /// # Examples
    /// ```
    /// use farebox_payer::{agent::approval::Allowance, client::price::Unit};
    /// let token = "0x036CbD53842c5426634e7929541eC2318f3dCF7e";
    /// let unit = Unit { symbol: "USDC", ..Unit::default() };
    /// let asked = Allowance { token, unit, required: "400" };
    /// let what = |chosen, yes| asked.next(chosen, yes).get("do").unwrap().text().unwrap().to_string();
    /// assert_eq!([what("399", 9), what("400", 0), what("400", 1)], ["reject", "confirm", "approve"]);
    /// assert_eq!([what("0", 1), what("0", 2), what("max", 1), what("max", 2)], ["confirm", "approve", "confirm", "approve"]);
    /// ```
    #[must_use]
    pub fn next(self, chosen: &str, confirmed: u32) -> Json {
        let amount = if chosen == MAX { Ok(Amount::MAX) } else { Amount::from_atomic(chosen) };
        let numbers = (Amount::from_atomic(self.required), amount, Address::parse(self.token));
        let (Ok(required), Ok(amount), Ok(token)) = numbers else {
            return told("reject", "Name an amount in atomic units, or \"max\".".to_string());
        };
        let words = match amount == Amount::MAX {
            true => "everything that you hold of the token, now and later".to_string(),
            false => in_words(amount, self.unit),
        };
        let (needed, text) = if amount.is_zero() {
            (2, "This takes the allowance back: payments by Permit2 fail from then on.".to_string())
        } else if amount < required {
            let required = in_words(required, self.unit);
            return told("reject", format!("{words} is less than the payment needs: {required}."));
        } else if amount > Amount::from_u64(LARGE) {
            (2, format!("Permit2 ({PERMIT2}) may then move {words}. That is far more than needed."))
        } else {
            (1, format!("Permit2 ({PERMIT2}) may then move {words}."))
        };
        if confirmed < needed {
            return told("confirm", text);
        }
        let data = [APPROVE.as_slice(), &PERMIT2.to_word(), &amount.to_be_bytes()].concat();
        let transaction = Json::object([
            ("to", Some(token.to_checksum().into())),
            ("data", Some(hex::encode_prefixed(&data).into())),
        ]);
        Json::object([
            ("do", Some("approve".into())),
            ("amount", Some(amount.to_string().into())),
            ("transaction", Some(transaction)),
            ("text", Some(text.into())),
        ])
    }
}

fn told(what: &str, text: String) -> Json {
    Json::object([("do", Some(what.into())), ("text", Some(text.into()))])
}
