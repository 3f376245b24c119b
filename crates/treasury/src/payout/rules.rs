//! The rules of an organization for what leaves its wallets without a merchant: payouts, and payments in
//! an escrow contract.

use super::super::books::Rows;
use super::super::kernel::Now;
use super::super::message::Reply;
use super::super::operate::reply::problem;
use super::super::policy::Rules;
use super::super::row::Scope;
use farebox_base::chain::ChainId;

/// Finds them, if they allow this network and asset now; an organization that has none forbids nothing.
pub(in super::super) fn find_rules<B: Rows>(
    books: &B,
    network: &ChainId,
    symbol: &str,
    scene: Now<'_>,
) -> Result<Result<Rules, Reply>, B::Error> {
    let refuse = |why: &str| problem(403, "payouts_not_allowed", why);
    let rules = match books.policy(&Scope::Organization)? {
        Some(row) => Rules::from_json(&row.document),
        None => Ok(Rules::default()),
    };
    let Ok(rules) = rules.map(|rules| rules.of_payouts()) else {
        return Ok(Err(refuse("the organization's policy cannot be read; put it anew")));
    };
    let judged = rules.judge_payout(network, symbol, scene.now);
    Ok(judged.map(|()| rules).map_err(|denial| refuse(&denial.reason)))
}
