//! The page of a market: what is sold, by whom, for how much, and how to call it. One document for
//! people and crawlers, without a script.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::index::SkillIndex;
use super::offered::Offered;
use super::told::PackTold;
use crate::page::Beside;
use crate::query::Query;
use crate::text::Members;
use farebox_base::page::{ICON, STYLE};
use farebox_base::text::{Html, Shell};

/// The policy that the page needs, and nothing more.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Skills on one page.
const PER_PAGE: usize = 50;
/// Most characters of a text that is looked for.
const MAX_WANTED: usize = 200;

/// The page `/`, in HTML, with a link to an exchange that the Worker serves too. The query as it came
/// may have `q`, text to look for, at most 200 characters of which count, and `page`.
#[must_use]
pub fn write_page(url: &str, index: &SkillIndex, query: &str, beside: Beside) -> String {
    let query = Query::parse(query);
    let wanted: String = query.get("q").unwrap_or_default().chars().take(MAX_WANTED).collect();
    let found = index.find(&wanted);
    let count = found.len();
    let pages = count.div_ceil(PER_PAGE).max(1);
    let page = query.get("page").and_then(|page| page.parse().ok()).unwrap_or(1_usize);
    let page = page.clamp(1, pages);
    let skipped = page.saturating_sub(1).saturating_mul(PER_PAGE);
    let on_page = || found.iter().copied().skip(skipped).take(PER_PAGE);
    let items: Vec<String> = on_page().map(|skill| product(skill, url, &skill.summary())).collect();
    let heading = match (count, wanted.is_empty()) {
        (0, true) => "Nothing is sold here yet.".to_string(),
        (0, false) => "No skill has these words.".to_string(),
        (1, _) => "1 skill".to_string(),
        (count, _) => format!("{count} skills"),
    };
    let data = Members::new()
        .text("@context", "https://schema.org")
        .text("@type", "ItemList")
        .number("numberOfItems", u64::try_from(count).unwrap_or(u64::MAX))
        .raw("itemListElement", &format!("[{}]", items.join(",")))
        .done();
    let body = Html::fill(
        "{}<header><h1>Skills</h1><p>HTTP functions of many sellers. Each call is paid to its seller, per request, without an account.</p>\
         <form role=\"search\"><label for=\"q\">Find a skill</label><input id=\"q\" name=\"q\" type=\"search\" maxlength=\"200\" value=\"{}\"><button>Find</button></form></header>\
         <main><p class=\"count\">{}</p><ul class=\"skills\">{}</ul>{}{}</main>",
        [
            beside.link("/exchange", "Compute exchange"),
            Html::of(&wanted),
            Html::of(&heading),
            Html::join(on_page().map(|skill| card(skill, url, Depth::Card)), ""),
            turns(&wanted, page, pages),
            write_footer(url, "/SKILL.md"),
        ],
    );
    let about = "HTTP functions of many sellers, paid per request.";
    document("Skills", about, &data, "/SKILL.md", body)
}

/// The page of one skill, `/skills/{id}`, in HTML.
#[must_use]
pub fn write_skill_page(url: &str, skill: &Offered) -> String {
    let data = product(skill, url, &skill.description);
    let own = format!("/skills/{}/SKILL.md", skill.id);
    let body = Html::fill(
        "<nav><a href=\"/\">All skills</a></nav><main><ul class=\"skills\">{}</ul>{}</main>",
        [card(skill, url, Depth::Whole), write_footer(url, &own)],
    );
    document(&skill.name, &skill.description, &data, &own, body)
}

/// The links to other documents, the page's own for agents first.
fn write_footer(url: &str, own: &str) -> Html {
    Html::fill(
        "<footer><p>For programs: <a href=\"{}\">SKILL.md</a>, <a href=\"/openapi.json\">OpenAPI</a>, <a href=\"/llms.txt\">llms.txt</a>, \
         <a href=\"/.well-known/x402\">x402</a>, <a href=\"/api/marketplace/skills\">JSON</a>. The market is <code>{}</code>.</p></footer>",
        [Html::of(own), Html::of(url)],
    )
}

/// How much of a skill is shown.
#[derive(Clone, Copy)]
enum Depth {
    /// One of many.
    Card,
    /// All of it.
    Whole,
}

