//! A credential's wish, checked as far as no network is needed.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::payment::{ChannelAge, MppPayment, ShownDeposit, is_content};
use super::seen::EXPIRED;
use super::terms::ChannelOffer;
use super::told;
use crate::clients::Clients;
use crate::keys::Keys;
use crate::mpp::issue;
use crate::offer::Offer;
use crate::presented::{Presented, PresentedRequest};
use crate::session::asked::{AskedSession, Sessions};
use crate::session::payment::{Purpose, RecallScope, SessionDoor, SessionPayment};
use crate::session::step::{SessionRequest, SessionStep};
use farebox_base::amount::Amount;
use farebox_base::http::RequestHead;
use farebox_base::time::UnixTime;
use farebox_channel::config::{ChannelId, ChannelParties};
use farebox_channel::funds::{DepositToken, FundsPurpose, SignedFunds};
use farebox_channel::refusal::ChannelRefusal;
use farebox_channel::voucher::Voucher;
use farebox_common::payment::SignedToken;
use farebox_evm::address::Address;
use farebox_wire::mpp::session::{Funding, INTENT, SessionAction, ShownVoucher};
use farebox_wire::mpp::source::Source;
use farebox_wire::mpp::{Challenge, Credential, Malformed, charge, id};

/// Codes of OKX's dialect that are about the credential itself. Spec: OKX payments, error codes.
pub(in crate::session) const STALE_PARAMETERS: u32 = 30_001;
pub(in crate::session) const MALFORMED: u32 = 70_003;
const BLOCKED: u32 = 70_002;

/// An action of a credential, as far as it was checked.
struct ShownAction {
    purpose: Purpose,
    /// Its name on the wire.
    name: &'static str,
    deposit: ShownDeposit,
    /// Its voucher; one for nothing, without a signature, if it shows none.
    voucher: ShownVoucher,
}

/// Begins a request that shows a credential of a session of MPP; `None` if it shows none, or the
/// route sells none.
pub(in crate::session) fn begin_by_mpp<'g>(
    parts: Sessions<'g>,
    offer: &'g Offer,
    shown: &PresentedRequest,
    now: UnixTime,
) -> Option<SessionStep<'g>> {
    let (choice, sold) = offer.by_channel()?;
    let PresentedRequest { request, presented } = shown;
    let Presented::Mpp(Ok(credential)) = presented else { return None };
    if credential.challenge.intent != INTENT {
        return None;
    }
    let Sessions { keys, payers, .. } = parts;
    let sale = ChannelSale { keys, clients: &payers.clients, offer, sold };
    Some(match sale.read_credential(&request.head, credential, now) {
        Ok(payment) => {
            let (request, settlers) = (request.clone(), Vec::new());
            let asked = AskedSession { parts, offer, choice, request, payment, settlers };
            SessionRequest::begin(asked, now)
        }
        Err(code) => SessionStep::Respond(told::refused(keys, offer, request, code, None, now)),
    })
}

/// Reads an action in answer to a challenge of earlier terms, which can have bought something then;
/// `None` if it can not.
fn read_earlier(head: &RequestHead, action: SessionAction) -> Option<ShownAction> {
    let (name, voucher, scope) = match action {
        SessionAction::Open { voucher, .. } => ("open", voucher, RecallScope::Met),
        SessionAction::Voucher(voucher) => ("voucher", voucher, RecallScope::Answer),
        SessionAction::TopUp { .. } | SessionAction::Close(_) => return None,
    };
    let purpose = Purpose::Recall(scope);
    let deposit = ShownDeposit::Nothing;
    is_content(head).then_some(ShownAction { purpose, name, deposit, voucher })
}

/// Whether a challenge asks for the terms of today.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TermsAge {
    Todays,
    Earlier,
}

/// A route that sells by channels, and who may not buy there.
#[derive(Clone, Copy)]
struct ChannelSale<'a> {
    keys: &'a Keys,
    clients: &'a Clients,
    offer: &'a Offer,
    sold: &'a ChannelOffer,
}

