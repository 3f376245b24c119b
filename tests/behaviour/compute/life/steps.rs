//! What may happen in a life, step by step.

use farebox_core::compute::errand::Errands;
use farebox_core::compute::message::{Answer, Callback, Command, Errand, TillPayment};
use serde_json::json;

use super::super::payouts::Luck;
use super::super::transfers::Transfer;
use super::super::world::{NETWORK, PRICE, TX, Told, USDC, payment, signed, wallet};
use super::{BUYERS, Life, SELLERS, Settled};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Beats(u8),
    Leaves(u8),
    Asks(u8),
    Verifies(u8),
    /// The gate answers this to what verify sent.
    Answers(u8, u32),
    Settles(u8),
    Forwards(u8),
    Owes(u8),
    /// A buyer makes a transfer of its own.
    Sends(u8),
    /// It shows its transfers to the exchange.
    Shows(u8),
    /// A gate that takes hashes is shown one for the buyer's quote, and settles by it.
    Hashes(u8),
    Calls(u8, usize, Callback),
    /// The treasury does this, and the Worker reports it.
    Carries(usize, Luck),
    /// The treasury does this, and the Worker dies.
    PaysAndDies(usize, Luck),
    Dies(usize),
    /// Time goes on to what is due next.
    Due,
    Waits,
}

impl Life {
    pub(super) fn steps(&self) -> Vec<Step> {
        let mut steps = vec![Step::Due, Step::Waits];
        for number in SELLERS {
            steps.extend([Step::Beats(number), Step::Leaves(number)]);
            for place in 0..self.rows.jobs.len() {
                let all = [Callback::Start, Callback::Complete, Callback::Fail];
                steps.extend(all.map(|callback| Step::Calls(number, place, callback)));
            }
        }
        for buyer in BUYERS {
            steps.push(Step::Asks(buyer));
            if self.quotes.contains_key(&buyer) {
                steps.extend([Step::Verifies(buyer), Step::Settles(buyer)]);
                steps.extend([
                    Step::Answers(buyer, 402),
                    Step::Answers(buyer, 429),
                    Step::Answers(buyer, 503),
                ]);
            }
            let mut settled = self.settled.iter().filter(|it| it.buyer == buyer);
            if settled.any(|it| !it.is_own()) {
                steps.extend([Step::Forwards(buyer), Step::Owes(buyer)]);
            }
            if self.way.has_transfers() && self.quotes.contains_key(&buyer) {
                steps.extend([Step::Sends(buyer), Step::Shows(buyer), Step::Hashes(buyer)]);
            }
        }
        for place in 0..self.holders.len() {
            steps.push(Step::Dies(place));
            let all = [Luck::Arrives, Luck::Doubted, Luck::Lost, Luck::Fails, Luck::Denies];
            steps.extend(all.map(|luck| Step::Carries(place, luck)));
            steps.extend(all[..3].iter().map(|luck| Step::PaysAndDies(place, *luck)));
        }
        steps
    }

    pub(super) fn take_step(&mut self, step: Step) -> Result<(), String> {
        self.now += 1;
        let before = self.rows.clone();
        match step {
            Step::Beats(number) => {
                let request = self.request(number, &json!({}));
                self.apply(Command::Heartbeat(request));
            }
            Step::Leaves(number) => {
                let request = self.request(number, &json!({}));
                self.apply(Command::Offline(request));
            }
            Step::Asks(buyer) => {
                let (client, body) = (format!("10.0.0.{buyer}"), Self::order(buyer).to_string());
                let told = Told::of(self.apply(Command::Quote { client, body }));
                if told.status == 402 {
                    self.quotes.insert(buyer, told.body);
                }
            }
            Step::Verifies(buyer) => {
                let Some((_, fingerprint)) = self.quote(buyer) else { return Ok(()) };
                let body = json!({"fingerprint": fingerprint, "payload": Self::order(buyer)});
                let payment = payment(buyer);
                self.apply(Command::Verify { payment, body: body.to_string() });
            }
            Step::Answers(buyer, status) => {
                let Some((quote, _)) = self.quote(buyer) else { return Ok(()) };
                // A gate that has settled says no such thing.
                let is_settled = self.settled.iter().any(|it| it.sale.0 == quote);
                if status != 402 || !is_settled {
                    let its = self.rows.jobs.iter().find(|job| job.quote == quote);
                    let job = its.map(|job| job.id.clone()).unwrap_or_default();
                    self.apply(Command::Taken {
                        quote,
                        job,
                        status,
                        code: String::new(),
                        reason: String::new(),
                        transaction: String::new(),
                    });
                }
            }
            Step::Settles(buyer) => {
                let Some((quote, _)) = self.quote(buyer) else { return Ok(()) };
                if self.settled.len() < 3 {
                    let payment = format!("rcpt_{}", self.settled.len());
                    self.settled.push(Settled::new((&quote, payment), buyer, TX));
                }
            }
            Step::Forwards(buyer) => self.forward(buyer)?,
            Step::Owes(buyer) => {
                let mut till = self.settled.iter().filter(|it| !it.is_own());
                let owed = till.find(|it| it.buyer == buyer && !it.is_served);
                let Some(owed) = owed.cloned() else { return Ok(()) };
                self.apply(Command::Owed(Box::new(sale(&owed))));
            }
            Step::Sends(buyer) => {
                if self.settled.len() < 3 {
                    let hash = format!("0x{:064x}", self.settled.len() + 0xaa);
                    self.settled.push(Settled::new(("", hash.clone()), buyer, &hash));
                }
            }
            Step::Shows(buyer) => self.show(buyer)?,
            Step::Hashes(buyer) => {
                let Some((quote, _)) = self.quote(buyer) else { return Ok(()) };
                let own = self.settled.iter().find(|it| it.is_own() && it.buyer == buyer);
                let Some(hash) = own.map(|it| it.transaction.clone()) else { return Ok(()) };
                // The gate takes a transaction once.
                if self.settled.iter().filter(|it| it.transaction == hash).count() == 1 {
                    let payment = format!("rcpt_{}", self.settled.len());
                    self.settled.push(Settled::new((&quote, payment), buyer, &hash));
                }
            }
            Step::Calls(number, place, callback) => {
                let id = self.rows.jobs[place].id.clone();
                let request = self.request(number, &json!({"result": 1, "error": 1}));
                let reaction = self.apply(Command::Call { id, callback, request });
                self.react(reaction);
            }
            Step::Carries(place, luck) => {
                let errand = self.holders.remove(place);
                let answer = self.pay(&errand, luck);
                let Errand { payment, fence, .. } = errand;
                let next = self.apply(Command::PaidOut { payment, fence, answer: Some(answer) });
                // The gate's word is followed by a question of the treasury.
                if let Answer::Errand(_) = next {
                    self.react(next);
                }
            }
            Step::PaysAndDies(place, luck) => {
                let errand = self.holders.remove(place);
                self.pay(&errand, luck);
            }
            Step::Dies(place) => _ = self.holders.remove(place),
            Step::Due => {
                self.now = self.now.max(self.rows.next_due().unwrap_or(0));
                let reaction = self.apply(Command::Due(Errands::default()));
                self.react(reaction);
            }
            Step::Waits => self.now += 30_000,
        }
        self.check(&before)
    }

