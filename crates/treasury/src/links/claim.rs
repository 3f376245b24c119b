//! Which link has an authorization. A token accepts one once, and it does not say what it is for:
//! so it pays one link of a treasury, of whichever organization, and none if it was used before.
//!
//! A node is asked first whether it is used: what no node shows unused writes nothing. Then the link
//! asks for it, before anything else is written or sent, in an object that the authorization's name
//! chooses, so that all organizations ask the same one. It is given once, and until it ends, from
//! when on no link takes it: a link whose work was lost in between finds that it has it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::books::{Change, Rows};
use crate::chain::ChainReader;
use crate::kernel::Decision;
use crate::message::{Answer, ClaimTold, Command, LinkClaim, LinkCommand};
use farebox_base::chain::ChainId;
use farebox_base::encoding::hex;
use farebox_base::hash;
use farebox_evm::address::Address;
use farebox_evm::rpc::reply::Replies;
use farebox_evm::rpc::{At, AuthorizationId, Call, batch};
use farebox_wire::a2a::link::{LinkPayment, LinkState, PaymentLink};

/// The reason of a link that takes no such payment.
pub(super) const USED: &str = "authorization_used";
/// Begins the names of these objects, as no organization's name does; one hex digit follows.
const OBJECT: &str = "authorizations/";
/// Calls of the request to a node.
const CALLS: usize = 3;

/// Why a payment is not sent.
pub(super) enum Unsent {
    /// Its authorization was used before, or another link has it.
    Used,
    /// No node says whether it was.
    Unseen,
}

/// The claim that is made before a link takes a payment; `None` without a node.
pub(super) fn write_claim(
    chain: &ChainReader,
    taken: &PaymentLink,
    asked: &LinkCommand,
) -> Option<LinkClaim> {
    let (chain_id, calls) = sight(taken)?;
    let node = chain.node(&ChainId::parse(&taken.network).ok()?)?.to_string();
    let name = taken.payment_name()?;
    let digest = hash::digest(&[name.as_bytes()]);
    Some(LinkClaim {
        object: format!("{OBJECT}{}", digest.get(..1)?),
        name,
        link: taken.id.clone(),
        until: taken.payment()?.valid_before,
        chain_id,
        node: (node, batch(&calls)),
        asked: asked.clone(),
    })
}

/// Gives an authorization to the first link that asks for it; says which one has it.
pub(crate) fn give<B: Rows>(
    books: &B,
    name: String,
    link: String,
    until: u64,
) -> Result<Decision, B::Error> {
    let holder = books.claim(&name)?;
    Ok(match holder {
        Some(holder) => Decision::told(Answer::Held(holder)),
        None => {
            let changes = Vec::from([Change::Claim(name, link.clone(), until)]);
            Decision { answer: Answer::Held(link), changes }
        }
    })
}

/// The link with its payment, if it has the authorization and the chain shows it unused.
pub(super) fn accept_claim(taken: PaymentLink, claimed: &ClaimTold) -> Result<PaymentLink, Unsent> {
    let (chain_id, _) = sight(&taken).ok_or(Unsent::Unseen)?;
    let sight = claimed.sight.as_deref();
    let (is_used, seen_block) = seen(chain_id, sight).ok_or(Unsent::Unseen)?;
    let is_its = claimed.holder.as_ref() == Some(&taken.id);
    if is_used || !is_its {
        return Err(Unsent::Used);
    }
    let LinkState::Settling(payment) = taken.state else { return Err(Unsent::Unseen) };
    let state = LinkState::Settling(LinkPayment { seen_block, ..payment });
    Ok(PaymentLink { state, ..taken })
}

/// The chain's number, and the calls of a node that is asked about the payment of a link.
fn sight(taken: &PaymentLink) -> Option<(u64, [Call; CALLS])> {
    let payment = taken.payment()?;
    let authorization = AuthorizationId {
        asset: Address::parse(&taken.contract).ok()?,
        authorizer: Address::parse(&payment.from).ok()?,
        nonce: hex::decode_array(&payment.nonce).ok()?,
    };
    let state = Call::AuthorizationState { authorization, at: At::Latest };
    let chain_id = ChainId::parse(&taken.network).ok()?.evm_id()?;
    Some((chain_id, [Call::ChainId, Call::BlockNumber, state]))
}

impl LinkClaim {
    /// The command to its object once a node has replied; `None` unless the reply shows the
    /// authorization unused.
    #[must_use]
    pub fn asks(&self, sight: Option<&str>) -> Option<Command> {
        let is_unused = seen(self.chain_id, sight).is_some_and(|(is_used, _)| !is_used);
        let may = is_unused;
        let (name, link) = (self.name.clone(), self.link.clone());
        may.then_some(Command::Claim { name, link, until: self.until })
    }
}

/// Whether the authorization was used, and the newest block then.
fn seen(chain_id: u64, sight: Option<&str>) -> Option<(bool, u64)> {
    let replies = Replies::read(sight?.as_bytes(), CALLS).ok()?;
    let is_it = replies.quantity(0).ok()? == chain_id;
    let (block, is_used) = (replies.quantity(1).ok()?, replies.flag(2).ok()?);
    is_it.then_some((is_used, block))
}
