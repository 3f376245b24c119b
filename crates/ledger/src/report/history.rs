//! The steps of a payment as its row keeps them: a line for each, as short as can be, because every
//! payment has four and keeps them for as long as its row.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Serialize;

use farebox_base::time::UnixTime;

/// One step of a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Transition {
    /// Unix seconds.
    pub at: u64,
    /// The same as a date.
    pub time: String,
    /// Name of the state before; `none` for the first.
    pub from: String,
    /// Name of the state after.
    pub to: String,
    /// Its cause.
    pub why: String,
}

/// The line of a step at this time: `+<seconds since first sight>,<state after>,<cause>`. The state
/// before is that of the line above.
#[must_use]
pub fn history_line(created: UnixTime, at: UnixTime, to: &str, why: &str) -> String {
    format!("+{},{to},{why}\n", at.secs_since(created))
}

/// Ends the line at which a long history was cut; the line after it is cut, too.
const CUT: char = '\u{1a}';
/// Stands for the steps that are left out.
const GAP: &str = "…";

/// Parses the steps of a row that was first seen at this second; malformed lines are skipped, and
/// after a gap the state before a step is `…`. The lines of earlier versions are `<unix seconds>,<state before>,<state after>,<cause>`.
#[must_use]
pub fn transitions(history: &str, created: u64) -> Vec<Transition> {
    let mut steps: Vec<Transition> = Vec::new();
    let mut is_cut = false;
    let mut lines = history.lines();
    while let Some(line) = lines.next() {
        if line.ends_with(CUT) {
            is_cut = lines.next().is_some();
            continue;
        }
        let before = || match steps.last() {
            _ if is_cut => GAP.to_string(),
            Some(last) => last.to.clone(),
            None => "none".to_string(),
        };
        let step = line.strip_prefix('+').map_or_else(
            || whole(line),
            |rest| {
                let mut parts = rest.splitn(3, ',');
                let at = created.saturating_add(parts.next()?.parse().ok()?);
                Some((at, before(), parts.next()?.to_string(), parts.next()?.to_string()))
            },
        );
        is_cut &= step.is_none();
        steps.extend(step.map(|(at, from, to, why)| {
            let time = UnixTime::from_secs(at).rfc3339();
            Transition { at, time, from, to, why }
        }));
    }
    steps
}

/// Reads a line of an earlier version.
fn whole(line: &str) -> Option<(u64, String, String, String)> {
    let mut parts = line.splitn(4, ',');
    let at = parts.next()?.parse().ok()?;
    let mut text = || parts.next().map(ToString::to_string);
    Some((at, text()?, text()?, text()?))
}

#[cfg(test)]
mod tests {
    use super::super::Decision;
    use super::*;

    fn told(history: &str) -> Vec<(u64, String, String, String)> {
        let steps = transitions(history, 1_763_618_400).into_iter();
        steps.map(|it| (it.at, it.from, it.to, it.why)).collect()
    }

    fn step(at: u64, from: &str, to: &str, why: &str) -> (u64, String, String, String) {
        (at, from.to_string(), to.to_string(), why.to_string())
    }

    #[test]
    fn steps_are_read_as_they_were_written() {
        let created = UnixTime::from_secs(1_763_618_400);
        let mut history = history_line(created, created, "executing", "claim");
        history += &history_line(created, created.plus(3), "settling", "seal");
        assert_eq!(history, "+0,executing,claim\n+3,settling,seal\n");
        assert_eq!(
            told(&history),
            [
                step(1_763_618_400, "none", "executing", "claim"),
                step(1_763_618_403, "executing", "settling", "seal"),
            ]
        );
    }

    #[test]
    fn lines_of_an_earlier_version_go_on_with_short_ones() {
        let history = "1763618400,none,executing,claim\n1763618401,executing,settling,seal\n";
        let history = format!("{history}+86400,unknown,lapse\n");
        assert_eq!(
            told(&history),
            [
                step(1_763_618_400, "none", "executing", "claim"),
                step(1_763_618_401, "executing", "settling", "seal"),
                step(1_763_704_800, "settling", "unknown", "lapse"),
            ]
        );
    }

    #[test]
    fn a_reason_with_commas_and_line_ends_stays_one_step() {
        let decision = Decision::Waived("so, he\nagreed,1".to_string());
        let created = UnixTime::from_secs(1_763_618_400);
        let line = history_line(created, created.plus(2), "waived", &decision.why());
        let history = format!("+0,manual,claim\n{line}");
        let why = "operator: so, he agreed,1";
        assert_eq!(told(&history)[1..], [step(1_763_618_402, "manual", "waived", why)]);
        let earlier = format!("2,manual,waived,{}\n", decision.why());
        assert_eq!(told(&earlier), [step(2, "manual", "waived", why)]);
    }

    #[test]
    fn the_step_after_a_gap_names_no_state_before_it() {
        let history =
            "+0,executing,claim\n+1,abandoned,comm\u{1a}\n5,executing,command\n+9,void,learn\n";
        assert_eq!(told(history)[1..], [step(1_763_618_409, "…", "void", "learn")]);
    }

    #[test]
    fn lines_that_are_no_steps_are_left_out() {
        assert_eq!(transitions("x\n1,2\n,,,\n+\n+x,a,b\n+1,a\n", 0), []);
    }
}