fn card(skill: &Offered, url: &str, depth: Depth) -> Html {
    let (id, name) = (Html::of(&skill.id), Html::of(&skill.name));
    let title = match depth {
        Depth::Card => {
            Html::fill("<h2><a href=\"/skills/{}\"><bdi>{}</bdi></a></h2>", [id.clone(), name])
        }
        Depth::Whole => Html::fill("<h1><bdi>{}</bdi></h1>", [name]),
    };
    let state = match (skill.charges.as_str(), skill.live) {
        ("seller", _) => "<p class=\"note\">The seller&#39;s own server asks for the money.</p>",
        (_, true) => "",
        (_, false) => {
            "<p class=\"note\">Published a moment ago: it can be bought directly in about a minute.</p>"
        }
    };
    let about = match depth {
        Depth::Card => skill.summary(),
        Depth::Whole => skill.description.as_str().into(),
    };
    let how = match (depth, skill.short_example()) {
        (Depth::Card, Some(example)) => Html::fill(
            "<details><summary>How to call it</summary>{}</details>",
            [calls(skill, url, &example)],
        ),
        // Another body would be paid for, and mean nothing.
        (Depth::Card, None) => {
            Html::fill("<p><a href=\"/skills/{}\">How to call it</a></p>", [id.clone()])
        }
        (Depth::Whole, _) => Html::fill(
            "<h2>How to call it</h2>{}{}",
            [calls(skill, url, &skill.example()), write_packs(skill, url)],
        ),
    };
    Html::fill(
        "<li id=\"{}\" class=\"skill\"><div class=\"head\">{}<p class=\"price\">{} {}</p></div><p class=\"about\">The seller says: <bdi>{}</bdi></p>{}<dl>{}</dl>{}</li>",
        [
            id,
            title,
            Html::of(&skill.price),
            Html::of(&skill.asset),
            Html::of(&about),
            Html::literal(state),
            facts(skill, depth),
            how,
        ],
    )
}

/// The wallet that is paid, before what its seller calls themselves; address, versions, when the money
/// moves, and the fee, as a list of terms.
fn facts(skill: &Offered, depth: Depth) -> Html {
    let label = skill.label().map_or(Html::literal(""), |label| {
        Html::fill("<dt>Calls itself</dt><dd><bdi>{}</bdi></dd>", [Html::of(label)])
    });
    let versions = match depth {
        Depth::Card => skill.version.clone(),
        Depth::Whole => skill.versions.join(", "),
    };
    let fee = skill.fee.as_ref().map_or(Html::literal(""), |fee| {
        Html::fill("<dt>Fee of the market</dt><dd>{}</dd>", [Html::of(&fee.words())])
    });
    Html::fill(
        "<dt>Paid to</dt><dd><code>{}</code> on {}</dd>{}<dt>Charged</dt><dd>{}</dd><dt>Address</dt><dd><code>{} {}</code></dd><dt>Version</dt><dd>{}</dd>{}",
        [
            Html::of(&skill.owner),
            Html::of(&skill.places()),
            label,
            Html::literal(skill.moves()),
            Html::of(&skill.method),
            Html::of(&skill.url),
            Html::of(&versions),
            fee,
        ],
    )
}

/// The packs of a skill, each with the lines that buy and use it.
fn write_packs(skill: &Offered, url: &str) -> Html {
    let packs = skill.told_packs(url);
    if packs.is_empty() {
        return Html::literal("");
    }
    let one = |pack: PackTold| {
        Html::fill(
            "<p>{}</p><pre><code>{}</code></pre><p>Then with the key of its answer:</p><pre><code>{}</code></pre>",
            [Html::of(&pack.words), Html::of(pack.buy.as_str()), Html::of(pack.call.as_str())],
        )
    };
    let packs = Html::join(packs.into_iter().map(one), "");
    Html::fill(
        "<h2>Packs</h2><p>Calls that are paid before they are used; a refund is the seller&#39;s.</p>{}",
        [packs],
    )
}

/// The two ways to call a skill, as lines to type.
fn calls(skill: &Offered, url: &str, example: &str) -> Html {
    let lines = CallLines::of(skill, url, example);
    Html::fill(
        "<p>With a wallet, by any client of x402 or MPP, or where <code>farebox</code> is installed:</p><pre><code>{}</code></pre><p>As an agent without one, whose treasury pays:</p><pre><code>{}</code></pre>",
        [Html::of(lines.with_wallet.as_str()), Html::of(lines.by_treasury.as_str())],
    )
}

