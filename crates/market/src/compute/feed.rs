//! Views, and feeds of events: who may read which, where a reader goes on, and how many there are.
//!
//! A feed has all events of a profile, or those of one seller or job. Each line has the number of
//! its event; who comes back with the last number it has misses none and gets none twice. A line
//! is a notice: what is to be done, or the result, is read with the token that it needs.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::board::{Board, MAX_EVENTS, make_board};
use super::demo::show_demo;
use super::event::Line;
use super::figures::{About, Figures};
use super::job::{no_job, no_job_token};
use super::kernel::Now;
use super::message::JsonAnswer;
use super::operator::{OperatorLists, OperatorView};
use super::refused::{invalid, no_signature, refusal};
use super::row::EventRow;
use super::row::spell_wallet;
use super::session::Sessions;
use super::settings::PaymentProfile;
use crate::text::bearer;
use crate::text::{list, object, quoted};
use farebox_base::encoding::{base64, json};
use farebox_base::hash;
use farebox_base::sorted::Sorted;

/// Open feeds of a network address among those of anyone, or of one seller or job among the others.
pub const MAX_OF_ONE: u32 = 64;
/// Open feeds of anyone, and as many again of those who have proven whose events they may read.
pub const MAX_OPEN: u32 = 2_000;
/// Lines that a reader is sent before it has to answer; the next ones wait in the table.
pub const WINDOW: u32 = 64;

/// The reader of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedReader {
    /// Anyone.
    Anyone,
    /// A seller: its id, and `Authorization` with its session.
    Seller(String, String),
    /// The buyer of a job: its id, and `Authorization` with its token.
    Buyer(String, String),
}

/// The subject of a view. A view writes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// The board.
    Board,
    /// Events of the profile after this number.
    Later(u64),
    /// A feed, from a number on; `None` begins now, and with a job's first event for its buyer.
    Feed(FeedReader, Option<u64>),
    /// The lines that come next in a feed that was opened.
    Next(About, u64),
    /// The demo run of this job.
    Demo(String),
    /// Something for the operator.
    Operator(OperatorView),
}

/// The events that a reader may have, and until when; or the answer that refuses them.
type Admitted = Result<(About, Option<u64>), JsonAnswer>;

/// A line of a feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedLine {
    /// Number of its event: the cursor of who has it.
    pub number: u64,
    /// Tags of the feeds that it belongs to.
    pub tags: Vec<String>,
    /// JSON.
    pub text: String,
}

/// Lines of a feed, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedPage {
    /// The subject of these events.
    pub about: About,
    /// The tag of this feed.
    pub tag: String,
    /// When it ends, unix milliseconds; `None` if it does not.
    pub until: Option<u64>,
    /// The number that the lines come after.
    pub after: u64,
    /// The first line for a reader: JSON.
    pub ready: String,
    /// The lines, at most [`WINDOW`].
    pub lines: Vec<FeedLine>,
    /// The feeds of which the oldest ends, to make room for it.
    #[serde(default)]
    pub instead: Option<OpenFeeds>,
}

/// Open feeds of a tag and a network address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenFeeds {
    /// The tag.
    pub tag: String,
    /// The network address.
    pub client: String,
    /// How many they are.
    pub count: u32,
    /// How many more were ended by the exchange, and their readers have not answered that.
    #[serde(default)]
    pub ending: u32,
}

impl FeedPage {
    /// The answer to who asks from time to time.
    pub fn poll_answer(&self) -> JsonAnswer {
        let cursor = self.lines.last().map_or(self.after, |line| line.number);
        let members = [
            ("events", list(self.lines.iter().map(|line| line.text.clone()))),
            ("cursor", quoted(&cursor.to_string())),
        ];
        JsonAnswer::new(200, object(&members))
    }
}

