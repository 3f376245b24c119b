//! The edges of Farebox: they carry out what [`farebox_core`] decides, and translate types.

#[cfg(feature = "bindings")]
mod bindings;
#[cfg(feature = "worker")]
mod worker;
