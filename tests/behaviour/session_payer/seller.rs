//! A seller by session of MPP, as OKX's SDK decides.

use farebox_core::amount::Amount;
use farebox_core::channel::config::{ChannelId, ChannelParties, top_up_nonce};
use farebox_core::channel::escrow::{Escrow, EscrowContract};
use farebox_core::channel::voucher::Voucher;
use farebox_core::encoding::{base64, jcs};
use farebox_core::evm::address::Address;
use farebox_core::http::Headers;
use farebox_core::mpp::Credential;
use farebox_core::mpp::session::{Funding, SessionAction, ShownVoucher};
use farebox_core::time::UnixTime;
use serde_json::json;

use super::{CHAIN, ESCROW, PAYEE, START, TOKEN, wallet};

/// Status, fields and body.
pub(super) type SellerAnswer = (u16, Headers, Vec<u8>);

/// A seller, as OKX's SDK decides: it knows a channel once it is opened, takes vouchers that rise, and takes its price of them.
pub(super) struct Seller {
    pub now: UnixTime,
    pub unit: u64,
    pub min_delta: u64,
    pub fee_payer: bool,
    /// What it answers to every payment, whatever it holds.
    pub broken: Option<(u16, &'static str)>,
    /// The voucher that meets an error before it comes to the seller, once.
    pub fails_at: Option<u64>,
    pub realm: &'static str,
    pub escrow: &'static str,
    channel: Option<[u8; 32]>,
    pub deposit: u64,
    pub highest: u64,
    pub spent: u64,
    pub served: u64,
    /// The price of each challenge.
    issued: Vec<u64>,
    /// Transactions that are in no block.
    pub lost: Vec<[u8; 32]>,
    /// Nonces and transactions that were used.
    used: Vec<[u8; 32]>,
    /// The answer to the last challenge that was answered.
    last: Option<(String, SellerAnswer)>,
    pub actions: Vec<(&'static str, u64)>,
    pub deposits: u64,
}

impl Seller {
    pub fn new(unit: u64) -> Self {
        Self {
            now: UnixTime::from_secs(START),
            unit,
            min_delta: 0,
            fee_payer: true,
            broken: None,
            fails_at: None,
            realm: "api.example.com",
            escrow: ESCROW,
            channel: None,
            deposit: 0,
            highest: 0,
            spent: 0,
            served: 0,
            issued: Vec::new(),
            lost: Vec::new(),
            used: Vec::new(),
            last: None,
            actions: Vec::new(),
            deposits: 0,
        }
    }

    pub fn challenge(&mut self) -> Headers {
        let expires = self.now.plus(300).rfc3339();
        self.challenge_until(&expires)
    }

    pub fn challenge_until(&mut self, expires: &str) -> Headers {
        self.issued.push(self.unit);
        let request = json!({"amount": self.unit.to_string(), "currency": TOKEN, "recipient": PAYEE, "suggestedDeposit": "100",
            "unitType": "request", "methodDetails": {"chainId": CHAIN, "escrowContract": self.escrow, "feePayer": self.fee_payer,
                "minVoucherDelta": self.min_delta.to_string()}});
        let request = base64::encode_url(jcs::text(&request).as_bytes());
        let line = format!(
            "www-authenticate: Payment id=\"c{}\", realm=\"{}\", method=\"evm\", intent=\"session\", request=\"{request}\", expires=\"{expires}\"",
            self.issued.len(),
            self.realm
        );
        Headers::from_lines(core::iter::once(line.as_str()))
    }

    pub fn refuses(&mut self, code: u32, status: u16) -> SellerAnswer {
        let body = json!({"reason": "", "detail": "no", "code": code}).to_string();
        (status, if status == 402 { self.challenge() } else { none() }, body.into_bytes())
    }

    pub fn takes(&mut self, credential: &str) -> SellerAnswer {
        if let Some((status, body)) = self.broken {
            return (status, self.challenge(), body.as_bytes().to_vec());
        }
        let credential = Credential::read(credential.strip_prefix("Payment ").unwrap()).unwrap();
        let id = credential.challenge.id.clone();
        if let Some((_, answer)) = self.last.as_ref().filter(|(last, _)| *last == id) {
            return answer.clone();
        }
        let price = self.issued[id[1..].parse::<usize>().unwrap() - 1];
        let action = SessionAction::read(&credential.payload).unwrap();
        if let SessionAction::Voucher(shown) | SessionAction::Close(shown) = &action
            && self.fails_at.take_if(|at| *at == units(shown.cumulative)).is_some()
        {
            return (500, none(), Vec::new());
        }
        let answer = self.decides(action, price);
        self.last = Some((id, answer.clone()));
        answer
    }

    fn decides(&mut self, action: SessionAction, price: u64) -> SellerAnswer {
        match action {
            SessionAction::Open { voucher, salt, authorized_signer, funding } => {
                let parties = parties(salt);
                assert!(authorized_signer.is_zero());
                assert_eq!(parties.id(&contract()).as_bytes(), &voucher.channel);
                let nonce = parties.open_nonce_of_okx(&[]);
                self.actions.push(("open", units(voucher.cumulative)));
                checked(&voucher);
                let amount = self.funded(&funding, nonce, 100);
                (self.channel, self.highest) = (Some(voucher.channel), units(voucher.cumulative));
                if amount > 0 {
                    (self.deposit, self.spent) = (amount, 0);
                }
                (200, none(), b"{\"action\":\"open\",\"status\":\"ok\"}".to_vec())
            }
            SessionAction::TopUp { channel, additional, salt, funding } => {
                self.actions.push(("topUp", units(additional)));
                if self.channel != Some(channel) {
                    return self.refuses(70_010, 404);
                }
                if matches!(&funding, Funding::Sent(hash) if self.lost.contains(hash)) {
                    return self.refuses(70_003, 402);
                }
                let id = ChannelId::from_bytes(channel);
                let nonce = top_up_nonce(&id, additional, wallet().address(), &salt);
                self.deposit += self.funded(&funding, nonce, units(additional));
                (200, none(), b"{}".to_vec())
            }
            SessionAction::Voucher(shown) => {
                self.actions.push(("voucher", units(shown.cumulative)));
                if self.channel != Some(shown.channel) {
                    return self.refuses(70_010, 404);
                }
                checked(&shown);
                let amount = units(shown.cumulative);
                if amount > self.deposit {
                    return self.refuses(70_012, 402);
                }
                if amount < self.highest
                    || amount > self.highest && amount - self.highest < self.min_delta
                {
                    return self.refuses(70_013, 402);
                }
                self.highest = amount;
                if self.highest - self.spent < price {
                    return self.refuses(70_015, 402);
                }
                self.spent += price;
                self.served += 1;
                (200, none(), Vec::new())
            }
            SessionAction::Close(shown) => {
                self.actions.push(("close", units(shown.cumulative)));
                if self.channel != Some(shown.channel) {
                    return self.refuses(70_008, 410);
                }
                checked(&shown);
                let amount = units(shown.cumulative);
                if amount < self.highest || amount > self.deposit {
                    return self.refuses(70_012, 402);
                }
                self.channel = None;
                (200, none(), b"{\"action\":\"close\",\"status\":\"ok\"}".to_vec())
            }
        }
    }

    /// What a deposit adds: the token takes a nonce once, the chain a transaction.
    fn funded(&mut self, funding: &Funding, nonce: [u8; 32], sent: u64) -> u64 {
        let (key, amount) = match funding {
            Funding::Sent(hash) => (*hash, sent),
            Funding::Authorized { authorization, .. } => {
                assert_eq!(authorization.nonce, nonce);
                assert_eq!(authorization.to, contract().address);
                (nonce, units(authorization.value))
            }
        };
        if self.used.contains(&key) {
            return 0;
        }
        self.used.push(key);
        self.deposits += amount;
        amount
    }
}

pub(super) fn none() -> Headers {
    Headers::from_lines(core::iter::empty())
}

fn units(amount: Amount) -> u64 {
    amount.to_string().parse().unwrap()
}

fn contract() -> EscrowContract {
    let address = Address::parse(ESCROW).unwrap();
    EscrowContract { escrow: Escrow::PaymentChannel, chain_id: CHAIN, address }
}

fn parties(salt: [u8; 32]) -> ChannelParties {
    ChannelParties {
        payer: wallet().address(),
        payee: Address::parse(PAYEE).unwrap(),
        token: Address::parse(TOKEN).unwrap(),
        salt,
        authorized_signer: Address::ZERO,
    }
}

fn checked(shown: &ShownVoucher) {
    let voucher =
        Voucher { channel: ChannelId::from_bytes(shown.channel), cumulative: shown.cumulative };
    assert!(voucher.check(&contract(), wallet().address(), &shown.signature).is_ok());
}
