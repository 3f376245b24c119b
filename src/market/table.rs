//! The gate's route table, read as the gate will read it, before it is written.

use farebox_core::gate::Gate;
use farebox_core::gate::config::Routes;
use farebox_core::skills::Market;
use farebox_core::skills::table::TableDraft;

/// A table that the gate takes.
pub(super) struct Checked {
    pub text: String,
    /// The skills that were left out, each with the reason.
    pub refused: Vec<(String, String)>,
}

/// Leaves the routes out that the gate's reader refuses.
///
/// The operator's own routes stay: they may name what only the gate's variables have. Whatever is
/// wrong in them goes to the log. A table that the reader refuses as a whole is never written: the
/// newest skills are left out until it is taken.
pub(super) fn checked(market: &Market, draft: &TableDraft) -> Checked {
    let reader = Reader::new(market, draft);
    let mut refused: Vec<(String, String)> = Vec::new();
    for _ in 0..MAX_TURNS {
        let text = reader.text(&refused);
        match reader.verdict(&text, &refused) {
            TableVerdict::Good => return Checked { text, refused },
            TableVerdict::Skills(wrong) => refused.extend(wrong),
            TableVerdict::Whole(why) => match reader.first_that_spoils(&refused) {
                Some(skill) => refused.push((skill.to_owned(), why)),
                None => break,
            },
        }
    }
    // Each turn left something out, and there is still something wrong: what is the operator's own
    // stays, and as many of the oldest skills as are good.
    let good = reader.longest_good(&refused);
    let left = reader.skills(&refused).split_off(good);
    let full = "the gate's route table has no room for it";
    refused.extend(left.into_iter().map(|skill| (skill.to_owned(), full.to_owned())));
    Checked { text: reader.text(&refused), refused }
}

/// The verdict of the gate's reader on a table.
enum TableVerdict {
    Good,
    /// Skills whose routes are refused, each with the reason.
    Skills(Vec<(String, String)>),
    /// It refuses the table, and names no route: it is too long, too deep, or no JSON.
    Whole(String),
}

struct Reader<'a> {
    market: &'a Market,
    draft: &'a TableDraft,
    /// How many routes are the operator's own.
    own: usize,
    /// The errors that come without any skill.
    known: Vec<(String, String)>,
}

impl<'a> Reader<'a> {
    fn new(market: &'a Market, draft: &'a TableDraft) -> Self {
        let own = own_count(&draft.own);
        let reader = Self { market, draft, own, known: Vec::new() };
        let without_any: Vec<_> =
            draft.routes.iter().map(|(skill, _)| (skill.clone(), String::new())).collect();
        let known = wrong(market, &reader.text(&without_any));
        Self { known, ..reader }
    }

    /// The table without these skills.
    fn text(&self, refused: &[(String, String)]) -> String {
        let without: Vec<String> = refused.iter().map(|(skill, _)| skill.clone()).collect();
        let text = self.draft.text_without(&without);
        if self.own == 0 && text == "[]" { EMPTY.to_owned() } else { text }
    }

    /// The skills that are left, oldest first, each once.
    fn skills(&self, refused: &[(String, String)]) -> Vec<&'a str> {
        let mut left: Vec<&str> = Vec::new();
        for (skill, _) in self.draft.routes.iter().rev() {
            let is_refused = refused.iter().any(|(known, _)| known == skill);
            if !is_refused && left.last() != Some(&skill.as_str()) {
                left.push(skill);
            }
        }
        left
    }

    fn verdict(&self, text: &str, refused: &[(String, String)]) -> TableVerdict {
        let kept = || {
            let is_left = |skill: &String| !refused.iter().any(|(known, _)| known == skill);
            self.draft.routes.iter().map(|(skill, _)| skill).filter(move |it| is_left(it))
        };
        let mut skills: Vec<(String, String)> = Vec::new();
        for (variable, why) in wrong(self.market, text) {
            match place(&variable) {
                Some(place) => {
                    let skill = place.checked_sub(self.own).and_then(|at| kept().nth(at));
                    // What is wrong in a route of the operator is not for skills to mend.
                    let Some(skill) = skill else { continue };
                    if !skills.iter().any(|(known, _)| known == skill) {
                        skills.push((skill.clone(), why));
                    }
                }
                None if self.known.iter().any(|(known, _)| *known == variable) => {}
                None => return TableVerdict::Whole(why),
            }
        }
        if skills.is_empty() { TableVerdict::Good } else { TableVerdict::Skills(skills) }
    }

    /// Whether the reader takes a table of the oldest skills, so many of those that are left; a
    /// route that it refuses by itself is no matter here.
    fn takes(&self, count: usize, refused: &[(String, String)]) -> bool {
        let mut without = refused.to_vec();
        let beyond = self.skills(refused).split_off(count);
        without.extend(beyond.into_iter().map(|skill| (skill.to_owned(), String::new())));
        !matches!(self.verdict(&self.text(&without), &without), TableVerdict::Whole(_))
    }

    /// How many of the oldest skills make a table that is not refused as a whole.
    fn longest_good(&self, refused: &[(String, String)]) -> usize {
        let (mut good, mut bad) = (0, self.skills(refused).len() + 1);
        while good + 1 < bad {
            let middle = usize::midpoint(good, bad);
            if self.takes(middle, refused) { good = middle } else { bad = middle }
        }
        good
    }

    /// The oldest skill with which the table is refused as a whole.
    fn first_that_spoils(&self, refused: &[(String, String)]) -> Option<&'a str> {
        self.skills(refused).get(self.longest_good(refused)).copied()
    }
}

/// The errors of the gate's reader: the variable or its part, and the reason.
fn wrong(market: &Market, table: &str) -> Vec<(String, String)> {
    let networks: Vec<String> = market.networks.iter().map(ToString::to_string).collect();
    // What a gate needs beside its table; its values play no part in reading routes.
    let vars = serde_json::json!({
        // A list, as the gate has it: a text with commas names no network.
        "NETWORK": networks,
        "PAY_TO": market.pay_to.as_deref().unwrap_or(PAYEE),
        "GATE_SECRET": "0".repeat(64),
        "LEDGER_SALT": "0".repeat(32),
        "ORIGIN_URL": "https://origin.example.com",
        "FACILITATOR_URL": "https://facilitator.example.com",
        "DEFAULT": "free",
        // Room for the variables of a gate that this market does not know.
        "ROOM": "x".repeat(ROOM_BYTES),
    });
    let Err(errors) = Gate::configured(&vars.to_string(), Routes::Stored(table)) else {
        return Vec::new();
    };
    errors.into_iter().map(|error| (error.variable, error.remedy)).collect()
}

/// The number of the route that an error is about: `CONFIG routes[3].price` is 3.
fn place(variable: &str) -> Option<usize> {
    variable.split_once('[')?.1.split_once(']')?.0.parse().ok()
}

fn own_count(own: &str) -> usize {
    serde_json::from_str::<Vec<serde_json::Value>>(own).map_or(0, |own| own.len())
}

/// A table cannot be empty, and the gate would go on with the one before.
const EMPTY: &str = r#"[{"path":"/api/marketplace/*","price":"free"}]"#;
/// A payee for the reader alone: routes name their own. One that no gate refuses.
const PAYEE: &str = "0x1111111111111111111111111111111111111111";
/// Each turn finds all that is wrong by itself; a later one what that had hidden.
const MAX_TURNS: usize = 8;
/// The bytes that a gate's other variables may have.
const ROOM_BYTES: usize = 24 * 1024;
