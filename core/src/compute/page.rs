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
use super::text::time;

/// The script of `/exchange`.
pub const MARKET_SCRIPT: &str = include_str!("page/market.js");
/// The script of `/exchange/jobs/{id}`.
pub const JOB_SCRIPT: &str = include_str!("page/job.js");
/// The style of both, `/exchange/style.css`.
pub const STYLE: &str = include_str!("page/style.css");

/// Where the script of a page is.
const MARKET_SCRIPT_PATH: &str = "/exchange/market.js";
const JOB_SCRIPT_PATH: &str = "/exchange/job.js";

/// The policy of the pages: styles, scripts and feeds of their own origin, nothing inline.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

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

/// What the cookies of a request prefer.
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

/// The page `/exchange` of these boards, in HTML.
#[must_use]
pub fn market_page(scope: Scope, boards: &[Board]) -> String {
    let profiles: Vec<&str> = boards.iter().map(|board| board.profile.as_str()).collect();
    let body = format!(
        "<header><h1>Compute exchange</h1><p>Idle capacity by the task. The money of a job is held until its work is done, and goes back if it is not.</p>{}</header>\
         <main data-profiles=\"{}\"><p id=\"feed\" class=\"quiet\" role=\"status\">As of {}.</p>\
         <section aria-labelledby=\"now-title\"><h2 id=\"now-title\">Now</h2><div id=\"now\" data-live>{}</div></section>\
         <section aria-labelledby=\"offers-title\"><h2 id=\"offers-title\">What can be bought</h2><div id=\"offers\" data-live>{}</div></section>\
         <section aria-labelledby=\"activity-title\"><h2 id=\"activity-title\">The last 24 hours</h2><div id=\"activity\" data-live>{}</div></section>\
         <section aria-labelledby=\"sellers-title\"><h2 id=\"sellers-title\">Sellers</h2><div id=\"sellers\" data-live>{}</div></section>\
         <section aria-labelledby=\"settled-title\"><h2 id=\"settled-title\">Recent jobs</h2><div id=\"settled\" data-live>{}</div></section>\
         <section aria-labelledby=\"events-title\"><h2 id=\"events-title\">What happened</h2><div id=\"events\" data-live>{}</div></section></main>\
         <footer><p>For programs: <a href=\"/api/v1/dashboard/summary\">summary</a>, <a href=\"/api/v1/dashboard/market\">market</a>, <a href=\"/api/v1/dashboard/events\">events</a>.</p></footer>",
        switch(scope),
        shown(&profiles.join(" ")),
        boards.first().map_or_else(String::new, |board| moment(board.now)),
        counts(boards),
        offers(boards),
        activity(boards),
        sellers(boards),
        settlements(boards),
        events(boards),
    );
    document("Compute exchange", MARKET_SCRIPT_PATH, &body)
}

/// The page `/exchange/jobs/{id}`, in HTML: the same for each id, since what there is of a job is
/// read with its token.
#[must_use]
pub fn job_page(id: &str) -> String {
    let id = shown(id);
    let body = format!(
        "<nav><a href=\"/exchange\">Compute exchange</a></nav><main data-job=\"{id}\"><h1>Job</h1><p class=\"quiet\"><code>{id}</code></p>\
         <noscript><p class=\"note\">This page needs its script. A program reads <code>/api/v1/jobs/{id}</code> with the token of the job.</p></noscript>\
         <form id=\"open\"><label for=\"token\">Token of the job</label><input id=\"token\" type=\"password\" autocomplete=\"off\" spellcheck=\"false\" maxlength=\"200\" required><button>Show</button></form>\
         <p id=\"feed\" class=\"quiet\" role=\"status\"></p>\
         <div id=\"job\" hidden><dl><dt>Status</dt><dd><span id=\"status\" class=\"tone\"></span></dd><dt>Seller</dt><dd><code id=\"seller\"></code></dd></dl>\
         <section aria-labelledby=\"result-title\"><h2 id=\"result-title\">Result</h2><pre id=\"result\" tabindex=\"0\" aria-labelledby=\"result-title\">None yet.</pre></section>\
         <section aria-labelledby=\"events-title\"><h2 id=\"events-title\">What happened</h2><ol id=\"events\" class=\"events\"></ol></section></div></main>"
    );
    document("Job", JOB_SCRIPT_PATH, &body)
}

