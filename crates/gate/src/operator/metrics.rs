//! Metrics for a scraper. Spec: Prometheus text format 0.0.4.

use alloc::format;
use alloc::string::String;

use farebox_base::sorted::Sorted;
use farebox_base::time::UnixTime;

/// The values of all metrics.
pub(super) struct Metered<'a> {
    /// Payments by state and route.
    pub counts: &'a Sorted<(String, String), u64>,
    /// Failing clients by route, code and kind.
    pub failing: &'a Sorted<(String, String, String), u64>,
    /// Start of the longest unknown outcome.
    pub oldest_unknown: Option<u64>,
    /// Bytes of each ledger object.
    pub sizes: &'a [u64],
    /// Bytes that one of them may have.
    pub limit: u64,
    /// Counts of Workers; times in milliseconds.
    pub meters: &'a [(String, u64)],
    pub now: UnixTime,
}

/// All metrics.
pub(super) fn text(metered: &Metered<'_>) -> String {
    let Metered { counts, failing, oldest_unknown, sizes, limit, meters, now } = *metered;
    let count = |wanted: &str| {
        let counts = counts.iter().filter(|((state, _), _)| state == wanted);
        counts.fold(0_u64, |sum, (_, number)| sum.saturating_add(*number))
    };
    let mut text = String::new();
    add_rows(&mut text, counts, failing);
    let oldest = oldest_unknown.map_or(0, |since| now.secs().saturating_sub(since));
    let size = sizes.iter().fold(0_u64, |sum, bytes| sum.saturating_add(*bytes));
    let largest = sizes.iter().copied().max().unwrap_or(0);
    let gauges = [
        ("farebox_unknown_open", "Payments with an unknown outcome.", count("unknown")),
        ("farebox_unknown_oldest_seconds", "Age of the oldest unknown outcome.", oldest),
        ("farebox_refund_due_open", "Payments whose payer is owed a refund.", count("refund_due")),
        ("farebox_manual_open", "Payments that the operator has to review.", count("manual")),
        ("farebox_ledger_bytes", "Bytes of all ledger objects.", size),
        ("farebox_ledger_largest_bytes", "Bytes of the largest ledger object.", largest),
        ("farebox_ledger_limit_bytes", "Bytes that one ledger object may have.", limit),
    ];
    for (name, help, value) in gauges {
        add_head(&mut text, name, "gauge", &format!("{help} Exact, from the objects."));
        text.push_str(&format!("{name} {value}\n"));
    }
    add_meters(&mut text, meters);
    text
}

/// Adds what rows of the ledger count by label.
fn add_rows(
    text: &mut String,
    counts: &Sorted<(String, String), u64>,
    failing: &Sorted<(String, String, String), u64>,
) {
    add_head(
        text,
        "farebox_payments_total",
        "gauge",
        "Payments in the ledger by current state. Exact, from rows.",
    );
    for ((state, route), number) in counts.iter() {
        let (state, route) = (label(state), label(route));
        text.push_str(&format!(
            "farebox_payments_total{{state=\"{state}\",route=\"{route}\"}} {number}\n"
        ));
    }
    add_head(
        text,
        "farebox_failing_clients",
        "gauge",
        "Clients that fail in a row, by diagnostic code: proven payers, and networks of other clients. From rows.",
    );
    for ((route, code, kind), number) in failing.iter() {
        let route = label(route);
        text.push_str(&format!(
            "farebox_failing_clients{{route=\"{route}\",code=\"{code}\",kind=\"{kind}\"}} {number}\n"
        ));
    }
}

/// Adds the counts that Workers report.
fn add_meters(text: &mut String, meters: &[(String, u64)]) {
    let families = [
        ("farebox_challenges_total", "counter", "Requests answered with payment terms.", ""),
        ("farebox_diagnostics_total", "counter", "Answers with a diagnostic.", ""),
        ("farebox_facilitator_seconds", "summary", "Duration of facilitator calls.", "_sum _count"),
        (
            "farebox_facilitator_errors_total",
            "counter",
            "Facilitator calls without a usable answer.",
            "",
        ),
    ];
    for (name, kind, help, suffixes) in families {
        add_head(
            text,
            name,
            kind,
            &format!(
                "{help} Approximate: each Worker reports its counts at most every 10 seconds, and loses the rest when it ends."
            ),
        );
        let member = |series: &str| match series.split('{').next() {
            Some(found) if found == name => true,
            Some(found) => suffixes
                .split(' ')
                .any(|suffix| !suffix.is_empty() && found.strip_prefix(name) == Some(suffix)),
            None => false,
        };
        for (series, value) in meters.iter().filter(|(series, _)| member(series)) {
            // Times are kept in milliseconds.
            if series.starts_with("farebox_facilitator_seconds_sum") {
                let (secs, rest) = (value / 1000, value % 1000);
                text.push_str(&format!("{series} {secs}.{rest:03}\n"));
            } else {
                text.push_str(&format!("{series} {value}\n"));
            }
        }
    }
}

fn add_head(text: &mut String, name: &str, kind: &str, help: &str) {
    text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
}

/// A label's value, escaped.
#[must_use]
pub fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn a_route_cannot_end_its_label_and_times_are_seconds() {
        let route = "/a\"} 1\nfarebox_manual_open 9\\".to_string();
        let mut counts = Sorted::new();
        counts.insert(("unknown".to_string(), route), 2);
        let meters = [("farebox_facilitator_seconds_sum{op=\"settle\"}".to_string(), 12_034)];
        let written = text(&Metered {
            counts: &counts,
            failing: &Sorted::new(),
            oldest_unknown: Some(40),
            sizes: &[5, 70, 6],
            limit: 100,
            meters: &meters,
            now: UnixTime::from_secs(100),
        });
        let lines: alloc::vec::Vec<&str> = written.lines().collect();
        let expected = [
            "farebox_payments_total{state=\"unknown\",route=\"/a\\\"} 1\\nfarebox_manual_open 9\\\\\"} 2",
            "farebox_unknown_open 2",
            "farebox_unknown_oldest_seconds 60",
            "farebox_manual_open 0",
            "farebox_ledger_bytes 81",
            "farebox_ledger_largest_bytes 70",
            "farebox_ledger_limit_bytes 100",
            "farebox_facilitator_seconds_sum{op=\"settle\"} 12.034",
        ];
        for line in expected {
            assert!(lines.contains(&line), "{line}\n{written}");
        }
    }
}
