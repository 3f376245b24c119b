//! Reasons of facilitators and their meaning: one table for every known vocabulary.
//!
//! Spec: x402 v1 and v2 "Error Codes"; reference facilitators 1 and 2.27 (EVM, Permit2, gas
//! sponsoring, upto, batch-settlement, Solana); x402-rs 2. Reasons are an open set: one without a
//! row is [`Cause::Unknown`] and proves nothing. A vocabulary of another protocol is added as rows.

use alloc::string::String;

use farebox_common::payment::Cause;

/// Whether a settle refusal with a reason proves that nothing was submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Given {
    /// Known to be given only before a broadcast.
    Before,
    /// Perhaps given after one.
    Whenever,
}
use Given::{Before, Whenever};

/// Reasons with one meaning; each word follows the prefix, and a star stands for any rest.
struct Group {
    cause: Cause,
    given: Given,
    prefix: &'static str,
    words: &'static [&'static str],
}

const fn group(
    cause: Cause,
    given: Given,
    prefix: &'static str,
    words: &'static [&'static str],
) -> Group {
    Group { cause, given, prefix, words }
}

/// The meaning of a reason.
///
/// # Examples
/// ```
/// use farebox_common::payment::Cause;
/// use farebox_wire::facilitator::reason::cause;
/// assert_eq!(cause("insufficient_funds"), Cause::Funds);
/// assert_eq!(cause("the moon is full"), Cause::Unknown);
/// ```
#[must_use]
pub fn cause(reason: &str) -> Cause {
    find(reason).map_or(Cause::Unknown, |(group, _)| group.cause)
}

/// The reason as the table spells it; `None` if no row has it.
#[must_use]
pub fn known(reason: &str) -> Option<String> {
    let (group, word) = find(reason)?;
    Some([group.prefix, word.trim_end_matches(['*', '_'])].concat())
}

/// Whether a settle refusal with this reason proves that nothing was submitted.
///
/// A closed list: the reasons that the known facilitators give before they broadcast. All others
/// (pending, duplicates, used nonces, failed or unexpected transactions, unknown words) prove
/// nothing.
#[must_use]
pub(super) fn is_definite(reason: &str) -> bool {
    find(reason).is_some_and(|(group, word)| {
        group.given == Before && reason.len() == group.prefix.len().saturating_add(word.len())
    })
}

/// The row of a reason; text after a colon is for people.
fn find(reason: &str) -> Option<(&'static Group, &'static str)> {
    let reason = reason.split(':').next().unwrap_or_default();
    TABLE.iter().find_map(|group| {
        let rest = reason.strip_prefix(group.prefix)?;
        let is_it = |word: &&&str| match word.strip_suffix('*') {
            Some(beginning) => rest.starts_with(beginning),
            None => rest == **word,
        };
        group.words.iter().find(is_it).map(|word| (group, *word))
    })
}

