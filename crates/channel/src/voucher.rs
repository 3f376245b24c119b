//! Vouchers: what a payer signs for a channel, and the check without which none is accepted.

use alloc::string::ToString;

use farebox_base::encoding::json::json;
use serde_json::Value;

use super::config::ChannelId;
use super::escrow::{EscrowContract, EscrowDomain};
use super::refusal::ChannelRefusal;
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;
use farebox_evm::address::Address;
use farebox_evm::eip712;
use farebox_evm::keccak::keccak256_parts;
use farebox_evm::known::{KnownSigner, SignedDigest};
use farebox_evm::signature::Signature;

/// The highest voucher that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HighestVoucher {
    /// Its amount.
    pub cumulative: Amount,
    /// Its signature.
    pub signature: Signature,
}

/// The permission to claim up to an amount from a channel, counted from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Voucher {
    /// The channel.
    pub channel: ChannelId,
    /// Atomic units of the token, over the whole life of the channel.
    pub cumulative: Amount,
}

impl Voucher {
    /// Reads the amount as protocols write it: canonical decimal text.
    ///
    /// # Errors
    /// [`ChannelRefusal::Malformed`] for another spelling.
    pub fn parse(channel: ChannelId, cumulative: &str) -> Result<Self, ChannelRefusal> {
        let cumulative = Amount::from_atomic(cumulative).map_err(|_| ChannelRefusal::Malformed)?;
        Ok(Self { channel, cumulative })
    }

    /// The EIP-712 digest that is signed.
    #[must_use]
    pub fn digest(&self, contract: &EscrowContract) -> [u8; 32] {
        self.digest_in(&contract.domain())
    }

    fn digest_in(&self, domain: &EscrowDomain) -> [u8; 32] {
        let hash = keccak256_parts(&[
            &domain.contract.escrow.voucher_type_hash(),
            self.channel.as_bytes(),
            &self.cumulative.to_be_bytes(),
        ]);
        eip712::digest(&domain.separator, &hash)
    }

    /// Checks that `signer` signed it for this contract.
    ///
    /// One voucher has one signature in one spelling: 65 bytes, v 27 or 28, s in the lower half.
    ///
    /// # Errors
    /// [`ChannelRefusal::Malformed`] if the amount does not fit the contract,
    /// [`ChannelRefusal::SignatureInvalid`].
    pub fn check(
        self,
        contract: &EscrowContract,
        signer: Address,
        signature: &str,
    ) -> Result<CheckedVoucher, ChannelRefusal> {
        self.check_in(&contract.domain(), signer, None, signature).map(|(checked, _)| checked)
    }

    /// The same for a contract whose separator is known, by a signer who may be known; also what
    /// the signer has signed.
    ///
    /// # Errors
    /// As [`Voucher::check`].
    pub fn check_in(
        self,
        domain: &EscrowDomain,
        signer: Address,
        known: Option<&KnownSigner>,
        signature: &str,
    ) -> Result<(CheckedVoucher, SignedDigest), ChannelRefusal> {
        if !domain.contract.escrow.fits(self.cumulative) {
            return Err(ChannelRefusal::Malformed);
        }
        let invalid = |_| ChannelRefusal::SignatureInvalid;
        let signature = Signature::parse(signature).map_err(invalid)?;
        let signed = SignedDigest { signer, digest: self.digest_in(domain), signature };
        if signed.holds(known) {
            Ok((CheckedVoucher { voucher: self, signature }, signed))
        } else {
            Err(ChannelRefusal::SignatureInvalid)
        }
    }
}

/// A voucher that its channel's signer has signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckedVoucher {
    pub(super) voucher: Voucher,
    pub(super) signature: Signature,
}

impl CheckedVoucher {
    /// A voucher that was checked before it was written down.
    #[must_use]
    pub const fn known(voucher: Voucher, signature: Signature) -> Self {
        Self { voucher, signature }
    }

    /// Its members as payloads of x402 have them, each in one spelling.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "channelId": self.voucher.channel.to_string(),
            "maxClaimableAmount": self.voucher.cumulative.to_string(),
            "signature": hex::encode_prefixed(&self.signature.to_bytes()),
        })
    }

    /// The voucher.
    #[must_use]
    pub const fn voucher(&self) -> &Voucher {
        &self.voucher
    }

    /// Its only signature.
    #[must_use]
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }
}
