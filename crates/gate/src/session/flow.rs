//! An answer that flows, as the edge lets it flow.

use alloc::string::String;

use farebox_base::time::UnixTime;
use farebox_channel::messages::ChannelReply;
use farebox_wire::mpp::session::UnitType;
use farebox_wire::mpp::stream::StreamFraming;

/// The limits that the edge needs to let a body flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowLimits {
    /// The unit that is counted.
    pub unit: UnitType,
    /// How many of it are paid.
    pub paid: u64,
    /// Whether it is made of server-sent events, and events of the gate may come between.
    pub framing: StreamFraming,
    /// Seconds without a byte after which the origin counts as broken.
    pub idle_secs: u64,
    /// Seconds after which a reader who takes nothing has left.
    pub taking_secs: u64,
}

/// A wait for a voucher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// The event that the reader is sent.
    pub event: Option<String>,
    /// The object.
    pub name: String,
    /// The message to the channel.
    pub message: String,
    /// The longest wait, seconds.
    pub secs: u64,
}

/// The end of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlowEnd {
    /// It is whole, after this text.
    Whole(String),
    /// It broke off.
    Cut,
}

/// An answer that flows.
#[cfg_attr(feature = "copies", derive(Clone))]
pub(super) struct Flow {
    pub framing: StreamFraming,
    /// The channel's last answer.
    pub said: ChannelReply,
    /// Since when it waits for a step; none while it flows.
    pub waits: Option<UnixTime>,
}
