//! All targets.

use super::{
    Target, amounts, chain, configuration, facilitator, machines, mpp, payer, paying, requests,
    x402,
};
use crate::driver::seeds;

/// The longest input of a text, bytes.
const TEXT: usize = 6_144;
/// The longest tape of a machine: more choices than a history has.
const TAPE: usize = 512;

const fn text(
    name: &'static str,
    holds: &'static str,
    run: fn(&[u8]),
    seeds: fn() -> Vec<Vec<u8>>,
    words: &'static str,
) -> Target {
    Target { name, holds, run, seeds, words, longest: TEXT }
}

/// A machine: it begins with nothing, and each byte is a choice.
const fn machine(name: &'static str, holds: &'static str, run: fn(&[u8])) -> Target {
    Target { name, holds, run, seeds: Vec::new, words: "", longest: TAPE }
}

/// Every target, in the order in which they are listed.
pub const TARGETS: &[Target] = &[
    text(
        "x402-v1",
        "a header of x402 version 1 is its JSON and nothing else; what is handed on of a payment is what was checked; another spelling is the same payment",
        x402::version_1,
        x402::version_1_seeds,
        "x402",
    ),
    text(
        "x402-v2",
        "the same of version 2, whose terms, resource and identifier are those of the message",
        x402::version_2,
        x402::version_2_seeds,
        "x402",
    ),
    text(
        "opaque-payment",
        "a payment of another chain has one name, one length and one spelling; what stands beside it names nothing",
        x402::opaque,
        x402::opaque_seeds,
        "opaque",
    ),
    text(
        "payment-required",
        "what is signed for a 402 is within the policy, by another library's hash; what is sent is what was signed",
        payer::required,
        payer::challenges,
        "offers",
    ),
    text(
        "client-detection",
        "only a 402 asks, and whatever could be paid for is recognised",
        payer::detected,
        payer::challenges,
        "offers",
    ),
    text(
        "mpp-challenges",
        "challenges are written and read again, alone, among others and by JSON-RPC; an id binds every slot",
        mpp::challenges,
        || {
            let mut all = seeds::inputs("mpp/challenge-lists", "header");
            all.extend(seeds::inputs("mpp/challenge-parse", "header"));
            all.extend(seeds::inputs("mpp/challenge-headers", "header"));
            all
        },
        "mpp",
    ),
    text(
        "mpp-credential",
        "a credential is found among other schemes, written and read again, and its payload is of one intent",
        mpp::credential,
        || {
            let mut all = seeds::inputs("mpp/credentials", "wireJson");
            all.extend(seeds::inputs("mpp/okx-credentials", "credential"));
            all.extend(seeds::inputs("mpp/credentials-parse", "header"));
            all.extend(seeds::inputs("mpp/authorization-extract", "header"));
            all
        },
        "mpp",
    ),
    text(
        "mpp-receipt",
        "a receipt that is written is read, and one that is read is written alike",
        mpp::receipt,
        || seeds::inputs("mpp/receipts", "receipt"),
        "mpp",
    ),
    text(
        "mpp-stream",
        "an event of a stream is written and read again",
        mpp::stream,
        || seeds::inputs("mpp/session-stream-events", "raw"),
        "events",
    ),
    text(
        "accept-payment",
        "offers are ranked, and none is lost, made or named twice",
        mpp::accepts,
        || seeds::inputs("mpp/accept-payment", "header"),
        "accept",
    ),
    text(
        "facilitator-settle",
        "a settlement is believed if status, success, network, transaction and payer say so and nothing contradicts; a refusal if nothing was sent",
        facilitator::settle,
        facilitator::seeds,
        "replies",
    ),
    text(
        "facilitator-verify",
        "a payment is valid if a flag says so under a status of success",
        facilitator::verify,
        facilitator::seeds,
        "replies",
    ),
    text(
        "facilitator-supported",
        "a gate can settle exactly if all of its networks are listed",
        facilitator::supported,
        facilitator::seeds,
        "replies",
    ),
    text(
        "node-replies",
        "answers count by their ids and not by their order; logs are of the span; what a receipt proves is in it, and other contracts prove nothing",
        chain::node,
        chain::replies,
        "nodes",
    ),
    text(
        "request-target",
        "a target is forwarded as it came, and no server that reads it otherwise serves a dearer route",
        requests::target,
        requests::targets,
        "paths",
    ),
    text(
        "url",
        "a URL that an operator may set reaches no private host, by another library's reading",
        requests::url,
        || seeds::inputs("../configuration/wrong", "ORIGIN_URL"),
        "urls",
    ),
    text(
        "head",
        "heads are written and read again, and the case of names does not count",
        requests::head,
        || {
            vec![
                b"GET\nhttps://shop.example/x?y=1\n\naccept: */*\nx-a: 1\nX-A: 2".to_vec(),
                b"200\ncontent-length: 12\nset-cookie: a=b".to_vec(),
            ]
        },
        "fields",
    ),
    text(
        "price",
        "amounts and prices are those of 256-bit integers of another library, and have one spelling",
        amounts::price,
        || seeds::inputs("security/amounts", "json"),
        "prices",
    ),
    Target {
        name: "arithmetic",
        holds: "sums, differences, products and quotients are those of another library",
        run: amounts::arithmetic,
        seeds: || vec![vec![0xff; 72], vec![0; 72]],
        words: "prices",
        longest: 72,
    },
    text(
        "names",
        "networks, accounts, digits and times have one spelling, and accounts another library's checksum",
        amounts::names,
        || seeds::words("names"),
        "names",
    ),
    text(
        "json",
        "JSON means what it means to serde_json, and canonical JSON is its own canonical text",
        amounts::json,
        || seeds::inputs("mpp/challenge-headers", "canonicalRequest"),
        "json",
    ),
    text(
        "eip712",
        "typed data has the hash that another library gives it",
        chain::eip712,
        chain::typed_data,
        "types",
    ),
    Target {
        name: "signature",
        holds: "a signature has the signer that another library recovers, or none",
        run: chain::signature,
        seeds: chain::signatures,
        words: "prices",
        longest: 128,
    },
    text(
        "transaction",
        "a transaction is read exactly if another library reads a plain transfer with that signer",
        chain::transaction,
        chain::transactions,
        "prices",
    ),
    text("rlp", "what is read as RLP has one encoding", chain::rlp, chain::transactions, "prices"),
    text(
        "configuration",
        "a price lets nobody pass unpaid; a wrong setting is named, and no secret with it",
        configuration::gate,
        configuration::gates,
        "settings",
    ),
    Target {
        name: "nearly-right",
        holds: "payments that were changed on their way move nothing that was not signed, and buy nothing twice",
        run: paying::nearly_right,
        seeds: Vec::new,
        words: "",
        longest: TAPE,
    },
    machine(
        "gate",
        "histories of payments with faults everywhere: one payment, one delivery, and money for it",
        machines::gate,
    ),
    machine(
        "ledger",
        "orders of whatever a payer may bring: what is delivered was paid for, and what was paid is never asked for again",
        machines::arrivals,
    ),
    machine("onchain", "histories of transactions that payers send themselves", machines::onchain),
    machine(
        "channel",
        "histories of a payment channel: vouchers, refunds, withdrawals",
        machines::channel,
    ),
    machine(
        "purchase",
        "a purchase over calls, processes and lying merchants is charged once",
        machines::purchase,
    ),
    machine(
        "channel-payer",
        "a payer by channel signs no more than was bought",
        machines::channel_payer,
    ),
    machine(
        "session-payer",
        "a payer by session signs no more than was bought",
        machines::session_payer,
    ),
    machine(
        "treasury",
        "histories of a treasury: limits hold, and what was sent is counted",
        machines::treasury,
    ),
    machine("escrow", "histories of escrowed payments: one goal, one payment", machines::escrow),
    machine(
        "skills",
        "histories of sold skills: an invocation is charged and run once",
        machines::skills,
    ),
    machine(
        "exchange",
        "histories of jobs between buyers and sellers: a job is paid out or back, once",
        machines::exchange,
    ),
    machine(
        "exchange-desk",
        "histories of a job between its gate, the gate's desk and a treasury: its money goes once",
        machines::exchange_desk,
    ),
    machine("exchange-waits", "histories of jobs without held money", machines::exchange_waits),
];
