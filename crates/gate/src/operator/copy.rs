//! Copies of the ledger: the rows of each object, read page by page, and put into a gate whose objects
//! hold nothing. Spec: docs/operations.md, "Copies of the ledger".
//!
//! A restore first holds every object that has a fixed name, and only if none has anything: a held
//! object answers nothing else, so nothing is sold beside rows that are not all there, and rows come
//! into no gate that has sold. They are let go together, once all are whole.

mod restore;

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use self::restore::CopyStage;
use super::query::{Query, Wrong};
use super::visit::METERS;
use super::{is_payee_row, refusal};
use crate::keys::Keys;
use crate::parts::{PricedRoutes, Shards};
use crate::reply::Reply;
use crate::restore::Restore;
use farebox_base::encoding::json::{self, json};
use farebox_base::time::UnixTime;
use farebox_channel::config::ChannelId;
use farebox_channel::index::{self, channel_object};
use farebox_channel::payee::call::object as payee_object;
use farebox_common::problem::Code;
use farebox_ledger::restored::NOTE;

/// The command that brings a page.
const TAKE: &str = "take";
/// Longest page of a copy, bytes.
pub const MAX_PAGE_BYTES: usize = 8 * 1024 * 1024;
/// Bytes after which a page ends: a row more may be in it, with the answer that it keeps.
const PAGE_BYTES: u32 = 256 * 1024;
/// Version of the lines of a copy.
const FORMAT: u8 = 1;
/// Hex digits in the name of a copy.
const NAME_DIGITS: usize = 32;
/// Tables that are read first. What names a payment comes before the payments, what they name after
/// them: so a row names none that is younger than the copy.
const FIRST: [&str; 3] = ["meta", "aliases", "payments"];
/// Tables of counts: anyone makes some there, so an object that has no other row holds nothing.
const COUNTS: [&str; 4] = ["meta", "attempts", "meters", "quota"];

/// The tables of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopiedTables {
    /// Those of a ledger object.
    Ledger,
    /// The list of channels.
    List,
    /// A channel.
    Channel,
    /// The queue of an account of a payee.
    Payee,
}

impl CopiedTables {
    /// Their name in a command.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ledger => "ledger",
            Self::List => "listed",
            Self::Channel => "channel",
            Self::Payee => "payee",
        }
    }
}

/// An object whose rows are copied.
#[derive(Clone, Debug)]
pub(super) struct CopiedObject {
    /// Its name in a copy.
    name: String,
    /// The name that it is found by.
    object: String,
    tables: CopiedTables,
}

impl CopiedObject {
    fn new(name: String, tables: CopiedTables) -> Self {
        Self { object: name.clone(), name, tables }
    }

    fn list() -> Self {
        Self::new(index::OBJECT.to_owned(), CopiedTables::List)
    }
}

/// A call to an object about its rows.
#[derive(Clone, Debug)]
pub struct CopyCall {
    /// Name of the object.
    pub object: String,
    /// Whether it is one of those of channels.
    pub is_of_channels: bool,
    /// The command, JSON.
    pub command: String,
    /// Whether the page of the request goes along.
    pub with_page: bool,
}

impl CopyCall {
    /// The answer where no objects of this kind are bound.
    pub const UNBOUND: &'static str = r#"{"state":"none"}"#;

    pub(super) fn new(of: &CopiedObject, deed: &str, copy: &str, more: &CopyDetails) -> Self {
        let CopyDetails { page, after } = more;
        let command = json!({
            "do": deed,
            "tables": of.tables.name(),
            "copy": copy,
            "page": page,
            "after": after,
            "bytes": PAGE_BYTES,
            // No request holds them before: their names are in the list of channels.
            "holds": matches!(of.tables, CopiedTables::Channel | CopiedTables::Payee),
            "first": FIRST,
            "counts": COUNTS,
            "note": (of.tables == CopiedTables::Ledger).then_some(NOTE),
        });
        Self {
            object: of.object.clone(),
            is_of_channels: of.tables != CopiedTables::Ledger,
            command: json::text(&command),
            with_page: deed == TAKE,
        }
    }
}

/// The place in a copy that a call is about.
#[derive(Clone, Debug, Default)]
pub(super) struct CopyDetails {
    /// Number of the page that is put back.
    page: u64,
    /// Where the page before ended, as the object has said it.
    after: String,
}

/// The next step of a copy.
#[derive(Debug)]
pub enum CopyStep {
    /// Ask these objects and pass all answers, in this order, to [`CopyQuery::answered`].
    Ask(Vec<CopyCall>),
    /// Answer this.
    Answer(Reply),
}

/// A request about a copy, and the answers so far.
#[derive(Debug)]
pub struct CopyQuery {
    stage: CopyStage,
    /// The name of the copy.
    copy: String,
    details: CopyDetails,
    correlation: String,
    reply: Option<Reply>,
}

/// The plan of a request about a copy.
#[derive(Debug)]
pub(super) enum CopyPlan {
    /// An answer that needs no object.
    Told(Reply),
    /// Questions to objects.
    Query(Box<CopyQuery>),
}

/// Requests about copies.
pub(super) struct Copies<'a> {
    pub shards: &'a Shards,
    pub routes: &'a PricedRoutes,
    pub keys: &'a Keys,
    pub restore: Restore,
    pub correlation: &'a str,
}

