//! Signatures of known signers: what their multiples say is what recovering the key says.

use farebox_core::evm::account::Account;
use farebox_core::evm::known::{KnownSigner, KnownSigners, SignedDigest};
use farebox_core::evm::signature::Signature;
use farebox_core::secret::Secret;

fn account(number: u8) -> Account {
    let mut key = [number; 32];
    key[0] = 1;
    Account::from_candidates([Secret::new(key)].into_iter()).unwrap()
}

fn signed(by: &Account, digest: [u8; 32]) -> SignedDigest {
    SignedDigest { signer: by.address(), digest, signature: by.sign(&digest).unwrap() }
}

/// The account after so many payments.
fn known(account: &Account, payments: u8) -> KnownSigner {
    let mut known = KnownSigner::new(account.address());
    for payment in 0..payments {
        known.paid(&signed(account, [payment; 32]));
    }
    known
}

/// Digests at the ends of their range, around the order of the group, and between.
fn digests() -> Vec<[u8; 32]> {
    let order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
    let order: [u8; 32] = farebox_core::encoding::hex::decode_array(&format!("0x{order}")).unwrap();
    let mut above = order;
    above[31] += 1;
    let mut one = [0; 32];
    one[31] = 1;
    let mut all = vec![[0; 32], one, order, above, [0xff; 32]];
    all.extend((1..12).map(|byte| [byte * 21; 32]));
    all
}

#[test]
fn a_known_signer_is_believed_what_recovery_finds_and_nothing_else() {
    let accounts: Vec<Account> = (1..=6).map(account).collect();
    let (mut held, mut refused) = (0, 0);
    for (index, payer) in accounts.iter().enumerate() {
        let known = known(payer, 4);
        assert!(known.is_known());
        let stranger = &accounts[(index + 1) % accounts.len()];
        for digest in digests() {
            let right = signed(payer, digest);
            let mut cases = vec![right];
            let mut other = digest;
            other[7] ^= 1;
            cases.push(SignedDigest { digest: other, ..right });
            cases.push(SignedDigest { signature: signed(stranger, digest).signature, ..right });
            cases.push(SignedDigest { signer: stranger.address(), ..right });
            // Every byte counts: r, s and v.
            for place in [0, 15, 31, 32, 47, 63] {
                let mut bytes = right.signature.to_bytes();
                bytes[place] ^= 4;
                let changed = Signature::from_bytes(&bytes).ok();
                cases.extend(changed.map(|signature| SignedDigest { signature, ..right }));
            }
            let mut bytes = right.signature.to_bytes();
            bytes[64] = if bytes[64] == 27 { 28 } else { 27 };
            cases.push(SignedDigest { signature: Signature::from_bytes(&bytes).unwrap(), ..right });
            for (case, signed) in cases.iter().enumerate() {
                let recovered = signed.signature.recover(&signed.digest) == Ok(signed.signer);
                assert_eq!(recovered, case == 0, "{index} {case} {digest:?}");
                assert_eq!(signed.holds(Some(&known)), recovered, "{index} {case} {digest:?}");
                assert_eq!(signed.holds(None), recovered, "{index} {case} {digest:?}");
                *if recovered { &mut held } else { &mut refused } += 1;
            }
        }
    }
    assert_eq!(held, 6 * 16);
    assert!(refused > 6 * 16 * 7, "{refused}");
}

#[test]
fn who_has_paid_a_few_times_is_not_known_yet_and_no_one_is_known_by_another() {
    let (payer, stranger) = (account(1), account(2));
    assert!(!known(&payer, 3).is_known());
    assert!(known(&payer, 4).is_known());
    let mut mixed = known(&payer, 3);
    mixed.paid(&signed(&stranger, [9; 32]));
    assert!(!mixed.is_known(), "the fourth payment is someone else's");
    let mut deceived = KnownSigner::new(payer.address());
    for payment in 0..8 {
        deceived
            .paid(&SignedDigest { signer: payer.address(), ..signed(&stranger, [payment; 32]) });
    }
    assert!(!deceived.is_known(), "a signature of someone else in their name");
    mixed.paid(&signed(&payer, [9; 32]));
    assert!(mixed.is_known());
    assert!(signed(&stranger, [1; 32]).holds(Some(&mixed)), "a stranger's key is recovered");
}

#[test]
fn an_isolate_knows_a_bounded_number_of_signers_and_those_who_paid_last() {
    let mut signers = KnownSigners::new();
    for number in 1..=200 {
        signers.paid(&signed(&account(number), [7; 32]));
        assert!(signers.count() <= 128, "{number}");
        assert!(signers.get(&account(number).address()).is_some(), "{number}");
    }
    assert!(signers.get(&account(1).address()).is_none());
    assert!(signers.get(&account(190).address()).is_some());
}
