//! Events of a stream that is paid by session: the pause for a voucher, and the receipt at its end.
//! Spec: draft-payment-session, "Streaming"; HTML, "Server-sent events".

use alloc::string::{String, ToString};

use serde_json::Value;

use farebox_base::amount::Amount;
use farebox_base::encoding::json;
use farebox_base::http::Headers;

/// The pause of a stream until a higher voucher comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeedVoucher {
    /// The channel, as it is written.
    pub channel: String,
    /// The amount that the next voucher has to be for.
    pub required: Amount,
    /// The amount that was accepted.
    pub accepted: Amount,
    /// The amount that is deposited: a voucher above it needs a top-up first.
    pub deposit: Amount,
}

/// One event of a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamEvent {
    /// A part of the answer.
    Message(String),
    /// The stream waits.
    NeedVoucher(NeedVoucher),
    /// The receipt of the payment.
    Receipt(Value),
}

/// How a body that flows is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamFraming {
    /// Between server-sent events.
    Events,
    /// Anywhere.
    Bytes,
}

impl StreamFraming {
    /// That of a body with this head.
    #[must_use]
    pub fn of(headers: &Headers) -> Self {
        let kind = headers.get("content-type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        match kind.eq_ignore_ascii_case("text/event-stream") {
            true => Self::Events,
            false => Self::Bytes,
        }
    }
}

const MESSAGE: &str = "message";
const NEED_VOUCHER: &str = "payment-need-voucher";
const RECEIPT: &str = "payment-receipt";
/// Limit on the length of one event, bytes: of a longer one nobody can say what it costs.
pub const MAX_EVENT_BYTES: usize = 1024 * 1024;

impl StreamEvent {
    /// Writes the event with the empty line that ends it.
    ///
    /// # Examples
    /// ```
    /// use farebox_wire::mpp::stream::StreamEvent;
    /// let event = StreamEvent::Message("a\nb".into());
    /// assert_eq!(event.to_text(), "event: message\ndata: a\ndata: b\n\n");
    /// assert_eq!(StreamEvent::read(&event.to_text()), Some(event));
    /// ```
    #[must_use]
    pub fn to_text(&self) -> String {
        let (name, data) = match self {
            Self::Message(data) => (MESSAGE, data.clone()),
            Self::NeedVoucher(need) => (NEED_VOUCHER, need.to_json()),
            Self::Receipt(receipt) => (RECEIPT, json::text(receipt)),
        };
        let mut text = ["event: ", name, "\n"].concat();
        for line in data.split('\n') {
            text.push_str("data: ");
            text.push_str(line);
            text.push('\n');
        }
        text.push('\n');
        text
    }

    /// Reads one event, up to its empty line; `None` if it has no data, or data that is not what its
    /// name says. An event with another name is a message. Lines may end with CR, LF or both.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (mut name, mut data) = (MESSAGE, None::<String>);
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        for line in text.lines() {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => name = value,
                "data" => match &mut data {
                    Some(data) => {
                        data.push('\n');
                        data.push_str(value);
                    }
                    None => data = Some(value.to_string()),
                },
                _ => {}
            }
        }
        let data = data?;
        match name {
            NEED_VOUCHER => NeedVoucher::read(&data).map(Self::NeedVoucher),
            RECEIPT => {
                let receipt = json::parse(data.as_bytes()).ok()?;
                receipt.is_object().then_some(Self::Receipt(receipt))
            }
            _ => Some(Self::Message(data)),
        }
    }
}

impl NeedVoucher {
    fn to_json(&self) -> String {
        let Self { channel, required, accepted, deposit } = self;
        let channel = json::text(channel);
        alloc::format!(
            r#"{{"channelId":{channel},"requiredCumulative":"{required}","acceptedCumulative":"{accepted}","deposit":"{deposit}"}}"#
        )
    }

    fn read(data: &str) -> Option<Self> {
        let object = json::parse(data.as_bytes()).ok()?;
        let text = |name| object.get(name)?.as_str();
        let amount = |name| Amount::from_atomic(text(name)?).ok();
        Some(Self {
            channel: text("channelId")?.to_string(),
            required: amount("requiredCumulative")?,
            accepted: amount("acceptedCumulative")?,
            deposit: amount("deposit")?,
        })
    }
}
