//! `/llms.txt`: the priced routes, their prices and how to pay, in Markdown. Spec: llmstxt.org; MPP
//! "Discovery" names the path.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Document, DocumentContext};
use crate::gate::offer::{Choice, Offer};
use crate::x402::exact::DEFERRED;

const HOW_TO_PAY: &str = "\
## How to pay

Send the request without a payment: the answer is 402 with the price of this request. The 402 is binding, not this list.

";
const BY_X402: &str = "\
- x402, version 2: the `PAYMENT-REQUIRED` header is base64 of JSON with the terms in `accepts`. Sign one of them, send the request again with
  `PAYMENT-SIGNATURE`, and read `PAYMENT-RESPONSE`. Version 1: the terms are in the JSON body, send the payment in `X-PAYMENT`.
";
const BY_MPP: &str = "\
- mpp, on EVM networks: `WWW-Authenticate: Payment` is a challenge of method `evm` and intent `charge`. Sign it, send the request again with
  `Authorization: Payment`, and read `Payment-Receipt`. `Accept-Payment: evm/charge` asks for a challenge for each network.
";
const AFTERWARDS: &str = "
No account is needed. After 409 `payment_in_progress` and after every 503 send the same payment again; do not sign a new one.
";

/// Writes the document.
pub(super) fn write(shop: &DocumentContext<'_>) -> String {
    let mut text = format!("# {}\n\n", line(shop.title()));
    let about = match shop.service.description.as_str() {
        "" => "Each request is paid for individually, without an account.",
        about => about,
    };
    text.push_str(&format!("> {}\n\n## What is sold\n\n", line(about)));
    for item in &shop.listing.items {
        for (methods, place) in &item.sales {
            let Some(offer) = shop.offers.get(*place).and_then(Option::as_ref) else { continue };
            let protocols = offer.settings.protocols.names().collect::<Vec<_>>().join(", ");
            let methods = methods.join(",");
            text.push_str(&format!("- `{methods} {}{}` ({protocols})", shop.base, item.path));
            if !offer.settings.description.is_empty() {
                text.push_str(&format!(": {}", line(&offer.settings.description)));
            }
            text.push('\n');
            let shown = |choice: &&Choice| choice.requirements.scheme() != DEFERRED;
            for choice in offer.choices.iter().filter(shown) {
                text.push_str(&way(offer, choice));
            }
            if let Some(count) = offer.settings.free_per_day {
                text.push_str(&format!("  - {count} a day are free\n"));
            }
        }
    }
    text.push('\n');
    text.push_str(HOW_TO_PAY);
    let sold = || shop.offers.iter().flatten();
    if sold().any(|offer| offer.settings.protocols.x402) {
        text.push_str(BY_X402);
    }
    if sold().any(|offer| offer.settings.protocols.mpp) {
        text.push_str(BY_MPP);
    }
    text.push_str(AFTERWARDS);
    let documents = [
        (Document::OpenApi, "every operation with its price"),
        (Document::WellKnown, "every resource with its x402 terms"),
    ];
    let listed: Vec<String> = documents
        .into_iter()
        .filter(|(document, _)| shop.publish.has(*document))
        .map(|(document, what)| {
            let path = document.path();
            format!("- [{path}]({}{path}): {what}\n", shop.base)
        })
        .collect();
    if !listed.is_empty() {
        text.push_str("\n## Documents\n\n");
        text.push_str(&listed.concat());
    }
    text
}

/// A line for one way to pay.
fn way(offer: &Offer, choice: &Choice) -> String {
    let (symbol, decimals) = &choice.asset_label;
    let terms = &choice.terms;
    let max_amount = terms.amount.to_decimal(*decimals);
    let symbol = line(symbol);
    let (price, units) = if offer.pricer.is_some() {
        let min_amount =
            offer.pricer.as_ref().and_then(|pricer| pricer.min_amount.as_ref()?.first().copied());
        let min_amount =
            min_amount.map(|min_amount| format!("{} to ", min_amount.to_decimal(*decimals)));
        let bounds =
            format!("{}{max_amount} {symbol}", min_amount.as_deref().unwrap_or("at most "));
        (format!("{bounds}, set for each request"), "units".to_string())
    } else if let Some(unit) = terms.unit {
        let unit = unit.to_decimal(*decimals);
        let price =
            format!("{unit} {symbol} for a unit that is served, at most {max_amount} {symbol}");
        (price, terms.amount.to_string())
    } else {
        (format!("{max_amount} {symbol}"), terms.amount.to_string())
    };
    let (asset, network) = (&terms.asset, &terms.network);
    let payee = match offer.names_payees() {
        true => "a payee named for each request".to_string(),
        false => format!("`{}`", terms.pay_to),
    };
    format!("  - {price}: {units} of `{asset}` on `{network}` to {payee}\n")
}

/// A text on one line.
fn line(text: &str) -> String {
    text.split(|c: char| c.is_control() || c.is_whitespace())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}
