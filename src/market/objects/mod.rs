//! The Durable Object: SQL lives here and nowhere else in the market.

mod books;
mod schema;
mod skills;
mod write;
