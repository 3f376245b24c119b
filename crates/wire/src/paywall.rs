//! The page of a 402, a pure function of the offer. It is whole without a script; where the files of
//! the pages are beside the gate, its script lets a person pay in place.

use alloc::format;
use alloc::string::String;

use farebox_base::chain::ChainId;
use farebox_base::encoding::json;
use farebox_base::page::{ICON, STYLE};
use farebox_base::text::Html;
use serde::Serialize;

use crate::x402::exact::UPTO;
use crate::x402::mints::is_dollar;
use crate::x402::v2::PaymentRequirements;

/// Content of the page.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The requested URL.
    pub url: &'a str,
    /// Description of the route.
    pub description: &'a str,
    /// The seller's name; may be empty.
    pub seller: &'a str,
    /// The ways to pay.
    pub ways: &'a [Way<'a>],
    /// Whether a person can pay in it: the files are there, and the request can be repeated.
    pub is_payable: bool,
    /// Whether the answer has terms of x402.
    pub x402: bool,
    /// Whether the answer has a challenge of MPP.
    pub mpp: bool,
}

/// One way to pay.
#[derive(Clone, Copy, Debug)]
pub struct Way<'a> {
    /// Its terms.
    pub terms: &'a PaymentRequirements,
    /// Price in units of the asset, decimal text.
    pub price: &'a str,
    /// Symbol of the asset.
    pub asset: &'a str,
    /// Decimals of the asset.
    pub decimals: u8,
    /// Network.
    pub network: &'a ChainId,
    /// The terms of a deposit that pays for many such requests, if it is sold so too.
    pub session: Option<&'a PaymentRequirements>,
}

/// Policy of the page without a script: it loads and runs nothing. Its icon is in it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Policy of the page that pays: scripts, styles and requests of its own origin. Wallets give
/// their pictures as `data:`; what was paid for is shown as `blob:`.
const PAYING_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; img-src data: blob:; media-src blob:; \
    frame-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// `Content-Security-Policy` of the page.
#[must_use]
pub const fn content_security_policy(is_payable: bool) -> &'static str {
    if is_payable { PAYING_POLICY } else { POLICY }
}

/// Writes the page.
#[must_use]
pub fn html(page: &Page<'_>) -> String {
    let about = match page.description {
        "" => Html::literal("This resource has a price."),
        about => Html::of(about),
    };
    let ways = Html::join(page.ways.iter().map(describe), "");
    let (head, section) = if page.is_payable { paying(page) } else { plain() };
    let seller = match page.seller {
        "" => Html::literal(""),
        seller => Html::fill("<p class=\"quiet\">{}</p>\n", [Html::of(seller)]),
    };
    Html::fill(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>Payment required</title>\n{}\n{}</head>\n<body>\n\
         <main>\n{}<h1>Payment required</h1>\n<p>{}</p>\n<dl>\n{}<dt>Resource</dt><dd><code>{}</code></dd>\n</dl>\n{}</main>\n\
         <footer><p>Programs can pay automatically: the terms are in {}.</p></footer>\n</body>\n</html>\n",
        [Html::literal(ICON), head, seller, about, ways, Html::of(page.url), section, places(page)],
    )
    .into_string()
}

/// The places of the terms for programs, by protocol.
fn places(page: &Page<'_>) -> Html {
    let x402 = "the <code>PAYMENT-REQUIRED</code> header (x402 version 2) and, if JSON is requested, in the body (version 1)";
    let mpp = "the <code>WWW-Authenticate</code> header (MPP)";
    let spoken = [(page.x402, x402), (page.mpp, mpp)];
    let spoken = spoken.into_iter().filter(|(speaks, _)| *speaks);
    Html::join(spoken.map(|(_, place)| Html::literal(place)), ", or in ")
}

/// A way to pay for people: money first.
fn describe(way: &Way<'_>) -> Html {
    let money = match is_dollar(way.asset) {
        true => Html::fill("${} in {}", [Html::of(way.price), Html::of(way.asset)]),
        false => Html::fill("{} {}", [Html::of(way.price), Html::of(way.asset)]),
    };
    let bound = match way.terms.scheme() {
        UPTO => Html::literal("up to "),
        _ => Html::literal(""),
    };
    let test = match way.network.is_main_network() {
        true => Html::literal(""),
        false => Html::literal(" <strong>test money</strong>"),
    };
    Html::fill(
        "<dt>Price</dt><dd>{}<strong>{}</strong> <span class=\"quiet\">{} atomic units</span></dd>\n\
         <dt>Network</dt><dd>{}{} <span class=\"quiet\">{}</span></dd>\n<dt>Paid to</dt><dd><code>{}</code></dd>\n",
        [
            bound,
            money,
            Html::of(way.terms.amount()),
            Html::of(way.network.title()),
            test,
            Html::of(way.network.as_str()),
            Html::of(way.terms.pay_to()),
        ],
    )
}

/// The style by itself: a page without files of its own.
fn plain() -> (Html, Html) {
    (Html::fill("<style>{}</style>\n", [Html::literal(STYLE)]), Html::literal(""))
}

