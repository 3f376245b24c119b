//! The tables of the market's object and their history; schema changes are numbered.

/// Schema changes in order.
pub(super) const MIGRATIONS: &[&[&str]] =
    &[FIRST, ARCHIVE, BOUNDS, super::original::TABLES, KEPT, LEFT, PAID, PLACES];

/// The tables of the first version.
const FIRST: &[&str] = &[
    "CREATE TABLE skills (
        id TEXT PRIMARY KEY, owner TEXT NOT NULL, active INTEGER NOT NULL, created INTEGER NOT NULL,
        latest TEXT NOT NULL, row TEXT NOT NULL)",
    "CREATE INDEX skills_owner ON skills (owner) WHERE active = 1",
    "CREATE INDEX skills_created ON skills (created, id) WHERE active = 1",
    "CREATE TABLE versions (
        skill TEXT NOT NULL, version TEXT NOT NULL, created INTEGER NOT NULL, row TEXT NOT NULL,
        PRIMARY KEY (skill, version))",
    "CREATE TABLE nonces (owner TEXT NOT NULL, nonce TEXT NOT NULL, until INTEGER NOT NULL,
        PRIMARY KEY (owner, nonce)) WITHOUT ROWID",
    "CREATE INDEX nonces_until ON nonces (until)",
    "CREATE TABLE invocations (
        number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, account TEXT NOT NULL, agent TEXT NOT NULL,
        skill TEXT NOT NULL, ending TEXT NOT NULL, network TEXT NOT NULL, tx TEXT, running TEXT, due INTEGER,
        row TEXT NOT NULL)",
    // What settles one of them settles no other.
    "CREATE UNIQUE INDEX invocations_tx ON invocations (network, tx) WHERE tx IS NOT NULL",
    "CREATE UNIQUE INDEX invocations_running ON invocations (account, running) WHERE running IS NOT NULL",
    "CREATE INDEX invocations_account ON invocations (account, number)",
    "CREATE INDEX invocations_agent ON invocations (agent, number)",
    "CREATE INDEX invocations_skill ON invocations (skill, number)",
    "CREATE INDEX invocations_ending ON invocations (ending, number)",
    "CREATE INDEX invocations_due ON invocations (due) WHERE due IS NOT NULL",
    "CREATE TABLE replies (
        invocation TEXT PRIMARY KEY, until INTEGER NOT NULL, row TEXT NOT NULL, body TEXT)",
    "CREATE INDEX replies_until ON replies (until)",
    "CREATE TABLE keys (account TEXT NOT NULL, key TEXT NOT NULL, until INTEGER NOT NULL, row TEXT NOT NULL,
        PRIMARY KEY (account, key)) WITHOUT ROWID",
    "CREATE INDEX keys_until ON keys (until)",
    "CREATE TABLE spend (account TEXT PRIMARY KEY, agent TEXT NOT NULL, row TEXT NOT NULL)",
    "CREATE INDEX spend_agent ON spend (agent, account)",
    "CREATE TABLE packs (id TEXT PRIMARY KEY, payment TEXT NOT NULL UNIQUE, row TEXT NOT NULL)",
    // What is longer than a value may be.
    "CREATE TABLE parts (
        owner TEXT NOT NULL, number INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY (owner, number)) WITHOUT ROWID",
];

/// Tables of invocations that are in the archive.
const ARCHIVE: &[&str] = &[
    "CREATE TABLE shelves (last INTEGER PRIMARY KEY, first INTEGER NOT NULL UNIQUE, row TEXT NOT NULL)",
    "CREATE TABLE departed (id TEXT PRIMARY KEY, number INTEGER NOT NULL, network TEXT NOT NULL, tx TEXT) WITHOUT ROWID",
    "CREATE UNIQUE INDEX departed_tx ON departed (network, tx) WHERE tx IS NOT NULL",
];

/// Columns and tables of the room that skills take and leave.
const BOUNDS: &[&str] = &[
    "ALTER TABLE skills ADD COLUMN used INTEGER NOT NULL DEFAULT 1",
    "ALTER TABLE skills ADD COLUMN routes INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE skills ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX skills_room ON skills (owner, used, routes, bytes) WHERE active = 1",
    "CREATE INDEX skills_idle ON skills (owner) WHERE active = 0 AND used = 0",
    "CREATE INDEX skills_used ON skills (owner) WHERE used = 1",
    "CREATE TABLE forgotten (id TEXT PRIMARY KEY, owner TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE rates (owner TEXT PRIMARY KEY, since INTEGER NOT NULL, row TEXT NOT NULL) WITHOUT ROWID",
];

/// Columns of the bytes that answers take, and an index of those that leave first.
const KEPT: &[&str] = &[
    "ALTER TABLE replies ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE replies ADD COLUMN is_long INTEGER NOT NULL DEFAULT 0",
    "UPDATE replies SET bytes = coalesce(length(CAST(body AS BLOB)),
        (SELECT sum(length(CAST(text AS BLOB))) FROM parts WHERE owner = invocation), 0)",
    "UPDATE replies SET is_long = 1 WHERE bytes > 16384",
    "CREATE INDEX replies_first ON replies (is_long DESC, until)",
    "INSERT INTO meta SELECT 'reply_bytes', coalesce(sum(bytes), 0) FROM replies",
];

/// Keys that paid, or may have, stand for their invocations for ever.
const PAID: &[&str] = &["UPDATE keys SET until = 9007199254740991, row = json_set(row, '$.until', 9007199254740991)
    WHERE json_extract(row, '$.invocation') IN (SELECT id FROM departed)
    OR json_extract(row, '$.invocation') IN (SELECT id FROM invocations
        WHERE ending IN ('running', 'paid_ok', 'paid_failed') OR json_extract(row, '$.pack') <> '')"];

/// Skills that were taken back and never used, by when.
const LEFT: &[&str] = &["CREATE INDEX skills_left ON skills (json_extract(row, '$.changed'))
    WHERE active = 0 AND used = 0"];

/// Columns and tables of the places of skills, of the order in which they were forgotten, and of
/// the end of keys of packs. Of skills that were called or paid for before no one knows whether
/// money moved: they keep their place for thirty days, and for ever where the market's fee was
/// paid.
const PLACES: &[&str] = &[
    "ALTER TABLE skills ADD COLUMN place_until INTEGER NOT NULL DEFAULT 0",
    "UPDATE skills SET place_until = CASE WHEN json_extract(row, '$.fee') IS NULL
        THEN (unixepoch() + 2592000) * 1000 ELSE 9007199254740991 END WHERE used = 1",
    "UPDATE skills SET row = json_set(row, '$.place_until', place_until)",
    "DROP INDEX skills_room",
    "DROP INDEX skills_used",
    "CREATE INDEX skills_room ON skills (owner, place_until, routes, bytes) WHERE active = 1",
    "CREATE INDEX skills_placed ON skills (owner, place_until) WHERE place_until > 0",
    "CREATE TABLE former_owners (
        number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL)",
    "INSERT INTO former_owners (id, owner) SELECT id, owner FROM forgotten",
    "DROP TABLE forgotten",
    "UPDATE keys SET until = coalesce((SELECT json_extract(packs.row, '$.until') + 86400000
        FROM packs WHERE packs.id = substr(account, 6)), until) WHERE account LIKE 'pack/%'",
    "UPDATE keys SET row = json_set(row, '$.until', until) WHERE account LIKE 'pack/%'",
];
