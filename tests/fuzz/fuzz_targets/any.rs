//! One target inside libFuzzer, chosen by `FAREBOX_FUZZ_TARGET`.
#![no_main]

use std::sync::LazyLock;

use farebox_fuzz::targets::Target;
use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("FAREBOX_FUZZ_TARGET").unwrap_or_default();
    Target::named(&name).unwrap_or_else(|| panic!("FAREBOX_FUZZ_TARGET names no target: {name:?}"))
});

fuzz_target!(|input: &[u8]| {
    (TARGET.run)(input);
    farebox_fuzz::driver::notes::taken();
});