    fn forward(&mut self, buyer: u8) -> Result<(), String> {
        for place in 0..self.settled.len() {
            if self.settled[place].buyer != buyer || self.settled[place].is_own() {
                continue;
            }
            let sale = Box::new(sale(&self.settled[place]));
            let told = match self.apply(Command::Sold(sale)) {
                Answer::Reply(told) => told,
                // It is registered; the Worker answers what that brings.
                errand @ Answer::Errand(_) => {
                    self.react(errand);
                    self.settled[place].is_served = true;
                    continue;
                }
                other => return Err(format!("a payment that was settled is told {other:?}")),
            };
            let known = &mut self.settled[place];
            let is_served = told.status == 200;
            if told.body.contains("TX_ALREADY_USED") && !known.is_served && !known.is_refused {
                known.is_void = true;
                continue;
            }
            if known.is_served && !is_served || (known.is_refused || known.is_void) && is_served {
                return Err(format!("{known:?} is answered {told:?} then"));
            }
            (known.is_served, known.is_refused) = (is_served, !is_served);
        }
        Ok(())
    }

    /// A buyer shows its transfers; what was answered once is answered again.
    fn show(&mut self, buyer: u8) -> Result<(), String> {
        let Some((_, fingerprint)) = self.quote(buyer) else { return Ok(()) };
        for place in 0..self.settled.len() {
            if self.settled[place].buyer != buyer || !self.settled[place].is_own() {
                continue;
            }
            let hash = self.settled[place].transaction.clone();
            let body = json!({
                "fingerprint": fingerprint, "payload": Self::order(buyer), "tx_hash": hash,
                "buyer_signature": signed(buyer, &fingerprint),
            });
            let node = Transfer { hash: &hash, buyer, at: self.now / 1000 - 4 }.replies(|_| {});
            let asked = Command::Verify { payment: String::new(), body: body.to_string() };
            let told = match self.apply_with(asked, Some(&node)) {
                Answer::Reply(told) => told,
                errand @ Answer::Errand(_) => {
                    self.react(errand);
                    self.settled[place].is_served = true;
                    continue;
                }
                other => return Err(format!("a transfer is told {other:?}")),
            };
            let known = &mut self.settled[place];
            let is_known = |code: &str| told.body.contains(code);
            let is_right = match told.status {
                200 => !known.is_refused && !known.is_void,
                // It is known as a payment at the till, or goes back.
                409 if is_known("TX_ALREADY_USED") => {
                    known.is_void |= !known.is_refused;
                    !known.is_served
                }
                409 if is_known("QUOTE_EXPIRED") => !known.is_served && !known.is_void,
                // A quote that no one paid is kept for a day.
                403 if is_known("FINGERPRINT_INVALID") => true,
                _ => return Err(format!("{known:?} is told {told:?}")),
            };
            if !is_right {
                return Err(format!("{known:?} is answered {told:?} then"));
            }
            known.is_served |= told.status == 200;
            known.is_refused |= is_known("QUOTE_EXPIRED");
        }
        Ok(())
    }
}

fn sale(settled: &Settled) -> TillPayment {
    TillPayment {
        quote: settled.sale.0.clone(),
        payment: settled.sale.1.clone(),
        payer: wallet(settled.buyer),
        amount: PRICE.into(),
        asset: USDC.into(),
        network: NETWORK.into(),
        transaction: settled.transaction.clone(),
    }
}
