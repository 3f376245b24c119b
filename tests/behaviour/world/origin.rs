//! The origin: answers as planned, and records its requests.

use std::collections::VecDeque;

use farebox_core::gate::forward::OriginCall;
use farebox_core::gate::paid::{BodyLimits, Collected, OriginReply, StreamEnd};
use farebox_core::http::ResponseHead;

/// One answer of the origin.
#[derive(Clone, Debug)]
pub enum Say {
    /// A head and a body that is there at once.
    Whole(&'static str, &'static str),
    /// A head and a body of this many bytes.
    Bytes(&'static str, usize),
    /// A head and a body that takes longer than any limit, and its end.
    Slow(&'static str, StreamEnd),
    /// A head, then the connection breaks.
    Cut(&'static str),
    /// A head, then nothing.
    Stuck(&'static str),
    /// No head in time.
    TimedOut,
    /// No connection.
    Lost,
}

/// A body held by the edge.
#[derive(Clone, Debug)]
pub struct Held {
    /// The bytes so far.
    pub bytes: Vec<u8>,
    /// The result of reading it to the end.
    pub fate: Fate,
}

/// The end of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is complete.
    Complete,
    /// It goes on for long and ends like this.
    Long(StreamEnd),
    /// The connection breaks.
    Cut,
    /// No more bytes come.
    Stuck,
}

/// The origin.
#[derive(Clone, Default)]
pub struct Origin {
    /// The next answers; otherwise a small JSON document.
    pub plan: VecDeque<Say>,
    /// The requests.
    pub calls: Vec<OriginCall>,
}

impl Origin {
    /// Answers one request.
    pub fn call(&mut self, call: OriginCall) -> (OriginReply, Option<Held>) {
        let document = format!("{{\"paid\":\"{}\"}}", call.url);
        self.calls.push(call);
        let head = |text: &str| OriginReply::Head(ResponseHead::from_text(text).unwrap());
        let held = |bytes: &[u8], fate| Some(Held { bytes: bytes.to_vec(), fate });
        match self.plan.pop_front() {
            None => (
                head("200\ncontent-type: application/json"),
                held(document.as_bytes(), Fate::Complete),
            ),
            Some(Say::Whole(text, body)) => (head(text), held(body.as_bytes(), Fate::Complete)),
            Some(Say::Bytes(text, length)) => {
                (head(text), held(&vec![b'x'; length], Fate::Complete))
            }
            Some(Say::Slow(text, end)) => (head(text), held(b"begin", Fate::Long(end))),
            Some(Say::Cut(text)) => (head(text), held(b"beg", Fate::Cut)),
            Some(Say::Stuck(text)) => (head(text), held(b"", Fate::Stuck)),
            Some(Say::TimedOut) => (OriginReply::TimedOut, None),
            Some(Say::Lost) => (OriginReply::Lost, None),
        }
    }
}

impl Held {
    /// The result of reading to the end within these limits.
    pub fn collect(&self, limits: BodyLimits) -> Collected {
        let bytes = u64::try_from(self.bytes.len()).unwrap();
        match self.fate {
            Fate::Complete if bytes > limits.bytes => Collected::Open,
            Fate::Complete => Collected::Whole { bytes },
            Fate::Long(_) => Collected::Open,
            Fate::Cut => Collected::Broken,
            Fate::Stuck => Collected::TimedOut,
        }
    }

    /// The end of streaming the rest.
    pub fn stream(&self, promised: Option<u64>) -> StreamEnd {
        let short = promised.is_some_and(|promised| (self.bytes.len() as u64) < promised);
        match self.fate {
            Fate::Complete if short => StreamEnd::Broken,
            Fate::Complete => StreamEnd::Complete,
            Fate::Long(end) => end,
            Fate::Cut | Fate::Stuck => StreamEnd::Broken,
        }
    }
}
