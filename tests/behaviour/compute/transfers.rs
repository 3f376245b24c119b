//! What a node says of a transfer that a buyer made itself.

use serde_json::{Value, json};

use super::world::{ESCROW, PRICE, USDC, wallet};

fn word(text: &str) -> String {
    format!("0x{:0>64}", text.trim_start_matches("0x").to_lowercase())
}

/// A transfer of the price to the escrow, three blocks deep.
pub struct Transfer<'a> {
    pub hash: &'a str,
    /// The number of the wallet that sent it.
    pub buyer: u8,
    /// The second of its block.
    pub at: u64,
}

impl Transfer<'_> {
    /// What a node replies, with the block that has it, after a change of its facts.
    pub fn replies(&self, change: impl FnOnce(&mut Value)) -> String {
        let transfer = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef";
        let units = format!("{:064x}", PRICE.parse::<u64>().unwrap());
        let (to, from, hash) = (word(ESCROW), wallet(self.buyer), self.hash);
        let mut facts = json!({
            "receipt": {
                "transactionHash": hash, "blockNumber": "0x10", "status": "0x1", "logs": [{
                    "address": USDC, "topics": [transfer, word(&from), to.clone()],
                    "data": format!("0x{units}"), "blockNumber": "0x10", "transactionHash": hash,
                    "logIndex": "0x0", "removed": false,
                }],
            },
            "sent": {
                "hash": hash, "from": from, "to": USDC,
                "input": format!("0xa9059cbb{}{units}", &to[2..]),
            },
            "newest": {"number": "0x12", "timestamp": format!("{:#x}", self.at + 4)},
            "block": {"number": "0x10", "timestamp": format!("{:#x}", self.at)},
        });
        change(&mut facts);
        let told = |id: u64, result: &Value| json!({"jsonrpc": "2.0", "id": id, "result": result});
        let names = ["newest", "receipt", "sent", "block"];
        let mut replies = vec![told(1, &json!("0x14a34"))];
        replies.extend((2..).zip(names).map(|(id, name)| told(id, &facts[name])));
        Value::from(replies).to_string()
    }
}