const TABLE: &[Group] = &[
    group(
        Cause::Funds,
        Before,
        "",
        &["insufficient_funds", "invalid_exact_evm_insufficient_balance"],
    ),
    group(Cause::Funds, Whenever, "", &["insufficient_balance", "permit2_insufficient_balance"]),
    group(
        Cause::Expired,
        Before,
        "",
        &[
            "invalid_exact_evm_payload_authorization_valid_before",
            "payment_expired",
            "invalid_payment_expired",
        ],
    ),
    group(
        Cause::Expired,
        Whenever,
        "",
        &[
            "permit2_deadline_expired",
            "eip2612_deadline_expired",
            "settle_exact_svm_block_height_exceeded",
        ],
    ),
    group(
        Cause::Early,
        Before,
        "",
        &["invalid_exact_evm_payload_authorization_valid_after", "invalid_payment_early"],
    ),
    group(Cause::Early, Whenever, "permit2_", &["not_yet_valid", "payment_too_early"]),
    group(
        Cause::Signature,
        Before,
        "invalid_",
        &[
            "exact_evm_payload_signature",
            "exact_evm_signature",
            "exact_evm_failed_to_parse_signature",
            "signature",
        ],
    ),
    group(Cause::Signature, Whenever, "", &["invalid_permit2_signature"]),
    group(
        Cause::Replayed,
        Whenever,
        "",
        &["invalid_exact_evm_nonce_already_used", "permit2_invalid_nonce", "duplicate_settlement"],
    ),
    // The gate's faults: terms that cannot be paid, an invalid asset.
    group(
        Cause::Trouble,
        Before,
        "",
        &[
            "asset_not_deployed_contract",
            "invalid_exact_evm_eip3009_not_supported",
            "invalid_exact_evm_missing_eip712_domain",
            "invalid_exact_evm_token_name_mismatch",
            "invalid_exact_evm_token_version_mismatch",
            "invalid_payment_requirements",
            "unsupported_chain",
        ],
    ),
    // Faults of the facilitator or the chain.
    group(
        Cause::Trouble,
        Whenever,
        "",
        &[
            "unexpected_verify_error",
            "unexpected_settle_error",
            "unexpected_error",
            "invalid_transaction_state",
            "settlement_pending",
            "smart_wallet_deployment_failed",
            "invalid_exact_evm_transaction_failed",
            "invalid_exact_evm_transfer_event_mismatch",
            "post_settlement_transfer_not_confirmed",
            "permit2_proxy_not_deployed",
            "erc20_approval_broadcast_failed",
            "settle_exact_svm_transaction_confirmation_timed_out",
        ],
    ),
    group(
        Cause::Unknown,
        Before,
        "",
        &["invalid_exact_evm_transaction_simulation_failed", "transaction_simulation"],
    ),
    group(Cause::Unknown, Whenever, "", &["permit2_simulation_failed"]),
    group(
        Cause::Terms,
        Before,
        "",
        &[
            "accepted_requirements_mismatch",
            "asset_mismatch",
            "chain_id_mismatch",
            "eip6492_factory_not_allowed",
            "invalid_exact_evm_authorization_value",
            "invalid_exact_evm_network_mismatch",
            "invalid_exact_evm_payload_authorization_value",
            "invalid_exact_evm_payload_authorization_value_mismatch",
            "invalid_exact_evm_payload_recipient_mismatch",
            "invalid_exact_evm_payload_undeployed_smart_wallet",
            "invalid_exact_evm_recipient_mismatch",
            "invalid_exact_evm_scheme",
            "invalid_format",
            "invalid_network",
            "invalid_payload",
            "invalid_payment",
            "invalid_payment_amount",
            "invalid_scheme",
            "invalid_x402_version",
            "recipient_mismatch",
            "unsupported_payload_type",
            "unsupported_scheme",
        ],
    ),
    group(
        Cause::Terms,
        Whenever,
        "",
        &[
            "extension_echo_mismatch",
            "invalid_permit2_spender",
            "invalid_permit2_recipient_mismatch",
            "permit2_amount_mismatch",
            "permit2_token_mismatch",
            "permit2_allowance_required",
            "permit2_invalid_amount",
            "permit2_invalid_destination",
            "permit2_invalid_owner",
            "permit2_2612_amount_mismatch",
            "invalid_eip2612_extension_format",
            "eip2612_from_mismatch",
            "eip2612_asset_mismatch",
            "eip2612_spender_not_permit2",
            "invalid_erc20_approval_extension_format",
            "erc20_approval_*",
            "upto_amount_exceeds_permitted",
            "upto_facilitator_mismatch",
            "upto_unauthorized_facilitator",
        ],
    ),
    // The gate's own reasons, for payments that the chain settles without a facilitator.
    group(
        Cause::Terms,
        Whenever,
        "transaction_",
        &["not_this_payment", "before_challenge", "out_of_turn", "fee_too_low", "reverted"],
    ),
    group(Cause::Trouble, Whenever, "invalid_upto_evm_", &["transaction_failed"]),
    group(Cause::Terms, Whenever, "invalid_upto_", &["*"]),
    // Of a deposit: where a simulation fails, an earlier attempt may have used its authorization.
    group(Cause::Funds, Before, BATCH, &["insufficient_balance", "cumulative_exceeds_balance"]),
    group(Cause::Expired, Before, BATCH, &["payload_authorization_valid_before"]),
    group(
        Cause::Expired,
        Whenever,
        BATCH,
        &["permit2_deadline_expired", "eip2612_deadline_expired"],
    ),
    group(Cause::Early, Before, BATCH, &["payload_authorization_valid_after"]),
    group(
        Cause::Signature,
        Before,
        BATCH,
        &["voucher_signature", "receive_authorization_signature"],
    ),
    group(Cause::Signature, Whenever, BATCH, &["permit2_invalid_signature"]),
    group(Cause::Trouble, Before, BATCH, &["missing_eip712_domain"]),
    group(
        Cause::Trouble,
        Whenever,
        BATCH,
        &[
            "channel_busy",
            "verification_state_unavailable",
            "rpc_read_failed",
            "channel_state_read_failed",
            "authorizer_not_configured",
            "smart_wallet_deployment_failed",
            "deposit_transaction_failed",
            "claim_*",
            "settle_*",
            "refund_*",
            "nothing_to_settle",
        ],
    ),
    group(
        Cause::Terms,
        Before,
        BATCH,
        &[
            "channel_id_mismatch",
            "cumulative_below_claimed",
            "eip6492_factory_not_allowed",
            "erc3009_authorization_required",
            "network_mismatch",
            "payload_type",
            "receiver_authorizer_mismatch",
            "receiver_mismatch",
            "scheme",
            "token_mismatch",
            "withdraw_delay_mismatch",
            "withdraw_delay_out_of_range",
        ],
    ),
    group(Cause::Terms, Whenever, BATCH, &["*"]),
    group(Cause::Signature, Whenever, SOLANA, &["payload_signature_invalid"]),
    group(
        Cause::Trouble,
        Whenever,
        SOLANA,
        &[
            "fee_payer_*",
            "invalid_fee_payer",
            "payload_missing_fee_payer",
            "transaction_signing_failed",
            "transaction_failed",
        ],
    ),
    group(
        Cause::Unknown,
        Whenever,
        SOLANA,
        &[
            "transaction_simulation_failed",
            "payload_transaction_simulation_failed",
            "verification_failed",
        ],
    ),
    group(Cause::Terms, Whenever, SOLANA, &["*"]),
];

/// Prefix of scheme batch-settlement.
const BATCH: &str = "invalid_batch_settlement_evm_";
/// Prefix of scheme exact on Solana.
const SOLANA: &str = "invalid_exact_svm_";