/// The command lines that call a skill.
pub(super) struct CallLines {
    /// By a wallet.
    pub with_wallet: Shell,
    /// By an agent whose treasury pays.
    pub by_treasury: Shell,
}

impl CallLines {
    pub(super) fn of(skill: &Offered, url: &str, example: &str) -> Self {
        let body =
            || Shell::fill(" -H 'content-type: application/json' -d {}", [Shell::of(example)]);
        let body = match skill.method.as_str() {
            "GET" | "HEAD" => Shell::literal(""),
            "POST" => body(),
            method => Shell::fill(" -X {}{}", [Shell::of(method), body()]),
        };
        let address = format!("{}/api/marketplace/skills/{}/invoke", url, skill.id);
        Self {
            // Beside a key, `npx` alone would start whatever has the name in the registry.
            with_wallet: Shell::fill("npx --no farebox pay {}{}", [Shell::of(&skill.url), body]),
            by_treasury: Shell::fill(
                "curl {} -H \"Authorization: Bearer $RUNTIME_TOKEN\" -H 'content-type: application/json' -d {}",
                [Shell::of(&address), Shell::of(&skill.invocation(example))],
            ),
        }
    }
}

/// Links to the page before and to the next one.
fn turns(wanted: &str, page: usize, pages: usize) -> Html {
    if pages < 2 {
        return Html::literal("");
    }
    let link = |to: usize, text: &'static str, is_there: bool| {
        let text = Html::literal(text);
        if is_there {
            let parts = [Html::of(&percent(wanted)), Html::of(&to.to_string()), text];
            Html::fill("<a href=\"/?q={}&amp;page={}\">{}</a>", parts)
        } else {
            Html::fill("<span>{}</span>", [text])
        }
    };
    Html::fill(
        "<nav class=\"turns\" aria-label=\"Pages\">{} <span>{} of {}</span> {}</nav>",
        [
            link(page.saturating_sub(1), "Earlier", page > 1),
            Html::of(&page.to_string()),
            Html::of(&pages.to_string()),
            link(page.saturating_add(1), "More", page < pages),
        ],
    )
}

/// A skill as crawlers read it (schema.org, JSON-LD), with so much of its description.
fn product(skill: &Offered, url: &str, about: &str) -> String {
    let offer = Members::new()
        .text("@type", "Offer")
        .text("price", &skill.price)
        .text("priceCurrency", &skill.asset)
        .text(
            "availability",
            if skill.live { "https://schema.org/InStock" } else { "https://schema.org/PreOrder" },
        )
        .text("url", &skill.url)
        .done();
    Members::new()
        .text("@context", "https://schema.org")
        .text("@type", "Product")
        .text("name", &skill.name)
        .text("description", about)
        .text("sku", &skill.id)
        .text("url", &format!("{}/skills/{}", url, skill.id))
        .raw(
            "brand",
            &Members::new()
                .text("@type", "Organization")
                .text("name", if skill.agent.is_empty() { &skill.owner } else { &skill.agent })
                .done(),
        )
        .raw("offers", &offer)
        .done()
}

fn document(title: &str, about: &str, data: &str, own: &str, body: Html) -> String {
    Html::fill(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{}</title>\
         <meta name=\"description\" content=\"{}\"><meta name=\"color-scheme\" content=\"light dark\"><link rel=\"alternate\" type=\"text/markdown\" href=\"{}\">{}\
         <style>{}{}</style><script type=\"application/ld+json\">{}</script></head><body>{}</body></html>\n",
        [Html::of(title), Html::of(about), Html::of(own), Html::literal(ICON), Html::literal(STYLE), Html::literal(OWN_STYLE), Html::data(data), body],
    )
    .into_string()
}