/// The result of a view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// The board.
    Board(Box<Board>),
    /// Events, oldest first.
    Events(Vec<EventRow>),
    /// A feed.
    Feed(FeedPage),
    /// The response.
    Reply(JsonAnswer),
    /// Nothing yet: ask again.
    Wait,
}

impl About {
    /// The tag of its feed: short whatever the ids are.
    #[must_use]
    pub fn tag(&self) -> String {
        match self {
            Self::Profile => "all".to_string(),
            Self::Seller(id) => alloc::format!("seller:{}", hash::digest(&[id.as_bytes()])),
            Self::Job(id) => alloc::format!("job:{}", hash::digest(&[id.as_bytes()])),
        }
    }
}

/// The feed of this network address beside those that are open. Where there is no room, it takes the
/// place of the oldest feed of whoever has the most, if those have more than it would have itself:
/// so that no one who opens many keeps others out.
///
/// # Errors
/// The answer if it may not be opened.
pub fn admit_feed(
    page: FeedPage,
    client: &str,
    open: &[OpenFeeds],
) -> Result<FeedPage, JsonAnswer> {
    let of_anyone = About::Profile.tag();
    let is_public = |tag: &str| tag == of_anyone;
    let is_open = is_public(&page.tag);
    let owner = |feeds: &OpenFeeds| {
        if is_open { feeds.client.clone() } else { feeds.tag.clone() }
    };
    let mine = if is_open { client } else { page.tag.as_str() };
    let (mut all, mut ending, mut held, mut counts) = (0_u32, 0_u32, 0_u32, Sorted::new());
    for feeds in open.iter().filter(|feeds| is_public(&feeds.tag) == is_open) {
        all = all.saturating_add(feeds.count);
        ending = ending.saturating_add(feeds.ending);
        let owner = owner(feeds);
        if owner == mine {
            // Readers that do not answer keep their connections.
            held = held.saturating_add(feeds.count).saturating_add(feeds.ending);
        }
        let count: &mut u32 = counts.get_or(owner, || 0);
        *count = count.saturating_add(feeds.count);
    }
    let is_over = held >= MAX_OF_ONE;
    if !is_over && all < MAX_OPEN {
        return Ok(page);
    }
    let of_mine = counts.get(mine).copied().unwrap_or(0);
    let busiest = counts.iter().max_by_key(|(_, count)| *count);
    let busiest = busiest.filter(|(_, count)| *count > of_mine.saturating_add(1));
    let Some((name, _)) = busiest.filter(|_| !is_over && ending < MAX_OPEN) else {
        let why = "Too many feeds are open; close one, or ask from time to time instead.";
        return Err(refusal(429, "FEED_LIMIT_REACHED", why).with("retry-after", "60"));
    };
    let is_theirs = |feeds: &&OpenFeeds| {
        is_public(&feeds.tag) == is_open && owner(feeds) == *name && feeds.count > 0
    };
    let theirs = open.iter().find(is_theirs);
    Ok(FeedPage { instead: theirs.cloned(), ..page })
}

/// The number that a reader has got: `Last-Event-ID`, else `cursor` of a query.
///
/// # Errors
/// The answer to another text.
pub fn cursor(text: Option<&str>) -> Result<Option<u64>, JsonAnswer> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    let is_number = text.len() <= 15 && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| is_number);
    number.map(Some).ok_or_else(bad_cursor)
}

/// For a cursor that is none of this scope.
pub fn bad_cursor() -> JsonAnswer {
    invalid("cursor must be the one of an event.")
}

/// For a network profile that there is not.
pub fn bad_profile() -> JsonAnswer {
    invalid("network_profile must be one of demo-testnet, live-testnet, live-mainnet.")
}

/// Views of a profile.
pub(super) struct Views<'g> {
    pub sessions: Sessions<'g>,
}

