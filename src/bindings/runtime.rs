//! Substitutes for std: memory, and the end of an instance that panicked.
//!
//! Not for the Worker, which has std. Without std no panic message is formatted, so that texts,
//! places and the code behind them are left out of the package, an eighth of it; JavaScript gets
//! the same `RuntimeError: unreachable` as from std, which has no output there.

use core::arch::wasm32;
use core::panic::PanicInfo;

use dlmalloc::GlobalDlmalloc;

#[global_allocator]
static MEMORY: GlobalDlmalloc = GlobalDlmalloc;

#[panic_handler]
fn panicked(_: &PanicInfo<'_>) -> ! {
    wasm32::unreachable()
}
