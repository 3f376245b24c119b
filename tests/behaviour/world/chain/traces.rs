//! Permits that reach the chain through contracts, and a node that shows the calls inside of transactions.

use serde_json::{Value, json};

use super::{ASSET, Chain, word};
use crate::world::PAY_TO;

/// A contract of a stranger's, and the stranger.
pub const CONTRACT: &str = "0x00000000000000000000000000000000000000bb";
const STRANGER: &str = "0x00000000000000000000000000000000000000b0";
const PERMIT2: &str = "0x000000000022d473030f116ddee9f6b43ac78ba3";
const EXACT_PROXY: &str = "0x402085c248eea27d92e8b30b2c58ed07f9e20001";
const UPTO_PROXY: &str = "0x4020a4f3b7b90cca423b9fabcc0ce57c6c240002";

/// One call, as Geth's `callTracer` shows it.
pub fn frame(kind: &str, (from, to): (&str, &str), input: &str, calls: &[Value]) -> Value {
    let mut frame = json!({
        "type": kind, "from": from, "to": to, "value": "0x0", "gas": "0x30d40",
        "gasUsed": "0x1d4c0", "input": input, "output": "0x",
    });
    if !calls.is_empty() {
        frame["calls"] = json!(calls);
    }
    frame
}

impl Chain {
    /// Uses these permits first, in one transaction of a stranger's contract that is called with this
    /// data.
    pub fn forestall(&mut self, nonces: &[&str], data: &str) {
        self.bundle(nonces);
        let calls: Vec<Value> = nonces.iter().map(|nonce| self.settling(nonce)).collect();
        self.go_through_a_contract(data, &calls);
    }

    /// Lets the last transaction be a call of a stranger's contract, which makes these calls.
    pub fn go_through_a_contract(&mut self, data: &str, calls: &[Value]) {
        let last = self.transactions.last_mut().unwrap();
        last.sent = Some((CONTRACT.to_owned(), data.to_owned()));
        last.inside = Some(frame("CALL", (STRANGER, CONTRACT), data, calls));
    }

    /// Changes what was called in the last transaction.
    pub fn rewrite(&mut self, change: impl Fn(&mut Value)) {
        change(self.transactions.last_mut().unwrap().inside.as_mut().unwrap());
    }

    /// The call of the proxy by the contract, and what it calls in turn.
    pub fn settling(&mut self, nonce: &str) -> Value {
        let (to, value) = self.moved(nonce);
        let data = self.proxy_data(nonce);
        let payer = self.payer(nonce);
        let most = self.most(nonce).unwrap_or(value);
        let proxy = if self.most(nonce).is_some() { UPTO_PROXY } else { EXACT_PROXY };
        // `permitWitnessTransferFrom`: permit, transfer, owner, witness, two places behind.
        let words = [
            word(ASSET),
            format!("0x{most:064x}"),
            nonce.to_owned(),
            format!("0x{:064x}", 1),
            word(&to),
            format!("0x{value:064x}"),
            word(&payer),
            format!("0x{}", "77".repeat(32)),
            format!("0x{:064x}", 320),
            format!("0x{:064x}", 352),
        ];
        let words: String = words.iter().map(|word| &word[2..]).collect();
        let input = format!("0x137c29fe{words}{:064x}{:064x}", 0, 0);
        let moves = format!("0x23b872dd{}{}{value:064x}", &word(&payer)[2..], &word(&to)[2..]);
        let token = frame("CALL", (PERMIT2, ASSET), &moves, &[]);
        let permit = frame("CALL", (proxy, PERMIT2), &input, &[token]);
        frame("CALL", (CONTRACT, proxy), &data, &[permit])
    }

    /// The data of the proxy's call that settles this permit.
    pub fn proxy_data(&mut self, nonce: &str) -> String {
        let (to, value) = self.moved(nonce);
        self.settlement(nonce, (&to, value))
    }

    /// Ends a permit by another one of its nonce, worth nothing, of which no event tells.
    pub fn use_up(&mut self, nonce: &str) {
        self.cancel(nonce);
        self.transactions.last_mut().unwrap().logs.clear();
    }

    fn moved(&self, nonce: &str) -> (String, u64) {
        let fate = self.fates.get(nonce).cloned().unwrap_or_default();
        (fate.to.unwrap_or_else(|| PAY_TO.to_owned()), fate.value.unwrap_or(10_000))
    }

    fn most(&self, nonce: &str) -> Option<u64> {
        let (_, most) = self.fates.get(nonce)?.upto.clone()?;
        most.as_str()?.parse().ok()
    }

    /// The node's answer, if it traces.
    pub(super) fn trace(&mut self, params: &Value) -> Option<Value> {
        assert_eq!(params[1], json!({"tracer": "callTracer"}));
        self.traced.push(params[0].as_str().unwrap().to_owned());
        let found = self.transactions.iter().find(|tx| params[0] == tx.hash.as_str())?;
        let inside = found.inside.clone();
        inside.or_else(|| Some(frame("CALL", (STRANGER, ASSET), "0x", &[]))).filter(|_| self.traces)
    }
}
