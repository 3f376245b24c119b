//! Deliberate defects, so that the tests can show that they would notice: for this project's own tests.
//!
//! They stand in the copy that `scripts/defects.mjs` makes, each beside its guard; the code that ships has none.
//! Each system has a list of its own in a folder beside this file: a macro that appends the list to those
//! before it, and hands on to the next.

extern crate std;

use core::cell::Cell;
use std::format;

#[macro_use]
mod channel;
#[macro_use]
mod compute;
#[macro_use]
mod facilitator;
#[macro_use]
mod gate;
#[macro_use]
mod ledger;
#[macro_use]
mod payer;
#[macro_use]
mod skills;
#[macro_use]
mod treasury;
#[macro_use]
mod wire;

/// Declares the mutants of all lists.
macro_rules! declare {
    (; $($(#[$doc:meta])* $name:ident,)*) => {
        /// One broken guard.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Mutant {
            $($(#[$doc])* $name,)*
        }

        impl Mutant {
            /// Every mutant.
            pub const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

ledger! { gate facilitator wire payer treasury skills compute channel declare; }

std::thread_local! {
    static PLANTED: Cell<Option<Mutant>> = const { Cell::new(None) };
}

/// Plants a mutant in this thread, or none.
pub fn plant(mutant: Option<Mutant>) {
    PLANTED.set(mutant);
}

/// Whether this thread has planted the mutant.
#[must_use]
pub fn planted(mutant: Mutant) -> bool {
    PLANTED.get() == Some(mutant)
}

impl Mutant {
    /// The mutant with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|mutant| format!("{mutant:?}") == name)
    }
}
