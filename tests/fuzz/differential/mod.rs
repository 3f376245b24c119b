//! Values whose meaning is compared with that of other libraries, one by one.
//!
//! Each kind makes a value from a seed and a number, and tells what this project makes of it. Programs in JavaScript and
//! Python are given the values, and have to come to the same by themselves; libraries of Rust are asked by the targets beside this.

mod accounts;
mod alloy;
mod calls;
mod chance;
mod signed;
mod text;
mod typed;

use serde_json::{Value, json};

use crate::driver;
use crate::targets::Target;
use chance::Chance;

/// A value, and what this project makes of it.
pub struct Compared {
    /// Everything that another library needs to come to the same.
    pub input: Value,
    /// The result; null if the value is refused.
    pub ours: Value,
    /// The same for a library of Rust, as the input of a target.
    pub asked: Vec<u8>,
    /// The result by another way of this project, if it has two.
    pub again: Option<Value>,
}

impl Compared {
    /// A value whose result this project finds in one way.
    const fn of(input: Value, ours: Value, asked: Vec<u8>) -> Self {
        Self { input, ours, asked, again: None }
    }
}

/// A kind of values.
pub struct Kind {
    pub name: &'static str,
    /// What is compared, in a sentence.
    pub holds: &'static str,
    make: fn(&mut Chance) -> Compared,
    asks: Asks,
    /// The library of Rust that is asked.
    pub library: &'static str,
}

/// How another library of Rust is asked.
enum Asks {
    /// By this target, which panics where both differ.
    Target(&'static str),
    /// By its own result for the input.
    Answer(fn(&Value) -> Value),
}

/// Every kind, in the order in which they are listed.
pub const KINDS: &[Kind] = &[
    Kind {
        name: "typed-data",
        holds: "separator and digest of typed data of any types; numbers that do not fit their type are refused",
        make: typed::any,
        asks: Asks::Target("eip712"),
        library: "alloy",
    },
    Kind {
        name: "authorizations",
        holds: "digests of EIP-3009, Permit2, ERC-2612, vouchers and channels",
        make: typed::known,
        asks: Asks::Target("eip712"),
        library: "alloy",
    },
    Kind {
        name: "signatures",
        holds: "address, public key and the only signature of a key over a digest",
        make: accounts::signature,
        asks: Asks::Target("signature"),
        library: "alloy",
    },
    Kind {
        name: "recovery",
        holds: "the signer of a digest; high s, other v, numbers out of range and other lengths are refused",
        make: accounts::recovery,
        asks: Asks::Target("signature"),
        library: "alloy",
    },
    Kind {
        name: "addresses",
        holds: "checksums, and which texts are addresses",
        make: accounts::address,
        asks: Asks::Target("names"),
        library: "alloy",
    },
    Kind {
        name: "sent",
        holds: "bytes and hash of a transaction that is signed here",
        make: signed::sent,
        asks: Asks::Target("transaction"),
        library: "alloy",
    },
    Kind {
        name: "read",
        holds: "what a signed transaction of any type says, or that it is no plain transfer",
        make: signed::read,
        asks: Asks::Target("transaction"),
        library: "alloy",
    },
    Kind {
        name: "rlp",
        holds: "the encoding of nested lists, and which bytes are one",
        make: signed::rlp,
        asks: Asks::Answer(alloy::rlp),
        library: "alloy",
    },
    Kind {
        name: "abi",
        holds: "the data of calls, hashes over encoded arguments, and what the data of a call says",
        make: calls::any,
        asks: Asks::Answer(alloy::abi),
        library: "alloy",
    },
    Kind {
        name: "json",
        holds: "the canonical text of a JSON document, and which texts are none",
        make: text::json,
        asks: Asks::Target("json"),
        library: "serde_json",
    },
];

impl Kind {
    /// The kind with this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.name == name)
    }

    /// The value of this number, as the line that other programs read.
    pub fn line(&self, seed: u64, number: u64) -> String {
        let Compared { input, ours, .. } = (self.make)(&mut Chance::of(seed, number));
        json!({ "number": number, "input": input, "ours": ours }).to_string()
    }

    /// Asks the library of Rust about the value of this number.
    ///
    /// # Errors
    /// What differs.
    pub fn ask(&self, seed: u64, number: u64) -> Result<(), String> {
        let Compared { input, ours, asked, again } = (self.make)(&mut Chance::of(seed, number));
        if let Some(again) = again.filter(|again| *again != ours) {
            return Err(format!("by another way it is {again}"));
        }
        match self.asks {
            Asks::Target(name) => {
                let target = Target::named(name).ok_or(format!("no target is called {name}"))?;
                driver::run(target, &asked).map(drop).map_err(|failure| failure.told)
            }
            Asks::Answer(answer) => {
                let theirs = answer(&input);
                if theirs == ours { Ok(()) } else { Err(format!("it is {theirs}")) }
            }
        }
    }
}
