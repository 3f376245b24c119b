//! Channels: typed data and ids as wallets and contracts compute them, and published sequences of vouchers.

use farebox_core::amount::Amount;
use farebox_core::channel::authorizer::{
    ClaimEntry, RelayAuthorization, Relayed, claim_digest, refund_digest, relay_digest,
};
use farebox_core::channel::config::{
    ChannelConfig, ChannelId, ChannelParties, deposit_nonce, top_up_nonce,
};
use farebox_core::channel::escrow::{Escrow, EscrowContract};
use farebox_core::channel::refusal::ChannelRefusal;
use farebox_core::channel::state::{Channel, OnChain, Promise, Purchase, Sight, VoucherRule};
use farebox_core::channel::voucher::Voucher;
use farebox_core::encoding::hex;
use farebox_core::evm::address::Address;
use farebox_core::evm::eip712::Domain;
use farebox_core::evm::eip3009::Authorization;
use farebox_core::evm::signature::Signature;
use farebox_core::time::UnixTime;
use serde_json::Value;

use crate::support::{cases, document, text};

const KINDS: [Escrow; 4] = [
    Escrow::BatchSettlement,
    Escrow::PaymentChannel,
    Escrow::StreamChannel,
    Escrow::ChannelReserve,
];

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn word(text: &str) -> [u8; 32] {
    hex::decode_array(text).unwrap()
}

fn amount(text: &str) -> Amount {
    Amount::from_atomic(text).unwrap()
}

fn channel_id(text: &str) -> ChannelId {
    ChannelId::parse(text).unwrap()
}

fn seconds(value: &Value) -> UnixTime {
    UnixTime::from_secs(value.as_str().unwrap().parse().unwrap())
}

/// The contract of a domain; `None` if no voucher of it would count.
fn contract(domain: &Value) -> Option<EscrowContract> {
    let escrow = KINDS.into_iter().find(|kind| kind.domain_name() == text(domain, "name"))?;
    assert_eq!(domain["version"], "1");
    let chain_id = domain["chainId"].as_u64().unwrap();
    Some(EscrowContract { escrow, chain_id, address: address(text(domain, "verifyingContract")) })
}

#[test]
fn vouchers_of_other_implementations_have_our_digest_and_one_spelling() {
    let (mut vouchers, mut spellings, mut relays) = (0, 0, 0);
    for case in cases("mpp/vouchers", "vectors") {
        let (label, typed) = (text(&case, "scheme"), &case["typedData"]);
        let contract = contract(&typed["domain"]).unwrap();
        let separator = hex::encode_prefixed(&contract.separator());
        assert_eq!(separator, text(&case, "domainSeparator"), "{label}");
        let message = &typed["message"];
        let channel = channel_id(text(message, "channelId"));
        let cumulative = text(message, "cumulativeAmount");
        let relayed = match text(typed, "primaryType") {
            "SettleAuthorization" => Some(Relayed::Settle),
            "CloseAuthorization" => Some(Relayed::Close),
            other => {
                assert_eq!(other, "Voucher", "{label}");
                None
            }
        };
        if let Some(relayed) = relayed {
            relays += 1;
            let authorization = RelayAuthorization {
                relayed,
                channel,
                cumulative: amount(cumulative),
                nonce: amount(text(message, "nonce")),
                deadline: amount(text(message, "deadline")),
            };
            let digest = relay_digest(&contract, &authorization);
            assert_eq!(hex::encode_prefixed(&digest), text(&case, "digest"), "{label}");
            let signer = Signature::parse(text(&case, "signature")).unwrap().recover(&digest);
            assert_eq!(signer, Ok(address(text(&case, "signer"))), "{label}");
            continue;
        }
        vouchers += 1;
        let voucher = Voucher::parse(channel, cumulative).unwrap();
        let digest = hex::encode_prefixed(&voucher.digest(&contract));
        assert_eq!(digest, text(&case, "digest"), "{label}");
        let signer = address(text(&case, "recovered"));
        assert!(voucher.check(&contract, signer, text(&case, "signature")).is_ok(), "{label}");
        if let Some(inputs) = case.get("channelIdInputs") {
            let parties = ChannelParties {
                payer: address(text(inputs, "payer")),
                payee: address(text(inputs, "payee")),
                token: address(text(inputs, "token")),
                salt: word(text(inputs, "salt")),
                authorized_signer: address(text(inputs, "authorizedSigner")),
            };
            assert_eq!(parties.id(&contract), channel, "{label}");
            assert_eq!(parties.signer(), signer, "{label}");
        }
        for check in case["checks"].as_array().into_iter().flatten() {
            let what = text(check, "what");
            spellings += 1;
            let counts = matches!(what, "as signed" | "upper-case hex");
            let one = Amount::from_u64(1);
            let more = Voucher {
                cumulative: voucher.cumulative.checked_add(one).unwrap_or(one),
                ..voucher
            };
            let (shown, signature) = match check["signature"].as_str() {
                Some(signature) => (voucher, signature),
                None => (more, text(&case, "signature")),
            };
            let checked = shown.check(&contract, signer, signature);
            assert_eq!(checked.is_ok(), counts, "{label}: {what}");
        }
        let rejected = case["rejectedVariants"].as_object().cloned().unwrap_or_default();
        for (what, signature) in &rejected {
            spellings += 1;
            let checked = voucher.check(&contract, signer, signature.as_str().unwrap());
            assert_eq!(checked, Err(ChannelRefusal::SignatureInvalid), "{label}: {what}");
        }
    }
    assert_eq!((vouchers, relays), (11, 2));
    assert!(spellings > 30, "{spellings}");
}

