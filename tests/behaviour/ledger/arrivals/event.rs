//! What may come next.

/// One thing that a client, the operator, an isolate or the platform does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// A payment at today's terms, and the facilitator settles it.
    Honest,
    /// The same, and no answer of the facilitator comes, nor a transaction.
    Unknown,
    /// The same, and the answer alone is lost.
    Lost,
    /// The same, and the facilitator refuses.
    Refused,
    /// The same, and the facilitator names a transaction that there is not.
    Lied,
    /// The same, and the facilitator names the transaction of the payment before.
    Stolen,
    /// The same, and the response is a stream.
    Stream,
    /// The same, and the stream breaks.
    Broken,
    /// The last payment once more.
    Repeat,
    /// One atomic unit to the payer themselves.
    OwnTerms,
    /// A payment that has ended.
    Late,
    /// A payment of one that may not pay.
    Denied,
    /// A wallet's signature that proves nothing, which the facilitator says.
    Forged,
    /// The same, in the name of the payer of all the others, from somewhere else.
    InTheirName,
    /// A wallet's signature that the facilitator finds good.
    Contract,
    /// A wallet's payment in one isolate, and a copy in another before the first is claimed.
    Beside,
    /// A payment that has to be proven, and a copy in an isolate where another price holds, before the first is claimed.
    Overtaken,
    /// The same, and the copy in an isolate whose settings refuse it.
    Outdated,
    /// A payment for the terms that were put up first.
    Earlier,
    /// A wallet's payment, and a copy in another isolate, whose facilitator has not heard of the money, before the first is claimed.
    Doubted,
    /// An honest payment of another payer.
    Second,
    /// A transaction of another chain.
    Elsewhere,
    /// The last one with bytes behind it.
    Trailed,
    /// The last one with another signature in the place of the missing one.
    Resigned,
    /// A hash of a transaction that the payer has sent.
    Sent,
    /// The same, shown after its challenge has ended.
    SentLate,
    /// The same, shown before a block has it.
    Early,
    /// The same, and the node says nothing.
    Unread,
    /// The same, and the node is blocks behind.
    Lagging,
    /// The last hash, shown by another payer under a challenge of their own.
    Claimed,
    /// A hash shown before the node has heard of it, and before that by another payer who has.
    Sniped,
    /// A hash that others have shown in the payer's name once a block had it, under a challenge that had long ended.
    Burnt,
    /// A hash that others have shown in the payer's name before a block had it, for another request.
    Diverted,
    /// A hash that no chain knows, in the payer's name, from somewhere else; the node's answer takes long.
    Junk,
    /// A signed transaction, which the gate sends.
    Signed,
    /// The same, and no block has it so far.
    Waiting,
    /// Blocks take what waits.
    Mine,
    /// The operator changes the settings.
    Change,
    /// The operator takes no wallets' signatures any more.
    Barred,
    /// The operator restores a ledger that knows nothing, says so, and changes the price.
    Restored,
    /// The alarm of the ledger, a while later.
    Alarm,
}

impl Event {
    /// Whether money is moved as it should be, so that the payer is served at once, if nothing of theirs is in doubt.
    pub fn serves(self) -> bool {
        matches!(self, Self::Sent | Self::SentLate | Self::Burnt)
    }
}
