//! Decisions that pay nothing. They cost an agent nothing, so that what they write is bounded.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};

use super::draft::Draft;
use crate::answer::DecisionAnswer;
use crate::books::{Change, Rows};
use crate::budget::{DAY_SECS, Window};
use crate::kernel::Decision;
use crate::message::Answer;
use crate::receipt::Receipts;
use crate::row::{AgentRow, Stage, Verdict};
use crate::terms::Unpayable;
use farebox_base::hash;
use farebox_base::time::UnixTime;
use farebox_payer::client::offer::Offer;

/// Maximum denials of one agent in a day, UTC, that are kept.
const MAX_DENIALS: u32 = 1000;

/// Maximum payments of one agent in a day, UTC, that end and never move: with as many no other begins that day.
const MAX_UNMOVED: u32 = 5000;

/// Maximum size of the URL of a denial, bytes.
const MAX_URL_BYTES: usize = 512;

/// The agent with one more denial; `None` if no more of them are kept today.
pub(crate) fn count_denial<B: Rows>(
    books: &B,
    name: &str,
    now: UnixTime,
) -> Result<Option<AgentRow>, B::Error> {
    let Some(mut agent) = books.agent(name)? else { return Ok(None) };
    (agent.denied_day, agent.denied) = count_of_day(agent.denied_day, agent.denied, now);
    let may = agent.denied <= MAX_DENIALS;
    Ok(may.then_some(agent))
}

/// The agent with one more payment that has ended and never moved; `None` for payouts.
pub(crate) fn count_unmoved<B: Rows>(
    books: &B,
    name: &str,
    now: UnixTime,
) -> Result<Option<AgentRow>, B::Error> {
    let Some(mut agent) = books.agent(name)? else { return Ok(None) };
    (agent.unmoved_day, agent.unmoved) = count_of_day(agent.unmoved_day, agent.unmoved, now);
    Ok(Some(agent))
}

/// The day of a count and the count with one more; the first of a day begins anew.
fn count_of_day(day: u64, count: u32, now: UnixTime) -> (u64, u32) {
    let today = Window::Day.counted(day, now);
    let before = if today == day { count } else { 0 };
    (today, before.saturating_add(1))
}

/// Seconds until a payment of an agent may begin, of which so many have ended today and never
/// moved; `None` if one may.
pub(super) fn wait_for_unmoved<B: Rows>(
    books: &B,
    name: &str,
    now: UnixTime,
) -> Result<Option<u64>, B::Error> {
    let Some(agent) = books.agent(name)? else { return Ok(None) };
    let today = Window::Day.counted(agent.unmoved_day, now);
    let is_full = today == agent.unmoved_day && agent.unmoved >= MAX_UNMOVED;
    let tomorrow = UnixTime::from_secs(today).plus(DAY_SECS);
    Ok(is_full.then(|| tomorrow.secs_since(now).max(1)))
}

/// The key of a denial without a client's key: that of all equal ones of its day.
fn denial_key(request: &str, why: &Unpayable, now: UnixTime) -> String {
    let today = Window::Day.start(now).secs();
    let said = [request, why.outcome, why.code, &why.reason].map(str::as_bytes);
    format!("d:{today}:{}", hash::digest(&said))
}

/// Origin and path of a URL within [`MAX_URL_BYTES`]: what is kept of one that is not paid.
pub(crate) fn brief(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    path.get(..path.floor_char_boundary(MAX_URL_BYTES)).unwrap_or_default().to_string()
}

/// Keeps a decision that pays nothing. Equal ones of a day without a client's key are one, and
/// what an agent is denied beyond [`MAX_DENIALS`] is answered and not kept.
pub(super) fn refuse<B: Rows>(
    books: &B,
    receipts: &Receipts,
    mut draft: Draft<'_>,
    mut why: Unpayable,
    offer: Option<&Offer>,
) -> Result<Decision, B::Error> {
    let now = draft.scene.now;
    if let Some((row, Some(_))) = &draft.waiting
        && why.passes
    {
        // Nobody has said no: what a person approved is paid once there is room again.
        let mut told = row.clone();
        let mut said = DecisionAnswer::new(why.outcome, why.code, &why.reason);
        (said.evidence, said.figures) = (why.evidence, why.figures.map(Into::into));
        said.waits = true;
        said.write(&mut told, now.secs());
        draft.changes.extend(why.notice.map(|notice| Change::Outbox(*notice)));
        return Ok(Decision {
            answer: Answer::Reply(receipts.reply(&told)),
            changes: draft.changes,
        });
    }
    if let Some(mut review) = draft.waiting.as_mut().and_then(|(_, review)| review.take()) {
        review.verdict = Verdict::Expired;
        draft.changes.push(Change::Review(Box::new(review)));
    }
    draft.changes.extend(why.notice.take().map(|notice| Change::Outbox(*notice)));
    let is_waiting = draft.waiting.is_some();
    if draft.request.key.is_none() && !is_waiting {
        let key = denial_key(&draft.digest, &why, now);
        let known = books.decision_by_key(&draft.agent, &key)?;
        if let Some(mut row) = known {
            // It adds nothing, and takes no place of another denial or of a review.
            let mut changes = draft.changes;
            row.times = row.times.saturating_add(1);
            row.changed = now.secs();
            changes.push(Change::Decision(Box::new(row.clone())));
            return Ok(Decision { answer: Answer::Reply(receipts.reply(&row)), changes });
        }
        draft.key = Some(key);
    }
    let counted = count_denial(books, &draft.agent, now)?;
    let mut row = draft.row(offer);
    (row.stage, row.open) = (Stage::Final, false);
    row.url = brief(&row.url);
    let mut said = DecisionAnswer::new(why.outcome, why.code, &why.reason);
    (said.evidence, said.figures) = (why.evidence, why.figures.map(Into::into));
    said.write(&mut row, now.secs());
    let reply = receipts.reply(&row);
    let mut changes = draft.changes;
    if counted.is_some() || is_waiting {
        changes.extend(counted.map(Change::Agent));
        changes.push(Change::Decision(Box::new(row)));
    }
    Ok(Decision { answer: Answer::Reply(reply), changes })
}
