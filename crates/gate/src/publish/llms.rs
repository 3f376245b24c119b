//! `/llms.txt`: the priced routes, their prices and how to pay, in Markdown. Spec: llmstxt.org; MPP
//! "Discovery" names the path.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Document, DocumentContext};
use crate::offer::{AssetLabel, Choice, Offer};
use farebox_base::text::Markdown;
use farebox_wire::x402::exact::DEFERRED;

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
    let about = match shop.service.description.as_str() {
        "" => "Each request is paid for individually, without an account.",
        about => about,
    };
    let sales = shop.listing.items.iter().flat_map(|item| {
        item.sales.iter().filter_map(|(methods, place)| {
            let offer = shop.routes.offer(*place)?;
            Some(sale(offer, &format!("{} {}{}", methods.join(","), shop.base, item.path)))
        })
    });
    let sold = || shop.routes.sold();
    let only =
        |is_sold: bool, text: &'static str| Markdown::literal(if is_sold { text } else { "" });
    Markdown::fill(
        "# {}\n\n> {}\n\n## What is sold\n\n{}\n{}{}{}{}{}",
        [
            line(shop.title()),
            line(about),
            Markdown::join(sales, ""),
            Markdown::literal(HOW_TO_PAY),
            only(sold().any(|offer| offer.settings.protocols.x402), BY_X402),
            only(sold().any(|offer| offer.settings.protocols.mpp), BY_MPP),
            Markdown::literal(AFTERWARDS),
            documents(shop),
        ],
    )
    .into_string()
}

/// The lines of one priced request: methods and address, then each way to pay.
fn sale(offer: &Offer, request: &str) -> Markdown {
    let protocols = offer.settings.protocols.names().collect::<Vec<_>>().join(", ");
    let about = match offer.settings.description.as_str() {
        "" => Markdown::literal(""),
        about => Markdown::fill(": {}", [line(about)]),
    };
    let is_shown = |choice: &&Choice| choice.requirements.scheme() != DEFERRED;
    let ways = offer.choices.iter().filter(is_shown).map(|choice| way(offer, choice));
    let free = offer.settings.free_per_day.map_or(Markdown::literal(""), |count| {
        Markdown::fill("  - {} a day are free\n", [Markdown::of(&count.to_string())])
    });
    Markdown::fill(
        "- {} ({}){}\n{}{}",
        [Markdown::code(request), Markdown::of(&protocols), about, Markdown::join(ways, ""), free],
    )
}

/// The list of other documents, if any is published.
fn documents(shop: &DocumentContext<'_>) -> Markdown {
    let documents = [
        (Document::OpenApi, "every operation with its price"),
        (Document::WellKnown, "every resource with its x402 terms"),
    ];
    let listed = documents.into_iter().filter(|(document, _)| shop.publish.has(*document));
    let listed = listed.map(|(document, what)| {
        let path = document.path();
        let address = format!("{}{path}", shop.base);
        let parts = [Markdown::of(path), Markdown::of(&address), Markdown::literal(what)];
        Markdown::fill("- [{}](<{}>): {}\n", parts)
    });
    let listed = Markdown::join(listed, "");
    if listed.is_empty() { listed } else { Markdown::fill("\n## Documents\n\n{}", [listed]) }
}

/// A line for one way to pay.
fn way(offer: &Offer, choice: &Choice) -> Markdown {
    let AssetLabel { symbol, decimals } = &choice.asset_label;
    let terms = &choice.terms;
    let max_amount = Markdown::of(&terms.amount.to_decimal(*decimals));
    let symbol = line(symbol);
    let atomic = Markdown::of(&terms.amount.to_string());
    let (price, units) = if let Some(pricer) = &offer.pricer {
        let least = pricer.min_amount.as_ref().and_then(|amounts| amounts.first().copied());
        let least = least.map_or(Markdown::literal("at most "), |amount| {
            Markdown::fill("{} to ", [Markdown::of(&amount.to_decimal(*decimals))])
        });
        let parts = [least, max_amount, symbol];
        (Markdown::fill("{}{} {}, set for each request", parts), Markdown::literal("units"))
    } else if let Some(unit) = terms.unit {
        let parts = [Markdown::of(&unit.to_decimal(*decimals)), symbol.clone(), max_amount, symbol];
        (Markdown::fill("{} {} for a unit that is served, at most {} {}", parts), atomic)
    } else {
        (Markdown::fill("{} {}", [max_amount, symbol]), atomic)
    };
    let payee = match offer.names_payees() {
        true => Markdown::literal("a payee named for each request"),
        false => Markdown::code(&terms.pay_to.to_string()),
    };
    let (asset, network) = (terms.asset.to_string(), terms.network.to_string());
    Markdown::fill(
        "  - {}: {} of {} on {} to {}\n",
        [price, units, Markdown::code(&asset), Markdown::code(&network), payee],
    )
}

/// Text on one line, with single spaces.
fn line(text: &str) -> Markdown {
    let words = text.split(|c: char| c.is_control() || c.is_whitespace());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    Markdown::of(&words.join(" "))
}
