//! Pages of the exchange for people: the market now, and one job. They are whole without a script;
//! with it they follow the feeds. What people wrote is text, and what could hide in it is shown.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::board::{Board, BoardSeller, Crew, MovedMoney, Supplied};
use super::dashboard::{Scope, link, money, volume};
use super::event::Line;
use super::figures::HourTally;
use super::row::EventRow;
use crate::page::Beside;
use crate::text::time;
use farebox_base::page::ICON;
use farebox_base::text::{Html, hidden_class};

/// The script of `/exchange`.
pub const MARKET_SCRIPT: &str = include_str!("page/market.js");
const JOB_SCRIPT: &str = include_str!("page/job.js");

/// Where the script of a page is.
const MARKET_SCRIPT_PATH: &str = "/exchange/market.js";
const JOB_SCRIPT_PATH: &str = "/exchange/job.js";

/// The policy of the pages: styles, scripts and feeds of their own origin, nothing inline.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The script of `/exchange/jobs/{id}`, with the characters that it shows by their number.
#[must_use]
pub fn job_script() -> String {
    JOB_SCRIPT.replace("HIDDEN_CLASS", &hidden_class())
}

/// `Set-Cookie` values that keep a choice for a year. Spec: contract of the compute exchange,
/// "Dashboard / UI / demo".
#[must_use]
pub fn preference_cookies(scope: Scope) -> Vec<String> {
    let (mode, network) = scope.names();
    let cookie =
        |name: &str, value: &str| format!("{name}={value}; Path=/; Max-Age=31536000; SameSite=Lax");
    let mode = Some(cookie(MODE_COOKIE, mode));
    let network = network.map(|network| cookie(NETWORK_COOKIE, network));
    mode.into_iter().chain(network).collect()
}

const MODE_COOKIE: &str = "quotadex_dashboard_mode";
const NETWORK_COOKIE: &str = "quotadex_dashboard_live_network";