/// Links to the three scopes.
fn switch(now: Scope) -> String {
    let choices = [
        (Scope::Demo, "?mode=demo", "Demo"),
        (Scope::Testnet, "?mode=live&amp;network=testnet", "Test network"),
        (Scope::Mainnet, "?mode=live&amp;network=mainnet", "Main network"),
    ];
    let mut links = String::new();
    for (scope, query, name) in choices {
        let current = if scope == now { " aria-current=\"page\"" } else { "" };
        links.push_str(&format!("<li><a href=\"/exchange{query}\"{current}>{name}</a></li>"));
    }
    format!("<nav aria-label=\"Network\"><ul class=\"switch\">{links}</ul></nav>")
}

fn counts(boards: &[Board]) -> String {
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
        ("Volume, 24 h", format!("{} {}", volume(boards), shown(currency)), "wide"),
    ];
    let mut text = String::new();
    for (name, value, class) in facts {
        text.push_str(&format!(
            "<div class=\"fact {class}\"><dt>{name}</dt><dd>{value}</dd></div>"
        ));
    }
    format!("<dl class=\"facts\">{text}</dl>")
}

fn offers(boards: &[Board]) -> String {
    let mut rows = String::new();
    for board in boards {
        for Supplied { capability, sellers, seats, units } in &board.offers {
            rows.push_str(&format!(
                "<li class=\"row\"><h3><bdi>{}</bdi></h3><p class=\"price\">from {} {}</p><p class=\"quiet\">{} of {}{}</p></li>",
                shown(capability),
                money(units, board.decimals),
                shown(&board.currency),
                plural(*seats, "free seat"),
                plural(*sellers, "seller"),
                of_profile(boards, board),
            ));
        }
    }
    listed(&rows, "Nothing is offered right now.")
}

/// The profile of a row, where two are shown together.
fn of_profile(boards: &[Board], board: &Board) -> String {
    if boards.len() < 2 { String::new() } else { format!(", {}", shown(&board.profile)) }
}