//
#[test]
fn ids_and_nonces_of_channels_are_those_of_the_contracts() {
    let file = document("mpp/evm-channel-derivations");
    let contract = EscrowContract {
        escrow: Escrow::PaymentChannel,
        chain_id: file["chainId"].as_u64().unwrap(),
        address: address(text(&file, "escrow")),
    };
    let payer = address(text(&file, "payer"));
    let parties = ChannelParties {
        payer,
        payee: address(text(&file, "payee")),
        token: address(text(&file, "token")),
        salt: word(text(&file, "salt")),
        authorized_signer: Address::ZERO,
    };
    let ids = &file["channelId"];
    assert_eq!(parties.id(&contract).to_string(), text(ids, "authorizedSignerZero"));
    let own = ChannelParties { authorized_signer: payer, ..parties };
    assert_eq!(own.id(&contract).to_string(), text(ids, "authorizedSignerPayer"));
    let draft = text(&file["openNonce"]["draft"], "value");
    assert_eq!(hex::encode_prefixed(&parties.open_nonce()), draft);
    let of_okx = file["openNonce"]["okx"].as_array().unwrap();
    assert_eq!(of_okx.len(), 2);
    for case in of_okx {
        let recipients = case["splitRecipients"].as_array().unwrap();
        let points = case["splitBps"].as_array().unwrap();
        let splits: Vec<(Address, u16)> = recipients
            .iter()
            .zip(points)
            .map(|(recipient, points)| {
                (address(recipient.as_str().unwrap()), points.as_u64().unwrap() as u16)
            })
            .collect();
        let nonce = parties.open_nonce_of_okx(&splits);
        assert_eq!(nonce == parties.unsplit_nonce_of_okx(), splits.is_empty());
        assert_eq!(hex::encode_prefixed(&nonce), text(case, "value"));
    }
    let top_up = &file["topUpNonce"];
    let channel = parties.id(&contract);
    let more = amount(text(top_up, "additionalDeposit"));
    let nonce = top_up_nonce(&channel, more, payer, &word(text(top_up, "topUpSalt")));
    assert_eq!(hex::encode_prefixed(&nonce), text(top_up, "value"));
    for name in ["open", "topUp"] {
        let case = &file["receiveWithAuthorization"][name];
        let (domain, message) = (&case["typedData"]["domain"], &case["typedData"]["message"]);
        let token = Domain {
            name: text(domain, "name"),
            version: text(domain, "version"),
            chain_id: domain["chainId"].as_u64().unwrap(),
            verifying_contract: address(text(domain, "verifyingContract")),
        };
        let signed = Authorization {
            from: address(text(message, "from")),
            to: address(text(message, "to")),
            value: amount(text(message, "value")),
            valid_after: seconds(&message["validAfter"]),
            valid_before: seconds(&message["validBefore"]),
            nonce: word(text(message, "nonce")),
        };
        let digest = signed.receive_digest(&token.separator());
        assert_eq!(hex::encode_prefixed(&digest), text(case, "digest"), "{name}");
        let signer = Signature::parse(text(case, "signature")).unwrap().recover(&digest);
        assert_eq!(signer, Ok(payer), "{name}");
    }
}

