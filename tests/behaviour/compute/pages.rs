//! Pages for people: what others wrote is text, links are on live rows, and a choice is kept.

use farebox_core::compute::board::Board;
use farebox_core::compute::dashboard::Scope;
use farebox_core::compute::feed::{Seen, View};
use farebox_core::compute::page;
use farebox_core::compute::row::HoldKind;
use farebox_core::compute::settings::Profile;
use farebox_core::market_page::Beside;
use farebox_core::text::is_hidden;
use serde_json::json;

use super::world::{TX, World, settings, wallet};

const EVIL: &str = "</style><script>x</script>'&\u{202e}\u{200b}";

fn board(world: &World) -> Board {
    match world.view(View::Board) {
        Seen::Board(board) => *board,
        other => panic!("no board: {other:?}"),
    }
}

#[test]
pub fn what_a_seller_wrote_is_text_and_what_hides_in_it_is_shown() {
    let mut world = World::new();
    world.register(1, json!({"capability": EVIL}));
    world.open(1);
    world.beat(1);
    let html = page::market_page(Scope::Testnet, &[board(&world)], Beside::Served);
    assert_eq!(html.matches("<script").count(), 1, "{html}");
    assert!(html.contains("<a href=\"/\">Skills</a>"), "{html}");
    assert!(html.contains("&lt;/style&gt;&lt;script&gt;"), "{html}");
    assert!(html.contains("\u{2039}U+202E\u{203a}\u{2039}U+200B\u{203a}"), "{html}");
    assert!(!html.contains('\u{202e}') && !html.contains('\u{200b}'));
    let job = page::job_page("\"><script>");
    assert_eq!(job.matches("<script").count(), 1, "{job}");
}

#[test]
pub fn links_to_the_explorer_are_on_live_rows_alone() {
    let mut live = World::with_seller();
    let told = live.buy(9, "one");
    let job = told.text("job_id");
    live.start(1, &job);
    let answer = live.complete(1, &job);
    live.carry(answer);
    let html = page::market_page(Scope::Testnet, &[board(&live)], Beside::Nothing);
    assert!(html.contains(&format!("href=\"https://sepolia.basescan.org/tx/{TX}\"")), "{html}");
    assert!(html.contains(&format!("/address/{}\"", wallet(1))));
    let mut mock = World::set(settings(HoldKind::Mock, Profile::DemoTestnet));
    mock.seller(1, "0.005");
    let html = page::market_page(Scope::Demo, &[board(&mock)], Beside::Nothing);
    assert!(!html.contains("https://") && !html.contains("Skills"), "{html}");
}

#[test]
pub fn a_choice_of_mode_and_network_is_kept_in_the_contract_s_cookies() {
    let cookies = page::preference_cookies(Scope::Testnet);
    assert_eq!(
        cookies,
        [
            "quotadex_dashboard_mode=live; Path=/; Max-Age=31536000; SameSite=Lax",
            "quotadex_dashboard_live_network=testnet; Path=/; Max-Age=31536000; SameSite=Lax",
        ]
    );
    for scope in [Scope::Demo, Scope::Testnet, Scope::Mainnet] {
        let sent: Vec<String> = page::preference_cookies(scope)
            .iter()
            .map(|cookie| cookie.split(';').next().unwrap().to_owned())
            .collect();
        assert_eq!(page::preferred(&format!("a=b; {}", sent.join("; "))), Some(scope));
    }
    for unknown in ["", "quotadex_dashboard_mode=x", "mode=demo"] {
        assert_eq!(page::preferred(unknown), None);
    }
}

#[test]
pub fn the_policy_lets_in_what_is_of_the_same_origin_and_nothing_inline() {
    let policy = page::CONTENT_SECURITY_POLICY;
    assert!(policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self'"));
    assert!(!policy.contains("unsafe"), "{policy}");
    let html = page::market_page(Scope::Demo, &[], Beside::Served) + &page::job_page("id");
    assert!(!html.contains("<style") && !html.contains("style=") && !html.contains("onclick"));
    for script in [page::MARKET_SCRIPT, &page::job_script()] {
        assert!(!script.contains("innerHTML = ") && !script.contains("eval("));
    }
}

#[test]
fn the_page_of_a_job_shows_the_same_hidden_characters_as_every_other_page() {
    let script = page::job_script();
    let (_, rest) = script.split_once("const HIDDEN = /[").unwrap();
    let (class, _) = rest.split_once("]/gu;").unwrap();
    let number = |text: &str| {
        let digits = text.strip_prefix("\\u{").and_then(|it| it.strip_suffix('}')).unwrap();
        u32::from_str_radix(digits, 16).unwrap()
    };
    let ranges: Vec<_> = class.split_inclusive('}').map(|it| it.trim_start_matches('-')).collect();
    let ranges: Vec<_> = ranges.chunks(2).map(|it| number(it[0])..=number(it[1])).collect();
    for c in '\0'..=char::MAX {
        let is_shown = ranges.iter().any(|range| range.contains(&u32::from(c)));
        assert_eq!(is_shown, is_hidden(c), "U+{:04X}", u32::from(c));
    }
}