impl ChannelSale<'_> {
    fn read_credential(
        self,
        head: &RequestHead,
        credential: &Credential,
        now: UnixTime,
    ) -> Result<SessionPayment, u32> {
        let Self { sold, .. } = self;
        let challenge = &credential.challenge;
        let reference = sold.reference(challenge);
        let is_here = challenge.realm == head.host();
        let terms = self.find_terms(challenge, reference.as_deref()).filter(|_| is_here);
        let is_todays = terms.ok_or(STALE_PARAMETERS)? == TermsAge::Todays;
        let expires = challenge.expires_at().ok().flatten();
        if expires.is_none_or(|expires| expires <= now) {
            return Err(EXPIRED);
        }
        let source = credential.source.as_deref().filter(|_| is_todays).map(|text| {
            let source = Source::parse(text).filter(|it| it.chain_id == sold.contract.chain_id);
            source.map(|it| it.address).ok_or(MALFORMED)
        });
        let source = source.transpose()?;
        let action = SessionAction::read(&credential.payload).map_err(|why| match why {
            Malformed::Wrong("signature" | "voucherSignature") => {
                ChannelRefusal::SignatureInvalid.okx()
            }
            _ => MALFORMED,
        })?;
        let action = match is_todays {
            true => self.read_action(head, action, source, now)?,
            false => read_earlier(head, action).ok_or(STALE_PARAMETERS)?,
        };
        let shown = MppPayment {
            action: action.name,
            challenge: challenge.id.clone(),
            source,
            deposit: action.deposit,
            queued: (false, 0),
            facts: None,
            age: ChannelAge::Unknown,
        };
        Ok(SessionPayment {
            purpose: action.purpose,
            channel: ChannelId::from_bytes(action.voucher.channel),
            cumulative: action.voucher.cumulative,
            signature: action.voucher.signature,
            signed: None,
            door: SessionDoor::Mpp(Box::new(shown)),
        })
    }

    /// Checks an action as far as no network is needed.
    fn read_action(
        self,
        head: &RequestHead,
        action: SessionAction,
        source: Option<Address>,
        now: UnixTime,
    ) -> Result<ShownAction, u32> {
        let Self { sold, .. } = self;
        let by_voucher = |purpose, name, voucher| {
            let deposit = ShownDeposit::Nothing;
            Ok(ShownAction { purpose, name, deposit, voucher })
        };
        match action {
            SessionAction::Open { voucher, salt, authorized_signer, funding } => {
                let payer = match &funding {
                    Funding::Authorized { authorization, .. } => authorization.from,
                    Funding::Sent(_) => source.ok_or(MALFORMED)?,
                };
                let parties = ChannelParties {
                    payer,
                    payee: sold.token.pay_to,
                    token: sold.token.asset,
                    salt,
                    authorized_signer,
                };
                if source.is_some_and(|it| it != payer && it != parties.signer()) {
                    return Err(MALFORMED);
                }
                let channel = parties.id(&sold.contract);
                if *channel.as_bytes() != voucher.channel {
                    return Err(ChannelRefusal::NotFound.okx());
                }
                // A node is asked for no one who did not sign.
                let first = Voucher { channel, cumulative: voucher.cumulative };
                first
                    .check(&sold.contract, parties.signer(), &voucher.signature)
                    .map_err(ChannelRefusal::okx)?;
                let purpose = FundsPurpose::Open(parties);
                let deposit = self.read_deposit(funding, purpose, voucher.cumulative, now)?;
                Ok(ShownAction { purpose: Purpose::Open, name: "open", deposit, voucher })
            }
            SessionAction::TopUp { channel, funding, salt, .. } => {
                let purpose = FundsPurpose::TopUp(ChannelId::from_bytes(channel), salt);
                let deposit = self.read_deposit(funding, purpose, Amount::ZERO, now)?;
                let voucher =
                    ShownVoucher { channel, cumulative: Amount::ZERO, signature: String::new() };
                Ok(ShownAction { purpose: Purpose::TopUp, name: "topUp", deposit, voucher })
            }
            SessionAction::Voucher(shown) if is_content(head) => {
                by_voucher(Purpose::Voucher, "voucher", shown)
            }
            SessionAction::Voucher(shown) => by_voucher(Purpose::Show, "voucher", shown),
            SessionAction::Close(shown) => by_voucher(Purpose::Close, "close", shown),
        }
    }

    /// How a credential shows a deposit: one that the gate is to send is worth it, and enough for
    /// this voucher.
    fn read_deposit(
        self,
        funding: Funding,
        purpose: FundsPurpose,
        cumulative: Amount,
        now: UnixTime,
    ) -> Result<ShownDeposit, u32> {
        let Self { sold, clients, .. } = self;
        let (authorization, signature) = match funding {
            Funding::Sent(hash) => {
                return Ok(match purpose {
                    FundsPurpose::Open(_) => ShownDeposit::Sent(hash),
                    FundsPurpose::TopUp(..) => ShownDeposit::Added(hash),
                });
            }
            Funding::Authorized { authorization, signature } => (authorization, signature),
        };
        let least = sold.sends_from.ok_or(MALFORMED)?;
        let signer = match &purpose {
            FundsPurpose::Open(parties) => parties.signer(),
            FundsPurpose::TopUp(..) => authorization.from,
        };
        let denies = |account: Address| clients.denies(&account.to_lower_hex());
        if denies(authorization.from) || denies(signer) {
            return Err(BLOCKED);
        }
        let is_dust = authorization.value < least;
        if is_dust || authorization.value < cumulative {
            return Err(ChannelRefusal::AboveDeposit.okx());
        }
        let SignedToken { asset, separator, .. } = &sold.token;
        let token = DepositToken { address: *asset, separator };
        SignedFunds::check(purpose, authorization, &signature, &sold.contract, token, now)
            .map(|funds| ShownDeposit::Signed(Box::new(funds)))
            .map_err(ChannelRefusal::okx)
    }

    /// The terms of a challenge that this gate has issued; `None` if it has not. Some payers read a
    /// list as one challenge: the id of the first, and everything else of the last one.
    fn find_terms(self, challenge: &Challenge, reference: Option<&str>) -> Option<TermsAge> {
        let keys: Vec<&[u8]> = self.keys.challenges().collect();
        if id::holds(&keys, challenge) {
            let is_todays = reference.is_some();
            return Some(if is_todays { TermsAge::Todays } else { TermsAge::Earlier });
        }
        let request = issue::request(self.offer, &self.sold.token, reference?)?;
        let beside = Challenge { intent: charge::INTENT.to_string(), request, ..challenge.clone() };
        id::holds(&keys, &beside).then_some(TermsAge::Todays)
    }
}
