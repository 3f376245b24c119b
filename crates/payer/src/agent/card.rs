//! The view that a person gets before a payment: one card, and a list only if they ask for it.
//!
//! The words are ours; of a merchant there are identifiers, addresses and digits alone. No scheme
//! and no header is named outside of the list. Spec: OKX agent payments, "Candidate ranking".

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::json::Json;
use super::pool::{Choice, Kind, Pool, network_name};
use super::ranking::{Ranking, Wallet};
use super::text::bounded;
use farebox_base::text::single_line;

/// Maximum characters of a brand.
const MAX_BRAND: usize = 60;
/// Maximum characters of a parameter that is shown.
const MAX_PARAM: usize = 200;
/// The name on cards without another.
pub const BRAND: &str = "Farebox";

/// The content of a card.
#[derive(Clone, Debug)]
pub struct Card {
    kind: &'static str,
    brand: String,
    lines: Vec<(&'static str, String)>,
    rows: Vec<String>,
    note: Option<String>,
    question: String,
    answers: &'static [&'static str],
    index: Option<usize>,
}

impl Card {
    /// The card of the recommended way, or of the only one.
    #[must_use]
    pub fn first(brand: &str, pool: &Pool, ranking: &Ranking, params: &Json) -> Option<Self> {
        let choice = pool.choice(ranking.recommended?)?;
        let others = ranking.order.len().saturating_sub(1);
        if others == 0 {
            return Some(Self::confirmation(brand, choice, params));
        }
        let plural = if others == 1 { "method" } else { "methods" };
        Some(Self {
            kind: "recommendation",
            lines: lines(choice, &Json::Null),
            rows: Vec::new(),
            note: Some(format!("{others} other {plural} available.")),
            question: "Pay with this method? (yes / show others / no)".to_string(),
            answers: &["yes", "show_others", "no"],
            brand: named(brand),
            index: Some(choice.index),
        })
    }

    /// The card of a way that was picked, or of the only one.
    #[must_use]
    pub fn confirmation(brand: &str, choice: &Choice, params: &Json) -> Self {
        Self {
            kind: "confirmation",
            brand: named(brand),
            lines: lines(choice, params),
            rows: Vec::new(),
            note: None,
            question: "Pay? (yes / no)".to_string(),
            answers: &["yes", "no"],
            index: Some(choice.index),
        }
    }

    /// All ways, with what keeps each from being paid; picked by number.
    #[must_use]
    pub fn list(brand: &str, pool: &Pool, ranking: &Ranking, wallet: &Wallet) -> Self {
        let rows = ranking.order.iter().filter_map(|index| pool.choice(*index));
        let row = |choice: &Choice| {
            let Choice { index, scheme, network, asset, .. } = choice;
            let (name, amount) = (network_name(network), choice.amount_text());
            let symbol = choice.unit.as_ref().map(|(symbol, _)| format!("{symbol} "));
            let symbol = symbol.unwrap_or_default();
            let lacks = match (wallet.signs(choice), wallet.affords(choice)) {
                (false, _) => " [cannot be signed here]",
                (true, Some(false)) => " [balance too low]",
                (true, Some(true) | None) => "",
            };
            format!(
                "{index}. scheme={scheme}, network={name} ({network}), token={symbol}({asset}), amount={amount}{lacks}"
            )
        };
        Self {
            kind: "list",
            brand: named(brand),
            lines: Vec::new(),
            rows: rows.map(row).collect(),
            note: None,
            question: "Which one? (its number / no)".to_string(),
            answers: &["number", "no"],
            index: None,
        }
    }

    /// As it is shown: its parts, and one text of them.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let line = |(label, value): &(&str, String)| {
            Json::object([("label", Some((*label).into())), ("value", Some(value.as_str().into()))])
        };
        let texts =
            |list: &[String]| Json::List(list.iter().map(|it| it.as_str().into()).collect());
        let index = self.index.and_then(|it| u64::try_from(it).ok()).map(Json::number);
        Json::object([
            ("kind", Some(self.kind.into())),
            ("brand", Some(self.brand.as_str().into())),
            ("selectedIndex", index),
            ("lines", Some(Json::List(self.lines.iter().map(line).collect()))),
            ("rows", (!self.rows.is_empty()).then(|| texts(&self.rows))),
            ("note", self.note.as_deref().map(Json::from)),
            ("question", Some(self.question.as_str().into())),
            ("answers", Some(Json::List(self.answers.iter().map(|it| (*it).into()).collect()))),
            ("text", Some(self.text().into())),
        ])
    }

    fn text(&self) -> String {
        let mut text = format!("**{}**\n\n", self.brand);
        for (label, value) in &self.lines {
            text.push_str(&format!("- {label}: {value}\n"));
        }
        for row in &self.rows {
            text.push_str(row);
            text.push('\n');
        }
        text.push('\n');
        if let Some(note) = &self.note {
            text.push_str(note);
            text.push('\n');
        }
        text.push_str(&self.question);
        text
    }
}

/// The lines of a card about a way to pay, and about the request's parameters.
fn lines(choice: &Choice, params: &Json) -> Vec<(&'static str, String)> {
    let Choice { network, asset, payee, .. } = choice;
    let token = match &choice.unit {
        Some((symbol, _)) => format!("`{symbol}` (`{asset}`)"),
        None => format!("`{asset}`"),
    };
    let mut lines = Vec::new();
    match choice.kind {
        Kind::Accepts => {}
        Kind::Charge => lines.push(("Payment type", "one-shot payment".to_string())),
        Kind::Session => lines.push(("Payment type", "session (multiple requests)".to_string())),
    }
    lines.push(("Network", format!("`{}` (`{network}`)", network_name(network))));
    lines.push(("Token", token));
    let label = if choice.kind == Kind::Accepts { "Amount" } else { "Amount per request" };
    lines.push((label, format!("`{}`", choice.amount_text())));
    lines.push(("Pay to", format!("`{payee}`")));
    if let Some(terms) = &choice.charge {
        let payer = if terms.server_pays_gas { "the seller" } else { "you" };
        lines.push(("Who pays gas", payer.to_string()));
        if terms.splits > 0 {
            let parties = if terms.splits == 1 { "party" } else { "parties" };
            lines.push(("Split recipients", format!("{} other {parties}", terms.splits)));
        }
        if let Some(deposit) = &terms.suggested_deposit {
            lines.push(("Suggested prepaid balance", format!("`{}`", choice.words(deposit))));
        }
    }
    for (name, value) in params.members() {
        let value = value.text().map_or_else(|| value.to_string(), ToString::to_string);
        lines.push(("Parameter", format!("{} = {}", param(name), param(&value))));
    }
    lines
}

/// A name or value that will be sent, as far as a card has room, with a word on what it leaves out.
fn param(text: &str) -> String {
    let shown = format!("`{}`", bounded(text, MAX_PARAM).replace('`', "'"));
    let all = text.chars().count();
    let seen = single_line(text).count();
    let cut = if seen > MAX_PARAM {
        format!(" (the first {MAX_PARAM} of {all} characters)")
    } else {
        String::new()
    };
    match all.saturating_sub(seen) {
        0 => format!("{shown}{cut}"),
        1 => format!("{shown}{cut} (and 1 that cannot be seen)"),
        hidden => format!("{shown}{cut} (and {hidden} that cannot be seen)"),
    }
}

/// The brand on one visible line, without marks of its own.
fn named(brand: &str) -> String {
    let brand = bounded(&brand.replace(['*', '`', '_'], ""), MAX_BRAND);
    if brand.is_empty() { BRAND.to_string() } else { brand }
}