/// The files of the page, and the part that its script fills.
fn paying(page: &Page<'_>) -> (Html, Html) {
    let head = Html::literal(
        "<link rel=\"stylesheet\" href=\"/_farebox/style.css\">\n<link rel=\"stylesheet\" href=\"/_farebox/pay/pay.css\">\n\
         <script type=\"module\" src=\"/_farebox/pay/pay.js\"></script>\n",
    );
    let ways = page.ways.iter().map(|way| json::text(&Told::of(way)));
    let ways = ways.collect::<alloc::vec::Vec<_>>().join(",");
    let section = Html::fill(
        "<noscript><p class=\"note\">Paying in this page needs its script.</p></noscript>\n\
         <section id=\"pay\" aria-labelledby=\"pay-title\" hidden><h2 id=\"pay-title\">Pay here</h2></section>\n\
         <script type=\"application/json\" id=\"ways\">{}</script>\n",
        [Html::data(&format!("[{ways}]"))],
    );
    (head, section)
}

/// A way to pay, for the page's script.
#[derive(Serialize)]
struct Told<'a> {
    terms: &'a PaymentRequirements,
    price: &'a str,
    symbol: &'a str,
    decimals: u8,
    title: &'a str,
    test: bool,
    explorer: &'a str,
    node: &'a str,
    coin: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a PaymentRequirements>,
}

impl<'a> Told<'a> {
    fn of(way: &Way<'a>) -> Self {
        let info = way.network.info();
        Self {
            terms: way.terms,
            price: way.price,
            symbol: way.asset,
            decimals: way.decimals,
            title: way.network.title(),
            test: !way.network.is_main_network(),
            explorer: info.map_or("", |info| info.explorer),
            node: info.map_or("", |info| info.node),
            coin: info.map_or("", |info| info.coin),
            session: way.session,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use farebox_base::amount::Amount;
    use farebox_common::payment::Terms;
    use serde_json::Map;

    use super::*;
    use crate::x402::v2::Flow;

    /// A page whose every text is this one.
    fn page(text: &str, is_payable: bool) -> String {
        let network = ChainId::parse("eip155:84532").unwrap();
        let terms = Terms {
            network: network.clone(),
            asset: text.to_string(),
            pay_to: text.to_string(),
            amount: Amount::from(10_000u64),
            unit: None,
            max_timeout_secs: 60,
            extra: Map::new(),
            token: None,
        };
        let terms = PaymentRequirements::new(&terms, Flow::Authorization);
        let session = Some(&terms).filter(|_| is_payable);
        let way = Way {
            terms: &terms,
            price: text,
            asset: text,
            decimals: 6,
            network: &network,
            session,
        };
        let ways = [way, way];
        let [x402, mpp] = [true; 2];
        html(&Page {
            url: text,
            description: text,
            seller: text,
            ways: &ways,
            is_payable,
            x402,
            mpp,
        })
    }

    //
    #[test]
    fn no_text_of_a_page_becomes_markup() {
        for payload in [
            "<script>alert(1)</script>",
            "\"><img src=x onerror=alert(1)>",
            "' onmouseover='alert(1)",
            "</title><svg/onload=alert(1)>",
            "`<b>`",
            "</script><script>alert(1)</script>",
        ] {
            let (evil, harmless) = (page(payload, false), page("x", false));
            for c in ["<", ">", "\"", "'", "`"] {
                assert_eq!(
                    evil.matches(c).count(),
                    harmless.matches(c).count(),
                    "{c} in {payload}"
                );
            }
            // Where there are data for the script, they are text that cannot end their element.
            let evil = page(payload, true);
            assert_eq!(
                evil.matches('<').count(),
                page("x", true).matches('<').count(),
                "{payload}"
            );
        }
    }

    #[test]
    fn programs_read_of_the_headers_that_are_there() {
        for (x402, mpp) in [(true, true), (true, false), (false, true)] {
            let [url, description, seller] = [""; 3];
            let page = Page { url, description, seller, ways: &[], is_payable: false, x402, mpp };
            let text = html(&page);
            assert_eq!(text.contains("PAYMENT-REQUIRED"), x402, "{text}");
            assert_eq!(text.contains("WWW-Authenticate"), mpp, "{text}");
        }
    }

    #[test]
    fn people_read_money_first_and_the_name_of_the_network() {
        let text = page("USDC", true);
        for part in [
            "<strong>$USDC in USDC</strong> <span class=\"quiet\">10000 atomic units</span>",
            "Base Sepolia <strong>test money</strong>",
            "\"explorer\":\"https://sepolia.basescan.org\"",
            "src=\"/_farebox/pay/pay.js\"",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!page("USDC", false).contains("<script"));
        // Without one a browser asks the seller's server for it, where all paths may have a price.
        for is_payable in [true, false] {
            assert!(page("USDC", is_payable).contains("<link rel=\"icon\""));
            assert!(content_security_policy(is_payable).contains("img-src data:"));
        }
    }
}