#[test]
fn a_stock_client_of_batch_settlement_signs_what_we_check() {
    let file = document("x402/batch-settlement");
    let contract = EscrowContract::batch_settlement(file["chainId"].as_u64().unwrap());
    assert_eq!(contract.address, address(text(&file, "contract")));
    let separator = hex::encode_prefixed(&contract.separator());
    assert_eq!(separator, text(&file, "domainSeparator"));
    let payload = &file["deposit"]["payload"];
    let config = &payload["channelConfig"];
    let config = ChannelConfig {
        payer: address(text(config, "payer")),
        payer_authorizer: address(text(config, "payerAuthorizer")),
        receiver: address(text(config, "receiver")),
        receiver_authorizer: address(text(config, "receiverAuthorizer")),
        token: address(text(config, "token")),
        withdraw_delay_secs: config["withdrawDelay"].as_u64().unwrap(),
        salt: word(text(config, "salt")),
    };
    let id = config.id(&contract);
    assert_eq!(id.to_string(), text(&file, "channelId"));
    for name in ["deposit", "voucher"] {
        let shown = &file[name]["payload"]["voucher"];
        let voucher = Voucher::parse(id, text(shown, "maxClaimableAmount")).unwrap();
        let checked = voucher.check(&contract, config.payer_authorizer, text(shown, "signature"));
        assert!(checked.is_ok(), "{name}");
    }
    let authorization = &payload["deposit"]["authorization"]["erc3009Authorization"];
    let nonce = deposit_nonce(&id, Amount::from_be_bytes(word(text(authorization, "salt"))));
    assert_eq!(hex::encode_prefixed(&nonce), text(&file["deposit"], "nonce"));
    for case in file["claims"].as_array().unwrap() {
        let entries: Vec<ClaimEntry> = case["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| ClaimEntry {
                channel: channel_id(text(entry, "channelId")),
                max_claimable: amount(text(entry, "maxClaimableAmount")),
                total: amount(text(entry, "totalClaimed")),
            })
            .collect();
        let digest = hex::encode_prefixed(&claim_digest(&contract, &entries));
        assert_eq!(digest, text(case, "digest"), "{entries:?}");
    }
    for case in file["refunds"].as_array().unwrap() {
        let refund =
            Promise { nonce: amount(text(case, "nonce")), amount: amount(text(case, "amount")) };
        let digest = hex::encode_prefixed(&refund_digest(&contract, &id, &refund));
        assert_eq!(digest, text(case, "digest"), "{refund:?}");
    }
}