impl Copies<'_> {
    /// Reads a page of an object; without one, says which gate this is.
    pub(super) fn read(&self, query: &Query, now: UnixTime) -> Result<CopyPlan, Wrong> {
        let Some(name) = query.get("object") else {
            return Ok(CopyPlan::Told(self.describe(now)));
        };
        let object = self.object(name).ok_or_else(|| Wrong::named("object"))?;
        let after = query.get("after").unwrap_or_default().to_owned();
        let details = CopyDetails { page: 0, after };
        Ok(self.query(CopyStage::Page(object), "", details))
    }

    /// Puts rows back.
    pub(super) fn put_back(&self, query: &Query) -> Result<CopyPlan, Wrong> {
        let copy = query.get("copy").filter(|copy| is_name(copy));
        let copy = copy.ok_or_else(|| Wrong::named("copy"))?;
        let object = || {
            let object = query.get("object").and_then(|name| self.object(name));
            object.ok_or_else(|| Wrong::named("object"))
        };
        let page = query.number("page", 0, 0..=u64::from(u32::MAX))?;
        let stage = match query.get("do") {
            Some("begin") => match self.mismatch(query) {
                Some(name) => return Ok(CopyPlan::Told(self.refuse(name))),
                None => CopyStage::begin(self.fixed()),
            },
            Some("page") => CopyStage::take(object()?),
            // All others are let go together.
            Some("open") => {
                let object = object()?;
                let is_alone = object.is_named_by_the_list();
                CopyStage::open(
                    Some(object).filter(|_| is_alone).ok_or_else(|| Wrong::named("object"))?,
                )
            }
            Some("end") => CopyStage::end(self.fixed()),
            _ => return Err(Wrong::named("do")),
        };
        Ok(self.query(stage, copy, CopyDetails { page, after: String::new() }))
    }

    fn query(&self, stage: CopyStage, copy: &str, details: CopyDetails) -> CopyPlan {
        let (copy, correlation) = (copy.to_owned(), self.correlation.to_owned());
        CopyPlan::Query(Box::new(CopyQuery { stage, copy, details, correlation, reply: None }))
    }

    fn refuse(&self, name: &str) -> Reply {
        super::naming(refusal(Code::RestoreRefused, self.correlation, None), name)
    }

    /// The gate: what a copy has to fit to, and whether anything can be paid here meanwhile.
    fn describe(&self, now: UnixTime) -> Reply {
        let objects: Vec<String> = self.fixed().into_iter().map(|object| object.name).collect();
        let gate = json!({
            "format": FORMAT,
            "at": now.secs(),
            "salt": self.keys.ledger_print(),
            "objects": objects,
            "restores": self.keys.restores().collect::<Vec<_>>(),
            "sells": self.routes.sold().next().is_some(),
        });
        Reply::text("application/json", json::text(&gate), self.correlation)
    }

    /// The setting that does not fit to a copy: a payment that is in none of its rows would be a new
    /// one, and a session asks its channel alone, which is held only once rows come for it.
    fn mismatch(&self, query: &Query) -> Option<&'static str> {
        let is_ours = query.get("salt") == Some(&self.keys.ledger_print());
        // Nothing was sold while it was made, says the gate that it is of.
        let until = query.get("until").map(str::parse::<u64>);
        let is_closed = match until {
            None => true,
            Some(Ok(until)) => self.restore.at.is_some_and(|at| until <= at.secs()),
            Some(Err(_)) => false,
        };
        let mut restores = query.get("restores").unwrap_or_default().split(',');
        let is_known = |text: &str| {
            text.is_empty() || self.keys.restores().any(|restore| restore.to_string() == text)
        };
        if !is_ours {
            return Some("LEDGER_SALT");
        }
        // A channel names the last restore before it was opened.
        if !is_closed || !restores.all(is_known) {
            return Some("LEDGER_CLOSED_BEFORE");
        }
        self.routes.sells_by_session().then_some("ROUTES")
    }

    /// The objects that every gate of these settings has.
    fn fixed(&self) -> Vec<CopiedObject> {
        let ledger = self.shards.objects().chain([METERS.to_owned()]);
        let ledger = ledger.map(|name| CopiedObject::new(name, CopiedTables::Ledger));
        // Last: while it is held, all are.
        ledger.chain([CopiedObject::list()]).collect()
    }

    /// The object of this name in a copy.
    fn object(&self, name: &str) -> Option<CopiedObject> {
        if let Some(id) = name.strip_prefix(CHANNELS).and_then(ChannelId::parse) {
            let object = CopiedObject::new(channel_object(&id.to_string()), CopiedTables::Channel);
            return (object.name == name).then_some(object);
        }
        if is_payee_row(name) {
            let (_, network) = name.split_once('/')?;
            let object = payee_object(network, &self.keys.payee()?.address());
            return Some(CopiedObject {
                name: name.to_owned(),
                object,
                tables: CopiedTables::Payee,
            });
        }
        self.fixed().into_iter().find(|object| object.name == name)
    }
}

/// How the names of channels' objects begin.
const CHANNELS: &str = "channel/";

/// Whether this is a name of a copy.
fn is_name(text: &str) -> bool {
    text.len() == NAME_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
