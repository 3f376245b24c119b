//! A request with everything that is known before it is paid.

use super::challenge::RawChallenge;
use super::detect::{Scheme, schemes};
use super::hints::Hints;
use super::json::Json;
use super::requirement::Requirement;
use super::validation::{Demand, Issue, NextAction, PlannedRequest, issues};
use farebox_base::http::Headers;
use farebox_base::time::UnixTime;
use farebox_wire::mpp::SCHEME;

/// The report about `request`. Without a challenge nothing has to be paid. `external` is the
/// caller's metadata, or null.
///
/// Members: `kind`, `paymentRequirement`, `challengeDetails`, `hints`, `validationIssues` and
/// `nextAction`.
#[must_use]
pub fn prepare(
    request: PlannedRequest<'_>,
    challenge: Option<&RawChallenge>,
    external: &Json,
) -> Json {
    let hints = Hints::of(challenge, external);
    let issues = issues(request, &hints);
    let asked = challenge.map_or(Demand::Nothing, |_| Demand::Payment);
    let requirement = challenge.map(|it| Requirement::of(it).to_json(it.protocol.name()));
    let kind = match asked {
        Demand::Payment => "ready",
        Demand::Nothing => "passthrough",
    };
    Json::object([
        ("kind", Some(kind.into())),
        ("paymentRequirement", requirement),
        ("challengeDetails", challenge.and_then(RawChallenge::details)),
        ("hints", Some(hints.to_json())),
        ("validationIssues", Some(Json::List(issues.iter().map(Issue::to_json).collect()))),
        ("nextAction", Some(NextAction::of(asked, &issues).name().into())),
    ])
}

/// End of a challenge, if it says so: the earliest `expires` of its `Payment` challenges.
#[must_use]
pub fn ends_at(headers: &Headers) -> Option<UnixTime> {
    let value = headers.joined("www-authenticate")?;
    let mine = |scheme: &Scheme| scheme.name.eq_ignore_ascii_case(SCHEME);
    let named = schemes(&value).into_iter().filter(mine);
    named.filter_map(|it| UnixTime::from_rfc3339(it.param("expires")?).ok()).min()
}
