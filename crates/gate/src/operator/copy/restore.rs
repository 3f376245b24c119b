//! The steps in which objects are asked about a copy.

use alloc::borrow::ToOwned;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use super::{CopiedObject, CopiedTables, CopyCall, CopyDetails, CopyQuery, CopyStep};
use crate::operator::{naming, refusal};
use crate::reply::Reply;
use farebox_base::encoding::json::{self, json};
use farebox_common::problem::Code;

/// Objects asked at once.
const AT_ONCE: usize = 4;

/// The request, and how far it is.
#[derive(Debug)]
pub(in crate::operator) enum CopyStage {
    /// Read a page.
    Page(CopiedObject),
    /// Do something in one object, if it needs the list of channels to be held: once that has said so.
    One { object: CopiedObject, deed: ObjectDeed, is_let: bool },
    /// Do something in all objects, if all are in a state for it.
    All(Round),
}

/// A deed in one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::operator) enum ObjectDeed {
    /// Take a page.
    Take,
    /// Answer again.
    Open,
}

impl ObjectDeed {
    const fn word(self) -> &'static str {
        match self {
            Self::Take => super::TAKE,
            Self::Open => "open",
        }
    }
}

/// A deed in all objects.
#[derive(Debug)]
pub(in crate::operator) struct Round {
    objects: Vec<CopiedObject>,
    /// Their states, once they were asked.
    states: Vec<ObjectState>,
    deed: Deed,
    /// The objects that are still to be asked, and those that just were.
    waiting: VecDeque<usize>,
    asked: Vec<usize>,
    /// The objects that were held by this request.
    held: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    /// Look whether they can be held, then hold them.
    LookToHold,
    Hold,
    /// Let go of those that were held, because another one could not be.
    Free,
    /// Look whether they can be let go, then let them.
    LookToOpen,
    Open,
}

impl Deed {
    const fn word(self) -> &'static str {
        match self {
            Self::LookToHold | Self::LookToOpen => "look",
            Self::Hold => "hold",
            Self::Free => "free",
            Self::Open => "open",
        }
    }
}

/// The state of an object, for a copy of one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ObjectState {
    Unknown,
    /// There are no objects of this kind.
    None,
    Empty,
    Held,
    Open,
    /// It holds other rows.
    Used,
    /// The rows of the copy are of another version.
    Other,
}

impl ObjectState {
    fn read(said: &Value) -> Option<Self> {
        Some(match said.get("state")?.as_str()? {
            "none" => Self::None,
            "empty" => Self::Empty,
            "held" => Self::Held,
            "open" => Self::Open,
            "used" => Self::Used,
            "other" => Self::Other,
            _ => return None,
        })
    }
}

impl CopyStage {
    pub(super) fn begin(objects: Vec<CopiedObject>) -> Self {
        Self::All(Round::new(objects, Deed::LookToHold))
    }

    pub(super) fn end(objects: Vec<CopiedObject>) -> Self {
        Self::All(Round::new(objects, Deed::LookToOpen))
    }

    pub(super) const fn take(object: CopiedObject) -> Self {
        Self::One { object, deed: ObjectDeed::Take, is_let: false }
    }

    pub(super) const fn open(object: CopiedObject) -> Self {
        Self::One { object, deed: ObjectDeed::Open, is_let: false }
    }
}

impl CopyQuery {
    /// Whether the request brings a page.
    #[must_use]
    pub const fn takes_page(&self) -> bool {
        matches!(&self.stage, CopyStage::One { deed: ObjectDeed::Take, .. })
    }

    /// The answer to a request whose page could not be read.
    #[must_use]
    pub fn without_page(&self) -> Reply {
        naming(refusal(Code::InvalidRequest, &self.correlation, None), "body")
    }

    /// The next step.
    pub fn turn(&mut self) -> CopyStep {
        if let Some(reply) = self.reply.take() {
            return CopyStep::Answer(reply);
        }
        let (copy, details) = (&self.copy, &self.details);
        CopyStep::Ask(match &mut self.stage {
            CopyStage::Page(object) => Vec::from([CopyCall::new(object, "page", copy, details)]),
            CopyStage::One { object, is_let: false, .. } if object.is_named_by_the_list() => {
                Vec::from([CopyCall::new(&CopiedObject::list(), "look", copy, details)])
            }
            CopyStage::One { object, deed, .. } => {
                Vec::from([CopyCall::new(object, deed.word(), copy, details)])
            }
            CopyStage::All(round) => round.calls(copy, details),
        })
    }

    /// Takes the answers to the calls of the last step; `None` for an object that is down.
    pub fn answered(&mut self, answers: impl IntoIterator<Item = Option<String>>) {
        let answers: Option<Vec<String>> = answers.into_iter().collect();
        let reply = match answers {
            Some(answers) => self.take_answers(&answers),
            None => Some(refusal(Code::LedgerUnavailable, &self.correlation, None)),
        };
        self.reply = reply;
    }

