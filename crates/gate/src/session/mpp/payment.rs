//! A credential of a session of MPP, as far as it was read.

use alloc::boxed::Box;
use alloc::string::String;

use farebox_base::http::{BodyPresence, RequestHead};
use farebox_base::time::UnixTime;
use farebox_channel::facts::ChannelFacts;
use farebox_channel::funds::SignedFunds;
use farebox_evm::address::Address;

/// A credential of a session that answers a challenge of this gate.
#[derive(Clone, Debug)]
pub(in crate::session) struct MppPayment {
    /// The action that is asked for.
    pub action: &'static str,
    /// The challenge that it answers.
    pub challenge: String,
    /// The account that it names as its source: the payer, or the signer for them.
    pub source: Option<Address>,
    /// The deposit that it brings.
    pub deposit: ShownDeposit,
    /// Whether that is queued to be sent, and how often the chain was looked at for it.
    pub queued: (bool, u8),
    /// The facts of the channel, once they are known.
    pub facts: Option<ChannelFacts>,
    /// Whether it was opened after the ledger was restored.
    pub age: ChannelAge,
}

/// Whether a channel was opened after the ledger was restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::session) enum ChannelAge {
    /// It is not known.
    Unknown,
    /// A node is asked whether it was there before this time.
    Asked(UnixTime),
    /// It was not there then, or it was opened in this request.
    Young,
    /// It may have been.
    Old,
}

/// How a credential shows a deposit.
#[derive(Clone, Debug)]
pub(in crate::session) enum ShownDeposit {
    /// Not at all.
    Nothing,
    /// By the transaction that brought it.
    Sent([u8; 32]),
    /// The same, where anyone could name one: it says itself which channel it is about.
    Added([u8; 32]),
    /// By a signature: the gate sends it.
    Signed(Box<SignedFunds>),
}

/// Whether a request asks for what is sold, and does not only bring a voucher. Spec: draft-tempo
/// session, "Content requests".
pub(in crate::session) fn is_content(head: &RequestHead) -> bool {
    match head.method.as_str() {
        "HEAD" => false,
        // Some platforms call a body of no bytes one.
        "POST" => {
            let has_body = head.body == BodyPresence::Present
                && head.headers.get("content-length") != Some("0");
            has_body || head.url.contains('?')
        }
        _ => true,
    }
}
