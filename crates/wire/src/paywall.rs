//! The page of a 402, a pure function of the offer, without a script.

use alloc::string::String;

use farebox_base::text::Html;

/// Content of the page.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The requested URL.
    pub url: &'a str,
    /// Description of the route.
    pub description: &'a str,
    /// The ways to pay.
    pub ways: &'a [Way<'a>],
}

/// One way to pay.
#[derive(Clone, Copy, Debug)]
pub struct Way<'a> {
    /// Price in units of the asset, decimal text.
    pub price: &'a str,
    /// Name of the asset.
    pub asset: &'a str,
    /// Network.
    pub network: &'a str,
    /// Recipient.
    pub pay_to: &'a str,
}

/// Policy of the page: it loads and runs nothing.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Writes the page.
///
/// # Examples
/// ```
/// use farebox_wire::paywall::{Page, Way, html};
/// let way = Way { price: "0.01", asset: "USDC", network: "base", pay_to: "0x2096…287C" };
/// let page = html(&Page { url: "https://a.example/?<b>", description: "A report", ways: &[way] });
/// assert!(page.contains("<dt>Price</dt><dd>0.01</dd>"));
/// assert!(page.contains("https://a.example/?&lt;b&gt;"));
/// ```
#[must_use]
pub fn html(page: &Page<'_>) -> String {
    let about = match page.description {
        "" => Html::literal("This resource has a price."),
        about => Html::of(about),
    };
    let ways = page.ways.iter().map(|way| {
        let values = [way.price, way.asset, way.network, way.pay_to];
        Html::fill(
            "<dt>Price</dt><dd>{}</dd>\n<dt>Asset</dt><dd>{}</dd>\n<dt>Network</dt><dd>{}</dd>\n<dt>Paid to</dt><dd>{}</dd>\n",
            values.map(Html::of),
        )
    });
    Html::fill(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>Payment required</title>\n\
         <style>body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:10vh auto;padding:0 1rem}\
         dt{font-weight:600}dd{margin:0 0 .75rem;overflow-wrap:anywhere}</style>\n\
         <main>\n<h1>Payment required</h1>\n<p>{}</p>\n<dl>\n{}<dt>Resource</dt><dd>{}</dd>\n\
         </dl>\n<p>Programs can pay automatically: the terms are in the <code>PAYMENT-REQUIRED</code> header \
         (x402 version 2) and, if JSON is requested, in the body (version 1).</p>\n</main>\n</html>\n",
        [about, Html::join(ways, ""), Html::of(page.url)],
    )
    .into_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_a_page_becomes_markup() {
        for payload in [
            "<script>alert(1)</script>",
            "\"><img src=x onerror=alert(1)>",
            "' onmouseover='alert(1)",
            "</title><svg/onload=alert(1)>",
            "`<b>`",
        ] {
            let page = |text| {
                let way = Way { price: text, asset: text, network: text, pay_to: text };
                html(&Page { url: text, description: text, ways: &[way, way] })
            };
            let (page, plain) = (page(payload), page(""));
            for c in ["<", ">", "\"", "'", "`"] {
                assert_eq!(page.matches(c).count(), plain.matches(c).count(), "{c} in {payload}");
            }
        }
    }
}