impl Views<'_> {
    /// Looks.
    pub fn view<F: Figures>(
        &self,
        figures: &F,
        view: View,
        tick: Now<'_>,
    ) -> Result<Seen, F::Error> {
        Ok(match view {
            View::Board => Seen::Board(Box::new(make_board(figures, self.sessions.profile, tick)?)),
            View::Later(after) => {
                Seen::Events(figures.events(&About::Profile, after, MAX_EVENTS)?)
            }
            View::Feed(reader, after) => match self.admit(figures, reader, tick)? {
                Err(answer) => Seen::Reply(answer),
                Ok((about, until)) => {
                    let after = match (after, &about) {
                        (Some(after), _) => after,
                        (None, About::Job(_)) => 0,
                        (None, About::Profile | About::Seller(_)) => {
                            figures.newest(1)?.first().map_or(0, |event| event.number)
                        }
                    };
                    Seen::Feed(FeedPage { until, ..self.make_page(figures, about, after)? })
                }
            },
            View::Next(about, after) => Seen::Feed(self.make_page(figures, about, after)?),
            View::Operator(view) => {
                let lists = OperatorLists { profile: self.sessions.profile };
                Seen::Reply(lists.show(figures, view, tick)?)
            }
            View::Demo(job) => {
                match show_demo(figures, self.sessions.profile, self.sessions.keys, &job)? {
                    Some(answer) => Seen::Reply(answer),
                    None => Seen::Wait,
                }
            }
        })
    }

    fn make_page<F: Figures>(
        &self,
        figures: &F,
        about: About,
        after: u64,
    ) -> Result<FeedPage, F::Error> {
        let events = figures.events(&about, after, WINDOW)?;
        let lines = events.iter().map(|event| write_line(self.sessions.profile, event)).collect();
        let ready = object(&[
            ("type", quoted("READY")),
            ("cursor", quoted(&after.to_string())),
            ("networkProfile", quoted(self.sessions.profile.name())),
        ]);
        let instead = None;
        Ok(FeedPage { tag: about.tag(), about, until: None, after, ready, lines, instead })
    }

    /// The events that a reader may have, and until when.
    fn admit<F: Figures>(
        &self,
        figures: &F,
        reader: FeedReader,
        tick: Now<'_>,
    ) -> Result<Admitted, F::Error> {
        match reader {
            FeedReader::Anyone => Ok(Ok((About::Profile, None))),
            FeedReader::Seller(id, authorization) => {
                let id = spell_wallet(&id);
                let Some(seller) = figures.seller(&id)? else {
                    let why = "Gateway seller session bearer token is invalid.";
                    return Ok(Err(no_signature(why)));
                };
                match self.sessions.check(&seller, &authorization, tick) {
                    Err(why) => Ok(Err(no_signature(why))),
                    Ok(()) => Ok(Ok((About::Seller(id), session_end(&authorization)))),
                }
            }
            FeedReader::Buyer(id, authorization) => {
                let job = figures.job(&id)?;
                if !self.sessions.keys.opens_job(&id, job.as_ref(), &authorization) {
                    return Ok(Err(no_job_token()));
                }
                Ok(job.map(|job| (About::Job(job.id), None)).ok_or_else(no_job))
            }
        }
    }
}

/// An event as feeds have it.
#[must_use]
pub(super) fn write_line(profile: &PaymentProfile, event: &EventRow) -> FeedLine {
    let mut tags = Vec::from([About::Profile.tag()]);
    if !event.seller.is_empty() {
        tags.push(About::Seller(event.seller.clone()).tag());
    }
    if !event.job.is_empty() {
        tags.push(About::Job(event.job.clone()).tag());
    }
    let text = Line::of(profile.name(), event).feed();
    FeedLine { number: event.number, tags, text }
}

/// When a session that was checked ends.
fn session_end(authorization: &str) -> Option<u64> {
    let claims = bearer(authorization).split('.').nth(1)?;
    let claims = json::parse(&base64::decode_url(claims).ok()?).ok()?;
    claims.get("exp").and_then(Value::as_u64).map(|secs| secs.saturating_mul(1000))
}