/// The scope that the cookies of a request prefer.
#[must_use]
pub fn preferred(cookies: &str) -> Option<Scope> {
    let value = |name: &str| {
        let mut pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let network = match value(NETWORK_COOKIE) {
        Some("testnet") => Scope::Testnet,
        _ => Scope::Mainnet,
    };
    match value(MODE_COOKIE) {
        Some("demo") => Some(Scope::Demo),
        Some("live") => Some(network),
        _ => None,
    }
}

/// The page `/exchange` of these boards, in HTML; with a link to the skills that the Worker sells too.
#[must_use]
pub fn market_page(scope: Scope, boards: &[Board], beside: Beside) -> String {
    let profiles: Vec<&str> = boards.iter().map(|board| board.profile.as_str()).collect();
    let body = Html::fill(
        "{}<header><h1>Compute exchange</h1><p>Idle capacity by the task. The money of a job is held until its work is done, and goes back if it is not.</p>{}</header>\
         <main data-profiles=\"{}\"><p id=\"feed\" class=\"quiet\" role=\"status\">As of {}.</p>\
         <section aria-labelledby=\"now-title\"><h2 id=\"now-title\">Now</h2><div id=\"now\" data-live>{}</div></section>\
         <section aria-labelledby=\"offers-title\"><h2 id=\"offers-title\">What can be bought</h2><div id=\"offers\" data-live>{}</div></section>\
         <section aria-labelledby=\"activity-title\"><h2 id=\"activity-title\">The last 24 hours</h2><div id=\"activity\" data-live>{}</div></section>\
         <section aria-labelledby=\"sellers-title\"><h2 id=\"sellers-title\">Sellers</h2><div id=\"sellers\" data-live>{}</div></section>\
         <section aria-labelledby=\"settled-title\"><h2 id=\"settled-title\">Recent jobs</h2><div id=\"settled\" data-live>{}</div></section>\
         <section aria-labelledby=\"events-title\"><h2 id=\"events-title\">What happened</h2><div id=\"events\" data-live>{}</div></section></main>\
         <footer><p>For programs: <a href=\"/api/v1/dashboard/summary\">summary</a>, <a href=\"/api/v1/dashboard/market\">market</a>, <a href=\"/api/v1/dashboard/events\">events</a>.</p></footer>",
        [
            beside.link("/", "Skills"),
            switch(scope),
            Html::of(&profiles.join(" ")),
            boards.first().map_or(Html::literal(""), |board| moment(board.now)),
            counts(boards),
            offers(boards),
            activity(boards),
            sellers(boards),
            settlements(boards),
            events(boards),
        ],
    );
    document("Compute exchange", MARKET_SCRIPT_PATH, body)
}

/// The page `/exchange/jobs/{id}`, in HTML: the same for each id, since what there is of a job is
/// read with its token.
#[must_use]
pub fn job_page(id: &str) -> String {
    let id = Html::of(id);
    let body = Html::fill(
        "<nav><a href=\"/exchange\">Compute exchange</a></nav><main data-job=\"{}\"><h1>Job</h1><p class=\"quiet\"><code>{}</code></p>\
         <noscript><p class=\"note\">This page needs its script. A program reads <code>/api/v1/jobs/{}</code> with the token of the job.</p></noscript>\
         <form id=\"open\"><label for=\"token\">Token of the job</label><input id=\"token\" type=\"password\" autocomplete=\"off\" spellcheck=\"false\" maxlength=\"200\" required><button>Show</button></form>\
         <p id=\"feed\" class=\"quiet\" role=\"status\"></p>\
         <div id=\"job\" hidden><dl><dt>Status</dt><dd><span id=\"status\" class=\"tone\"></span></dd><dt>Seller</dt><dd><code id=\"seller\"></code></dd></dl>\
         <section aria-labelledby=\"result-title\"><h2 id=\"result-title\">Result</h2><pre id=\"result\" tabindex=\"0\" aria-labelledby=\"result-title\">None yet.</pre></section>\
         <section aria-labelledby=\"events-title\"><h2 id=\"events-title\">What happened</h2><ol id=\"events\" class=\"events\"></ol></section></div></main>",
        [id.clone(), id.clone(), id],
    );
    document("Job", JOB_SCRIPT_PATH, body)
}

/// Links to the three scopes.
fn switch(now: Scope) -> Html {
    let choices = [
        (Scope::Demo, "?mode=demo", "Demo"),
        (Scope::Testnet, "?mode=live&network=testnet", "Test network"),
        (Scope::Mainnet, "?mode=live&network=mainnet", "Main network"),
    ];
    let links = choices.map(|(scope, query, name)| {
        let current = if scope == now { " aria-current=\"page\"" } else { "" };
        let parts = [Html::of(query), Html::literal(current), Html::of(name)];
        Html::fill("<li><a href=\"/exchange{}\"{}>{}</a></li>", parts)
    });
    let links = Html::join(links, "");
    Html::fill("<nav aria-label=\"Network\"><ul class=\"switch\">{}</ul></nav>", [links])
}

fn counts(boards: &[Board]) -> Html {
    let sum = |count: fn(&Board) -> u64| boards.iter().map(count).fold(0_u64, u64::saturating_add);
    let crew = |count: fn(&Crew) -> u64| {
        boards.iter().map(|board| count(&board.crew)).fold(0_u64, u64::saturating_add)
    };
    let currency = boards.first().map_or("", |board| board.currency.as_str());
    let facts = [
        ("Idle sellers", crew(|crew| crew.idle).to_string(), "idle"),
        ("Reserved", crew(|crew| crew.reserved).to_string(), "reserved"),
        ("Busy", crew(|crew| crew.busy).to_string(), "busy"),
        ("Offline", crew(|crew| crew.offline).to_string(), "offline"),
        ("Open jobs", sum(|board| board.tally.open).to_string(), ""),
        ("Done", sum(|board| board.tally.done).to_string(), ""),
        ("Failed", sum(|board| board.tally.failed).to_string(), ""),
        ("Volume, 24 h", format!("{} {currency}", volume(boards)), "wide"),
    ];
    let facts = facts.map(|(name, value, class)| {
        let parts = [Html::of(class), Html::of(name), Html::of(&value)];
        Html::fill("<div class=\"fact {}\"><dt>{}</dt><dd>{}</dd></div>", parts)
    });
    Html::fill("<dl class=\"facts\">{}</dl>", [Html::join(facts, "")])
}

fn offers(boards: &[Board]) -> Html {
    let rows = boards.iter().flat_map(|board| {
        board.offers.iter().map(|Supplied { capability, sellers, seats, units }| {
            Html::fill(
                "<li class=\"row\"><h3><bdi>{}</bdi></h3><p class=\"price\">from {} {}</p><p class=\"quiet\">{} of {}{}</p></li>",
                [
                    Html::of(capability),
                    Html::of(&money(units, board.decimals)),
                    Html::of(&board.currency),
                    Html::of(&plural(*seats, "free seat")),
                    Html::of(&plural(*sellers, "seller")),
                    of_profile(boards, board),
                ],
            )
        })
    });
    listed(Html::join(rows, ""), "Nothing is offered right now.")
}

/// The profile of a row, where two are shown together.
fn of_profile(boards: &[Board], board: &Board) -> Html {
    match boards.len() {
        0 | 1 => Html::literal(""),
        _ => Html::fill(", {}", [Html::of(&board.profile)]),
    }
}

fn plural(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn listed(rows: Html, none: &'static str) -> Html {
    if rows.is_empty() {
        Html::fill("<p class=\"quiet\">{}</p>", [Html::literal(none)])
    } else {
        Html::fill("<ul class=\"rows\">{}</ul>", [rows])
    }
}

/// Jobs by hour, as a picture and as text.
fn activity(boards: &[Board]) -> Html {
    let hours = boards.first().map_or(&[][..], |board| &board.hours);
    let of = |hour: &HourTally| {
        let same = boards.iter().flat_map(|board| &board.hours).filter(|it| it.hour == hour.hour);
        same.fold((0_u64, 0_u64), |(created, settled), it| {
            (created.saturating_add(it.created), settled.saturating_add(it.settled))
        })
    };
    let most = hours.iter().map(|hour| of(hour).0.max(of(hour).1)).max().unwrap_or(0).max(1);
    let (mut bars, mut rows) = (Vec::new(), Vec::new());
    for (place, hour) in (0_u64..).zip(hours) {
        let (created, settled) = of(hour);
        let x = place.saturating_mul(10);
        bars.push(bar("created", x.saturating_add(1), height(created, most)));
        bars.push(bar("settled", x.saturating_add(5), height(settled, most)));
        if created.max(settled) > 0 {
            let counts = [created, settled].map(|count| Html::of(&count.to_string()));
            rows.push(Html::fill(
                "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td></tr>",
                [moment(hour.hour)].into_iter().chain(counts),
            ));
        }
    }
    if rows.is_empty() {
        rows.push(Html::literal("<tr><td colspan=\"3\">Nothing happened.</td></tr>"));
    }
    Html::fill(
        "<svg class=\"bars\" viewBox=\"0 0 240 52\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"Jobs paid and ended in each of the last 24 hours\"><line x1=\"0\" y1=\"51\" x2=\"240\" y2=\"51\"/>{}</svg>\
         <p class=\"quiet\"><span class=\"key created\"></span> paid <span class=\"key settled\"></span> ended; the newest hour is at the right</p>\
         <details><summary>As a table</summary><table><thead><tr><th scope=\"col\">Hour</th><th scope=\"col\">Paid</th><th scope=\"col\">Ended</th></tr></thead><tbody>{}</tbody></table></details>",
        [Html::join(bars, ""), Html::join(rows, "")],
    )
}

/// How high the bar of a count is, where the highest one has 48.
fn height(count: u64, most: u64) -> u64 {
    let whole = count.saturating_mul(48).checked_div(most).unwrap_or(0);
    if count > 0 { whole.max(2) } else { 0 }
}

fn bar(class: &'static str, x: u64, height: u64) -> Html {
    let y = 50_u64.saturating_sub(height);
    let numbers = [x, y, height].map(|number| Html::of(&number.to_string()));
    Html::fill(
        "<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"4\" height=\"{}\"/>",
        [Html::literal(class)].into_iter().chain(numbers),
    )
}

fn sellers(boards: &[Board]) -> Html {
    let rows = boards
        .iter()
        .flat_map(|board| board.rows.iter().map(|seller| seller_row(boards, board, seller)));
    listed(Html::join(rows, ""), "No seller has registered yet.")
}

fn seller_row(boards: &[Board], board: &Board, seller: &BoardSeller) -> Html {
    let status = Html::of(&seller.status);
    Html::fill(
        "<li class=\"row\"><h3><bdi>{}</bdi></h3><p class=\"price\">{} {}</p><p><span class=\"status {}\">{}</span> <span class=\"quiet\">{} of {} free; {} done, {} failed{}</span></p><p class=\"quiet\">{}</p></li>",
        [
            Html::of(&seller.capability),
            Html::of(&money(&seller.units, board.decimals)),
            Html::of(&board.currency),
            status.clone(),
            status,
            Html::of(&seller.free.to_string()),
            Html::of(&plural(seller.capacity.into(), "seat")),
            Html::of(&seller.record.done.to_string()),
            Html::of(&seller.record.failed.to_string()),
            of_profile(boards, board),
            linked(&link(board, "address", &seller.id), &seller.id),
        ],
    )
}

fn settlements(boards: &[Board]) -> Html {
    let rows = boards
        .iter()
        .flat_map(|board| board.settlements.iter().map(|it| settlement_row(boards, board, it)));
    listed(Html::join(rows, ""), "No job has ended yet.")
}

fn settlement_row(boards: &[Board], board: &Board, it: &MovedMoney) -> Html {
    let (_, title, tone) = it.kind.describe();
    let name = if it.capability.is_empty() { "A payment without a job" } else { &it.capability };
    let hashes = [("paid", &it.paid), ("moved on", &it.moved)];
    let hashes = hashes.into_iter().filter(|(_, hash)| !hash.is_empty());
    let hashes = hashes.map(|(what, hash)| {
        let parts = [Html::literal(what), linked(&link(board, "tx", hash), hash)];
        Html::fill("<p class=\"quiet\">{}: {}</p>", parts)
    });
    Html::fill(
        "<li class=\"row\"><h3><bdi>{}</bdi></h3><p class=\"price\">{} {}</p><p><span class=\"tone {}\">{}</span> <span class=\"quiet\">{}{}</span></p>{}</li>",
        [
            Html::of(name),
            Html::of(&money(&it.units, board.decimals)),
            Html::of(&board.currency),
            Html::literal(tone.name()),
            Html::literal(title),
            moment(it.at),
            of_profile(boards, board),
            Html::join(hashes, ""),
        ],
    )
}

/// An address or a hash, as a link to the explorer if there is one.
fn linked(url: &str, code: &str) -> Html {
    let code = Html::fill("<code>{}</code>", [Html::of(code)]);
    match url {
        "" => code,
        url => Html::fill("<a href=\"{}\" rel=\"noreferrer\">{}</a>", [Html::of(url), code]),
    }
}

fn events(boards: &[Board]) -> Html {
    let mut all: Vec<(&Board, &EventRow)> = boards
        .iter()
        .flat_map(|board| board.events.iter().map(move |event| (board, event)))
        .collect();
    all.sort_by_key(|(_, event)| core::cmp::Reverse((event.at, event.number)));
    let rows = all.into_iter().take(20).map(|(board, event)| {
        let line = Line::of(&board.profile, event);
        let (title, tone) = line.heading();
        Html::fill(
            "<li><span class=\"tone {}\">{}</span> <span class=\"quiet\">{}{}</span><br>{}</li>",
            [
                Html::literal(tone.name()),
                Html::literal(title),
                moment(event.at),
                of_profile(boards, board),
                Html::of(&line.sentence()),
            ],
        )
    });
    let rows = Html::join(rows, "");
    if rows.is_empty() {
        return Html::literal("<p class=\"quiet\">Nothing happened yet.</p>");
    }
    Html::fill("<ol class=\"events\">{}</ol>", [rows])
}

fn moment(at: u64) -> Html {
    let at = time(at);
    let people = at.replace('T', " ").replace('Z', " UTC");
    Html::fill("<time datetime=\"{}\">{}</time>", [Html::of(&at), Html::of(&people)])
}

fn document(title: &'static str, script: &'static str, body: Html) -> String {
    Html::fill(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{}</title>\
         <meta name=\"color-scheme\" content=\"light dark\">{}<link rel=\"stylesheet\" href=\"/exchange/style.css\"><script src=\"{}\" defer></script></head><body>{}</body></html>\n",
        [Html::literal(title), Html::literal(ICON), Html::literal(script), body],
    )
    .into_string()
}
