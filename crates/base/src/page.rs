//! The look that all pages share: those of the gate, of the market and of the exchange.

/// The style sheet: light and dark, for screens of 360 pixels and more.
pub const STYLE: &str = include_str!("page/style.css");