fn plural(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn listed(rows: &str, none: &str) -> String {
    if rows.is_empty() {
        format!("<p class=\"quiet\">{none}</p>")
    } else {
        format!("<ul class=\"rows\">{rows}</ul>")
    }
}

/// Jobs by hour, as a picture and as text.
fn activity(boards: &[Board]) -> String {
    let hours = boards.first().map_or(&[][..], |board| &board.hours);
    let of = |hour: &HourTally| {
        let same = boards.iter().flat_map(|board| &board.hours).filter(|it| it.hour == hour.hour);
        same.fold((0_u64, 0_u64), |(created, settled), it| {
            (created.saturating_add(it.created), settled.saturating_add(it.settled))
        })
    };
    let most = hours.iter().map(|hour| of(hour).0.max(of(hour).1)).max().unwrap_or(0).max(1);
    let (mut bars, mut rows) = (String::new(), String::new());
    for (place, hour) in (0_u64..).zip(hours) {
        let (created, settled) = of(hour);
        let height = |count: u64| {
            let whole = count.saturating_mul(48).checked_div(most).unwrap_or(0);
            if count > 0 { whole.max(2) } else { 0 }
        };
        let bar = |class: &str, x: u64, count: u64| {
            let height = height(count);
            let y = 50_u64.saturating_sub(height);
            format!("<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"4\" height=\"{height}\"/>")
        };
        let x = place.saturating_mul(10);
        bars.push_str(&bar("created", x.saturating_add(1), created));
        bars.push_str(&bar("settled", x.saturating_add(5), settled));
        if created.max(settled) > 0 {
            rows.push_str(&format!(
                "<tr><th scope=\"row\">{}</th><td>{created}</td><td>{settled}</td></tr>",
                moment(hour.hour)
            ));
        }
    }
    let none = "<tr><td colspan=\"3\">Nothing happened.</td></tr>".to_string();
    let rows = if rows.is_empty() { none } else { rows };
    format!(
        "<svg class=\"bars\" viewBox=\"0 0 240 52\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"Jobs paid and ended in each of the last 24 hours\"><line x1=\"0\" y1=\"51\" x2=\"240\" y2=\"51\"/>{bars}</svg>\
         <p class=\"quiet\"><span class=\"key created\"></span> paid <span class=\"key settled\"></span> ended; the newest hour is at the right</p>\
         <details><summary>As a table</summary><table><thead><tr><th scope=\"col\">Hour</th><th scope=\"col\">Paid</th><th scope=\"col\">Ended</th></tr></thead><tbody>{rows}</tbody></table></details>"
    )
}

fn sellers(boards: &[Board]) -> String {
    let mut rows = String::new();
    for board in boards {
        for seller in &board.rows {
            rows.push_str(&seller_row(boards, board, seller));
        }
    }
    listed(&rows, "No seller has registered yet.")
}

fn seller_row(boards: &[Board], board: &Board, seller: &BoardSeller) -> String {
    let name = format!("<code>{}</code>", shown(&seller.id));
    format!(
        "<li class=\"row\"><h3><bdi>{}</bdi></h3><p class=\"price\">{} {}</p><p><span class=\"status {status}\">{status}</span> <span class=\"quiet\">{} of {} free; {} done, {} failed{}</span></p><p class=\"quiet\">{}</p></li>",
        shown(&seller.capability),
        money(&seller.units, board.decimals),
        shown(&board.currency),
        seller.free,
        plural(seller.capacity.into(), "seat"),
        seller.record.done,
        seller.record.failed,
        of_profile(boards, board),
        linked(&link(board, "address", &seller.id), &name),
        status = shown(&seller.status),
    )
}

fn settlements(boards: &[Board]) -> String {
    let mut rows = String::new();
    for board in boards {
        for it in &board.settlements {
            rows.push_str(&settlement_row(boards, board, it));
        }
    }
    listed(&rows, "No job has ended yet.")
}

fn settlement_row(boards: &[Board], board: &Board, it: &MovedMoney) -> String {
    let (_, title, tone) = it.kind.told();
    let name = if it.capability.is_empty() { "A payment without a job" } else { &it.capability };
    let hashes = [("paid", &it.paid), ("moved on", &it.moved)];
    let hashes = hashes.into_iter().filter(|(_, hash)| !hash.is_empty());
    let hashes = hashes.map(|(what, hash)| {
        let code = format!("<code>{}</code>", shown(hash));
        format!("<p class=\"quiet\">{what}: {}</p>", linked(&link(board, "tx", hash), &code))
    });
    format!(
        "<li class=\"row\"><h3><bdi>{}</bdi></h3><p class=\"price\">{} {}</p><p><span class=\"tone {}\">{title}</span> <span class=\"quiet\">{}{}</span></p>{}</li>",
        shown(name),
        money(&it.units, board.decimals),
        shown(&board.currency),
        tone.name(),
        moment(it.at),
        of_profile(boards, board),
        hashes.collect::<String>(),
    )
}

/// A link to the explorer, or the text alone where there is none.
fn linked(url: &str, html: &str) -> String {
    match url {
        "" => html.to_string(),
        url => format!("<a href=\"{}\" rel=\"noreferrer\">{html}</a>", shown(url)),
    }
}

fn events(boards: &[Board]) -> String {
    let mut all: Vec<(&Board, &EventRow)> = boards
        .iter()
        .flat_map(|board| board.events.iter().map(move |event| (board, event)))
        .collect();
    all.sort_by_key(|(_, event)| core::cmp::Reverse((event.at, event.number)));
    let mut rows = String::new();
    for (board, event) in all.into_iter().take(20) {
        let (_, title, tone) = event.kind.told();
        rows.push_str(&format!(
            "<li><span class=\"tone {}\">{title}</span> <span class=\"quiet\">{}{}</span><br>{}</li>",
            tone.name(),
            moment(event.at),
            of_profile(boards, board),
            shown(&Line::of(&board.profile, event).sentence()),
        ));
    }
    match rows.as_str() {
        "" => "<p class=\"quiet\">Nothing happened yet.</p>".to_string(),
        rows => format!("<ol class=\"events\">{rows}</ol>"),
    }
}

fn moment(at: u64) -> String {
    let at = time(at);
    let people = at.replace('T', " ").replace('Z', " UTC");
    format!("<time datetime=\"{at}\">{people}</time>")
}

fn document(title: &str, script: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}</title>\
         <meta name=\"color-scheme\" content=\"light dark\"><link rel=\"stylesheet\" href=\"/exchange/style.css\"><script src=\"{script}\" defer></script></head><body>{body}</body></html>\n"
    )
}

/// Text for HTML, between tags or in a quoted attribute. What is not seen, or turns the direction of
/// the text, is shown by its number.
fn shown(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if is_hidden(c) => safe.push_str(&format!("\u{2039}U+{:04X}\u{203a}", u32::from(c))),
            c => safe.push(c),
        }
    }
    safe
}

/// Whether a character hides, or turns the text around it.
const fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    )
}