/// A channel as a case begins: its voucher at the start is taken from the case's amounts.
fn begun(case: &Value, now: UnixTime) -> Channel {
    let on_chain = match (case["finalized"].as_bool(), case["closeRequested"].as_bool()) {
        (Some(true), _) => OnChain::Finalized,
        (_, Some(true)) => OnChain::Leaving(now),
        _ => OnChain::Open,
    };
    let sight = Sight {
        deposit: amount(text(case, "deposit")),
        claimed: amount(text(case, "settled")),
        on_chain,
        refund_nonce: Amount::ZERO,
        at: now,
    };
    let rule = VoucherRule::Headroom { min_delta: amount(text(case, "minVoucherDelta")) };
    let id = channel_id(text(case, "channelId"));
    let row = Channel::seen_first(id, rule, 900, sight).to_row();
    let mut lines: Vec<&str> = row.split('\n').collect();
    // Any signature: it is only kept.
    let kept = format!("{}{}1b", "ab".repeat(32), "12".repeat(32));
    if case["acceptedAtStart"] != "0" {
        (lines[10], lines[11]) = (text(case, "acceptedAtStart"), &kept);
    }
    lines[12] = text(case, "spentAtStart");
    Channel::from_row(&lines.join("\n")).unwrap()
}

//
#[test]
fn sequences_of_vouchers_and_charges_end_as_published() {
    let now = UnixTime::from_secs(1_000_000);
    let (mut accepted, mut refused) = (0, 0);
    for case in cases("security/voucher_sequences", "cases") {
        let (label, facts) = (text(&case, "name"), &case["channel"]);
        let contract = contract(&facts["domain"]).unwrap();
        let payer = address(text(facts, "payer"));
        let delegate = address(text(facts, "authorizedSigner"));
        let signer = if delegate.is_zero() { payer } else { delegate };
        let mut channel = begun(facts, now);
        for (place, step) in case["steps"].as_array().unwrap().iter().enumerate() {
            let before = channel.clone();
            let outcome = match text(step, "op") {
                "voucher" => Voucher::parse(
                    channel_id(text(step, "channelId")),
                    text(step, "cumulativeAmount"),
                )
                .and_then(|voucher| {
                    // The channel is found by its id before a signature is looked at.
                    if voucher.channel != channel.id() {
                        return Err(ChannelRefusal::NotFound);
                    }
                    voucher.check(&contract, signer, text(step, "signature"))
                })
                .and_then(|voucher| channel.accept(&voucher, now)),
                other => {
                    assert_eq!(other, "charge");
                    let price = amount(text(step, "amount"));
                    let purchase = Purchase {
                        voucher: None,
                        price,
                        request: [place as u8; 32],
                        until: now.plus(60),
                        mark: None,
                    };
                    // Sent ten times at once under one key, it is held and charged once.
                    let held = [(); 10].map(|()| channel.begin(&purchase, now));
                    assert!(held.iter().filter(|held| held.is_ok()).count() < 2, "{label}");
                    held[0].and_then(|_| {
                        let charged = [(); 10].map(|()| channel.charge(&purchase, price, now));
                        assert!(charged.iter().all(|it| *it == charged[0]), "{label}");
                        charged[0].map(|_| ())
                    })
                }
            };
            let code = outcome.map_or_else(|refusal| refusal.name(), |()| "");
            assert_eq!(code, step["code"].as_str().unwrap_or_default(), "{label}: {step}");
            match text(step, "expect") {
                "accept" => accepted += 1,
                _ => {
                    refused += 1;
                    assert_eq!(channel, before, "{label}: a refused step changes nothing");
                }
            }
        }
        let end = &case["final"];
        assert_eq!(channel.accepted().to_string(), text(end, "accepted"), "{label}");
        assert_eq!(channel.spent().to_string(), text(end, "spent"), "{label}");
    }
    assert_eq!((accepted, refused), (59, 54));
}

#[test]
fn each_refusal_has_a_name_and_a_code_of_the_dialect() {
    let names: std::collections::BTreeSet<&str> =
        ChannelRefusal::ALL.iter().map(|refusal| refusal.name()).collect();
    assert_eq!(names.len(), ChannelRefusal::ALL.len());
    for refusal in ChannelRefusal::ALL {
        assert!(matches!(refusal.okx(), 8_000 | 70_000 | 70_003..=70_015), "{refusal:?}");
        assert!(!refusal.x402().is_empty());
    }
}