    fn take_answers(&mut self, answers: &[String]) -> Option<Reply> {
        let first = answers.first().map(String::as_str).unwrap_or_default();
        if let CopyStage::Page(_) = &self.stage {
            let lines = first.to_owned();
            return Some(Reply::text("application/x-ndjson", lines, &self.correlation));
        }
        let said: Option<Vec<Value>> =
            answers.iter().map(|said| json::parse(said.as_bytes()).ok()).collect();
        let states = |said: &Vec<Value>| said.iter().map(ObjectState::read).collect();
        let known: Option<Vec<ObjectState>> = said.as_ref().and_then(states);
        let (Some(said), Some(known)) = (said, known) else {
            return Some(refusal(Code::LedgerUnavailable, &self.correlation, None));
        };
        match &mut self.stage {
            CopyStage::Page(_) => None,
            CopyStage::All(round) => {
                let end = round.answered(&known)?;
                Some(match end {
                    RoundEnd::Done => self.done(&Value::Null),
                    RoundEnd::Opened => self.done(&Value::from(OPENED)),
                    RoundEnd::Refused(name) => self.refuse(&name),
                })
            }
            CopyStage::One { object, is_let, .. } => {
                let state = known.first().copied().unwrap_or(ObjectState::Unknown);
                if object.is_named_by_the_list() && !*is_let {
                    *is_let = true;
                    return (state != ObjectState::Held).then(|| self.refuse("copy"));
                }
                let name = object.name.clone();
                Some(match state {
                    ObjectState::Held | ObjectState::Open => {
                        let next = said.first().and_then(|said| said.get("next"));
                        self.done(next.unwrap_or(&Value::Null))
                    }
                    ObjectState::Other => self.refuse("version"),
                    _ => self.refuse(&name),
                })
            }
        }
    }

    fn done(&self, next: &Value) -> Reply {
        let done = json::text(&json!({ "copy": self.copy, "next": next }));
        Reply::text("application/json", done, &self.correlation)
    }

    fn refuse(&self, name: &str) -> Reply {
        naming(refusal(Code::RestoreRefused, &self.correlation, None), name)
    }
}

impl CopiedObject {
    /// Whether only the list of channels tells that there is such an object.
    pub(super) const fn is_named_by_the_list(&self) -> bool {
        matches!(self.tables, CopiedTables::Channel | CopiedTables::Payee)
    }
}

impl Round {
    fn new(objects: Vec<CopiedObject>, deed: Deed) -> Self {
        let waiting = (0..objects.len()).collect();
        let states = objects.iter().map(|_| ObjectState::Unknown).collect();
        Self { objects, states, deed, waiting, asked: Vec::new(), held: Vec::new() }
    }

    fn calls(&mut self, copy: &str, details: &CopyDetails) -> Vec<CopyCall> {
        let mut count = self.waiting.len().min(AT_ONCE);
        // The list comes alone: while it is held, all are.
        if count > 1 && count == self.waiting.len() {
            count = count.saturating_sub(1);
        }
        self.asked = self.waiting.drain(..count).collect();
        let asked = self.asked.iter().filter_map(|index| self.objects.get(*index));
        asked.map(|object| CopyCall::new(object, self.deed.word(), copy, details)).collect()
    }

    /// Takes answers; the end of the request, if it is there.
    fn answered(&mut self, known: &[ObjectState]) -> Option<RoundEnd> {
        for (index, state) in self.asked.iter().zip(known) {
            if let Some(place) = self.states.get_mut(*index) {
                *place = *state;
            }
            if self.deed == Deed::Hold && *state == ObjectState::Held {
                self.held.push(*index);
            }
        }
        // Those that come after one that cannot be held are never held: the list of channels is the last.
        let is_held = |state: &ObjectState| matches!(state, ObjectState::Held | ObjectState::None);
        if self.deed == Deed::Hold && !known.iter().all(is_held) {
            self.waiting.clear();
        }
        if !self.waiting.is_empty() {
            return None;
        }
        let (empty, held, open) = (ObjectState::Empty, ObjectState::Held, ObjectState::Open);
        let refused = |name| Some(RoundEnd::Refused(name));
        match self.deed {
            // Objects of the same copy were let go: no other one takes rows any more.
            Deed::LookToHold if self.states.contains(&open) => match self.other_than(&[held, open])
            {
                Some(name) => refused(name),
                None => Some(RoundEnd::Opened),
            },
            Deed::LookToHold => match self.other_than(&[empty, held]) {
                Some(name) => refused(name),
                None => self.go_on(Deed::Hold, empty),
            },
            Deed::Hold if self.other_than(&[held]).is_none() => Some(RoundEnd::Done),
            Deed::Hold => {
                self.deed = Deed::Free;
                self.waiting = core::mem::take(&mut self.held).into();
                if self.waiting.is_empty() { self.freed() } else { None }
            }
            Deed::Free => self.freed(),
            Deed::LookToOpen => match self.other_than(&[held, open]) {
                Some(name) => refused(name),
                None => self.go_on(Deed::Open, held),
            },
            Deed::Open => match self.other_than(&[open]) {
                Some(name) => refused(name),
                None => Some(RoundEnd::Done),
            },
        }
    }

    /// The object that could not be held, once the others are free again.
    fn freed(&self) -> Option<RoundEnd> {
        let name = self.other_than(&[ObjectState::Held, ObjectState::Empty]);
        Some(RoundEnd::Refused(name.unwrap_or_default()))
    }

    fn go_on(&mut self, deed: Deed, of: ObjectState) -> Option<RoundEnd> {
        let states = self.states.iter().enumerate();
        self.waiting = states.filter(|(_, state)| **state == of).map(|(index, _)| index).collect();
        self.deed = deed;
        if self.waiting.is_empty() { Some(RoundEnd::Done) } else { None }
    }

    /// The name of the first object that is in no such state.
    fn other_than(&self, states: &[ObjectState]) -> Option<String> {
        let is_right = |state: &ObjectState| *state == ObjectState::None || states.contains(state);
        let place = self.states.iter().position(|state| !is_right(state))?;
        self.objects.get(place).map(|object| object.name.clone())
    }
}

/// The end of a deed in all objects.
enum RoundEnd {
    Done,
    /// All rows came before, and objects answer by them.
    Opened,
    /// The object of this name is in its way.
    Refused(String),
}

/// Says in the place of a page's number that all rows came before.
const OPENED: &str = "opened";
