//! The facts of a channel of MPP, which no credential but the first one names.

use alloc::string::{String, ToString};

use farebox_base::encoding::json::json;
use serde_json::Value;

use super::escrow::{Escrow, EscrowContract, EscrowDomain};
use super::refusal::ChannelRefusal;
use super::voucher::{CheckedVoucher, Voucher};
use farebox_base::encoding::json;
use farebox_evm::address::Address;
use farebox_evm::known::{KnownSigners, SignedDigest};
use farebox_evm::signature::Signature;

/// The parties and the contract of a channel, as the contract says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelFacts {
    /// The contract.
    pub contract: EscrowContract,
    /// The account that deposited.
    pub payer: Address,
    /// The account that is paid.
    pub payee: Address,
    /// The token.
    pub token: Address,
    /// The signer of vouchers.
    pub signer: Address,
}

impl ChannelFacts {
    /// The facts as text, to be kept beside a channel.
    #[must_use]
    pub fn to_text(&self) -> String {
        let Self { contract, payer, payee, token, signer } = self;
        let network = ["eip155:", &contract.chain_id.to_string()].concat();
        json::text(&json!({
            "config": {"receiver": payee.to_checksum(), "payer": payer.to_checksum()},
            "requirements": {
                "network": network,
                "asset": token.to_checksum(),
            },
            "chain": contract.chain_id,
            "escrow": contract.address.to_checksum(),
            "signer": signer.to_checksum(),
        }))
    }

    /// The contract, token and payee of the routes that are paid by this channel, as one text.
    #[must_use]
    pub fn sold_by(&self) -> String {
        sold_by(&self.contract, self.token, self.payee)
    }

    /// Reads them; `None` for the text of a channel of another protocol.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let Ok(Value::Object(kept)) = json::parse(text.as_bytes()) else { return None };
        let address = |value: Option<&Value>| Address::parse(value?.as_str()?).ok();
        let inner = |object: &str, name: &str| address(kept.get(object)?.get(name));
        Some(Self {
            contract: EscrowContract {
                escrow: Escrow::PaymentChannel,
                chain_id: kept.get("chain")?.as_u64()?,
                address: address(kept.get("escrow"))?,
            },
            payer: inner("config", "payer")?,
            payee: inner("config", "receiver")?,
            token: inner("requirements", "asset")?,
            signer: address(kept.get("signer"))?,
        })
    }
}

/// The contract, token and payee of a route, as one text.
#[must_use]
pub fn sold_by(contract: &EscrowContract, token: Address, payee: Address) -> String {
    let accounts = [contract.address, token, payee].map(|account| account.to_lower_hex());
    [contract.chain_id.to_string(), accounts.join("/")].join("/")
}

/// The signer of one channel.
#[derive(Clone, Debug)]
pub struct VoucherSigner {
    domain: EscrowDomain,
    address: Address,
    /// The voucher that was checked last, until it is charged.
    last: Option<(CheckedVoucher, SignedDigest)>,
}

impl VoucherSigner {
    /// The one of a channel with these facts.
    #[must_use]
    pub fn of(facts: &ChannelFacts) -> Self {
        Self { domain: facts.contract.domain(), address: facts.signer, last: None }
    }

    /// Checks a voucher of the channel, which has a deposit: once, though it is shown when its price
    /// is held and when it is charged.
    ///
    /// # Errors
    /// As [`Voucher::check`].
    pub fn check(
        &mut self,
        voucher: Voucher,
        signature: &str,
        signers: &KnownSigners,
    ) -> Result<CheckedVoucher, ChannelRefusal> {
        if let Some((checked, _)) = &self.last
            && checked.voucher == voucher
            && Signature::parse(signature).is_ok_and(|it| it == checked.signature)
        {
            return Ok(*checked);
        }
        let Self { domain, address, .. } = self;
        let known = signers.get(address);
        let (checked, signed) = voucher.check_in(domain, *address, known, signature)?;
        self.last = Some((checked, signed));
        Ok(checked)
    }

    /// Notes that this voucher was charged.
    pub fn charged(&mut self, voucher: &CheckedVoucher, signers: &mut KnownSigners) {
        if let Some((_, signed)) = self.last.take_if(|(checked, _)| checked == voucher) {
            signers.paid(&signed);
        }
    }
}
