//! Durable Objects: SQL lives here and nowhere else in the treasury.

mod books;
mod outbox;
mod recover;
mod schema;
mod treasury;
mod writes;
