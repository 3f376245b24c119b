//! A deposit that its payer has signed and the payee sends: an authorization for the escrow
//! contract, bound to its channel by the nonce. Spec: MPP `evm` session, "Relayed operations"; OKX
//! payments, "Credentials", whose contract also hashes who shares the payments, here no one.

use alloc::vec::Vec;

use super::config::{ChannelId, ChannelParties, top_up_nonce};
use super::escrow::EscrowContract;
use super::refusal::ChannelRefusal;
use farebox_base::amount::Amount;
use farebox_base::time::UnixTime;
use farebox_evm::address::Address;
use farebox_evm::eip3009::Authorization;
use farebox_evm::rpc::AuthorizationId;
use farebox_evm::signature::Signature;

/// The purpose of a deposit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FundsPurpose {
    /// A new channel.
    Open(ChannelParties),
    /// More for this one, with the salt of the nonce.
    TopUp(ChannelId, [u8; 32]),
}

/// A deposit that its payer has signed for this contract and channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedFunds {
    purpose: FundsPurpose,
    token: Address,
    authorization: Authorization,
    data: Vec<u8>,
}

/// The token of a deposit.
#[derive(Clone, Copy, Debug)]
pub struct DepositToken<'a> {
    /// Its contract.
    pub address: Address,
    /// The separator of its EIP-712 domain.
    pub separator: &'a [u8; 32],
}

impl SignedFunds {
    /// Checks all that no chain is needed for.
    ///
    /// # Errors
    /// [`ChannelRefusal::Malformed`] for another contract, channel or time than the nonce and the
    /// terms say, [`ChannelRefusal::SignatureInvalid`].
    pub fn check(
        purpose: FundsPurpose,
        authorization: Authorization,
        signature: &str,
        contract: &EscrowContract,
        token: DepositToken<'_>,
        now: UnixTime,
    ) -> Result<Self, ChannelRefusal> {
        let Authorization { from, to, value, valid_after, nonce, .. } = authorization;
        let bound = match &purpose {
            FundsPurpose::Open(parties) => parties.unsplit_nonce_of_okx(),
            FundsPurpose::TopUp(channel, salt) => top_up_nonce(channel, value, from, salt),
        };
        let is_bound = to == contract.address && nonce == bound;
        if !is_bound || !contract.escrow.fits(value) || valid_after >= now {
            return Err(ChannelRefusal::Malformed);
        }
        let invalid = |_| ChannelRefusal::SignatureInvalid;
        let signature = Signature::parse(signature).map_err(invalid)?;
        let signer = signature.recover(&authorization.receive_digest(token.separator));
        if signer != Ok(from) {
            return Err(ChannelRefusal::SignatureInvalid);
        }
        let data = data(&purpose, &authorization, &signature);
        Ok(Self { purpose, token: token.address, authorization, data })
    }

    /// The account that deposits.
    #[must_use]
    pub const fn payer(&self) -> Address {
        self.authorization.from
    }

    /// How much.
    #[must_use]
    pub const fn value(&self) -> Amount {
        self.authorization.value
    }

    /// Whether it is for a new channel.
    #[must_use]
    pub const fn opens(&self) -> bool {
        match self.purpose {
            FundsPurpose::Open(_) => true,
            FundsPurpose::TopUp(..) => false,
        }
    }

    /// Whether there is time to have it mined.
    #[must_use]
    pub fn is_in_time(&self, now: UnixTime) -> bool {
        self.authorization.valid_before >= now.plus(LEAST_SECS)
    }

    /// The id of its authorization at the token.
    #[must_use]
    pub const fn id(&self) -> AuthorizationId {
        let Authorization { from, nonce, .. } = self.authorization;
        AuthorizationId { asset: self.token, authorizer: from, nonce }
    }

    /// The data of the call that brings it to the contract.
    #[must_use]
    pub fn data(&self) -> Vec<u8> {
        self.data.clone()
    }
}

fn data(purpose: &FundsPurpose, signed: &Authorization, signature: &Signature) -> Vec<u8> {
    let word = |number: u64| Amount::from_u64(number).to_be_bytes();
    let (value, from) = (signed.value.to_be_bytes(), signed.from.to_word());
    let [after, before] = [signed.valid_after, signed.valid_before].map(|time| word(time.secs()));
    let times = [&after[..], &before, &signed.nonce].concat();
    let signature = [&word(65)[..], &signature.to_bytes(), &[0; 31]].concat();
    match purpose {
        FundsPurpose::Open(ChannelParties { payee, token, salt, authorized_signer, .. }) => {
            let signer = authorized_signer.to_word();
            let parties = [&payee.to_word()[..], &token.to_word(), &value, salt, &signer, &from];
            // Where the signature begins, and two lists without members.
            let tails = [384, 512, 544].map(word).concat();
            [&OPEN[..], &parties.concat(), &times, &tails, &signature, &[0; 64]].concat()
        }
        FundsPurpose::TopUp(channel, salt) => {
            let parties = [&channel.as_bytes()[..], &value, &from, salt].concat();
            [&TOP_UP[..], &parties, &times, &word(256), &signature].concat()
        }
    }
}

/// Seconds for which an authorization has to be valid when it is sent.
const LEAST_SECS: u64 = 60;
/// `openWithAuthorization(address,address,uint128,bytes32,address,address,uint256,uint256,bytes32,bytes,address[],uint16[])`
pub(super) const OPEN: [u8; 4] = [0xda, 0xcc, 0xa0, 0x80];
/// `topUpWithAuthorization(bytes32,uint128,address,bytes32,uint256,uint256,bytes32,bytes)`
const TOP_UP: [u8; 4] = [0xbc, 0xf5, 0x1e, 0x86];
