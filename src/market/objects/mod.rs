//! The Durable Object: SQL lives here and nowhere else in the market.

mod books;
mod exchange;
mod figures;
mod original;
mod schema;
mod skills;
mod write;