/// Text as the value of a parameter.
fn percent(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// The rules that this page has beside the shared style.
const OWN_STYLE: &str = "\
h2{font-size:1.125rem;margin:0}.about{color:var(--quiet);margin:.25rem 0 0}\
.count{margin:1.5rem 0 .75rem;color:var(--quiet)}.skills{list-style:none;margin:0;padding:0;display:grid;gap:1rem}\
.skill{background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:1rem 1.125rem;min-width:0}\
.head{display:flex;flex-wrap:wrap;gap:.25rem 1rem;justify-content:space-between;align-items:baseline}.head>:first-child{min-width:0}\
.note{margin:.5rem 0 0;font-size:.875rem}\
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.125rem .75rem;margin:.75rem 0;font-size:.875rem}dt{color:var(--quiet)}dd{margin:0;min-width:0}\
pre{margin:.25rem 0 .75rem}details p,.skill>p{font-size:.9375rem}details[open]>summary{margin:0 0 .5rem}.skill h2+p{margin:.5rem 0 0}\
.turns{display:flex;gap:1rem;margin:1rem 0}@media(max-width:30rem){dl{grid-template-columns:1fr;gap:0}dd{margin:0 0 .5rem}}";

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    const EVIL: &str = "</script><script>alert(\"1\")</script>'&\u{202e}\u{7}";

    const URL: &str = "https://skills.example.com";

    fn skill(id: &str, name: &str) -> Offered {
        Offered {
            id: id.to_string(),
            name: name.to_string(),
            description: format!("{name} does it"),
            agent: name.to_string(),
            owner: "0x70997970C51812dc3A010C7d01b50e0d17dc79C8".to_string(),
            version: "1.0.0".to_string(),
            versions: vec!["1.0.0".to_string()],
            price: "0.25".to_string(),
            asset: "USDC".to_string(),
            networks: vec!["eip155:84532".to_string()],
            xlm: None,
            charges: "gate".to_string(),
            settle: "after".to_string(),
            method: "POST".to_string(),
            call_url: "https://example.com/run".to_string(),
            url: format!("https://skills.example.com/s/{id}"),
            bazaar: String::new(),
            packs: String::new(),
            created: 1_763_618_400_000,
            active: true,
            live: true,
            refused: None,
            fee: None,
        }
    }

    #[test]
    fn what_an_owner_wrote_is_text_everywhere() {
        let evil = skill("evil", EVIL);
        for html in [
            write_page(
                URL,
                &SkillIndex::of(vec![evil.clone()]),
                "q=%3C%2Fscript%3E",
                Beside::Served,
            ),
            write_skill_page(URL, &evil),
        ] {
            assert_eq!(html.matches("<script").count(), 1, "{html}");
            assert_eq!(html.matches("</script").count(), 1, "{html}");
            assert!(html.contains("&lt;/script&gt;"), "{html}");
            assert!(!html.contains('\u{202e}') && !html.contains('\u{7}'), "{html}");
            assert!(html.contains("\u{2039}U+202E\u{203a}"), "{html}");
        }
    }

    #[test]
    fn the_page_has_the_skills_with_the_words_that_are_looked_for() {
        let skills = SkillIndex::of(vec![skill("rain", "Rain"), skill("wind", "Wind speed")]);
        let page = write_page(URL, &skills, "q=WIND+sp%65ed&page=9", Beside::Nothing);
        assert!(page.contains("id=\"wind\"") && !page.contains("id=\"rain\""), "{page}");
        assert!(!page.contains("/exchange"), "{page}");
        assert!(page.contains("value=\"WIND speed\"") && page.contains("1 skill<"), "{page}");
    }

    #[test]
    fn many_skills_are_several_pages() {
        let skills = (0..101).map(|n| skill(&format!("s{n}"), "Many")).collect();
        let skills = SkillIndex::of(skills);
        let page = |query: &str| write_page(URL, &skills, query, Beside::Nothing);
        assert!(page("").contains("1 of 3") && page("").contains("id=\"s49\""));
        assert!(!page("").contains("id=\"s50\"") && page("page=2").contains("id=\"s50\""));
        assert!(page("page=3&q=many").contains("id=\"s100\""));
        assert!(page("page=0").contains("1 of 3") && page("page=x").contains("1 of 3"));
    }

    #[test]
    fn documents_keep_what_an_owner_wrote_from_being_marks() {
        let evil = skill("evil", "# [x](http://x)\n\n# Call `rm`");
        let text = crate::skills::document::write_skill_document(URL, &evil);
        assert!(text.contains("# \\# \\[x\\](http://x)  \\# Call \\`rm\\`\n"), "{text}");
    }

    #[test]
    fn any_query_is_read() {
        for query in ["q", "q=", "q=%", "q=%2", "q=%zz", "q=%ff", "&&=&q=a&q=b", "page=-1"] {
            assert!(
                write_page(URL, &SkillIndex::default(), query, Beside::Served)
                    .ends_with("</html>\n"),
                "{query}"
            );
        }
    }
}
