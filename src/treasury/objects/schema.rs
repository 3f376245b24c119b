//! The tables of a treasury object and their history; schema changes are numbered.

/// Schema changes in order.
pub(super) const MIGRATIONS: &[&[&str]] = &[&[
    "CREATE TABLE agents (name TEXT PRIMARY KEY, row TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE tokens (
        id TEXT PRIMARY KEY, agent TEXT NOT NULL, created INTEGER NOT NULL, row TEXT NOT NULL) WITHOUT ROWID",
    "CREATE INDEX tokens_agent ON tokens (agent, created, id)",
    "CREATE TABLE policies (scope TEXT PRIMARY KEY, row TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE decisions (
        id TEXT PRIMARY KEY, agent TEXT NOT NULL, key TEXT, request TEXT NOT NULL, terms TEXT NOT NULL,
        open INTEGER NOT NULL, outcome TEXT NOT NULL, code TEXT NOT NULL, created INTEGER NOT NULL,
        row TEXT NOT NULL, body TEXT)",
    "CREATE UNIQUE INDEX decisions_key ON decisions (agent, key) WHERE key IS NOT NULL",
    "CREATE INDEX decisions_open ON decisions (agent, request, terms) WHERE open = 1",
    "CREATE INDEX decisions_created ON decisions (created, id)",
    "CREATE TABLE attempts (
        id TEXT PRIMARY KEY, agent TEXT NOT NULL, receipt TEXT NOT NULL, money TEXT NOT NULL, due INTEGER,
        counted INTEGER NOT NULL, row TEXT NOT NULL, parcel TEXT)",
    "CREATE UNIQUE INDEX attempts_receipt ON attempts (receipt)",
    "CREATE INDEX attempts_due ON attempts (due) WHERE due IS NOT NULL",
    "CREATE INDEX attempts_counted ON attempts (counted, id)",
    "CREATE TABLE budgets (scope TEXT PRIMARY KEY, row TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE reviews (
        id TEXT PRIMARY KEY, agent TEXT NOT NULL, verdict TEXT NOT NULL, created INTEGER NOT NULL,
        row TEXT NOT NULL)",
    "CREATE INDEX reviews_created ON reviews (created, id)",
    "CREATE TABLE log (number INTEGER PRIMARY KEY AUTOINCREMENT, row TEXT NOT NULL)",
    "CREATE TABLE outbox (
        id TEXT PRIMARY KEY, body TEXT NOT NULL, tries INTEGER NOT NULL, due INTEGER,
        created INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE INDEX outbox_due ON outbox (due) WHERE due IS NOT NULL",
    // What is longer than a value may be.
    "CREATE TABLE parts (
        owner TEXT NOT NULL, number INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY (owner, number)) WITHOUT ROWID",
], &[
    // A nonce pays once: what a second attempt under it would count, the chain never shows. Of attempts from before, one keeps it.
    "ALTER TABLE attempts ADD COLUMN payment TEXT",
    "CREATE UNIQUE INDEX attempts_payment ON attempts (payment) WHERE payment IS NOT NULL",
    "UPDATE OR IGNORE attempts SET payment = lower(json_extract(row, '$.network') || ' ' || json_extract(row, '$.contract')
        || ' ' || json_extract(row, '$.from') || ' ' || json_extract(row, '$.nonce'))",
], &[
    // What is left of payments whose rows have left.
    "CREATE TABLE traces (name TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID",
], &[
    // What merchants answer leaves before its decision, and a request once it is not sent any more.
    "ALTER TABLE decisions ADD COLUMN leaves INTEGER",
    "CREATE INDEX decisions_leaves ON decisions (leaves, id) WHERE leaves IS NOT NULL",
    "DELETE FROM parts WHERE owner IN (SELECT id FROM attempts WHERE due IS NULL AND money <> 'reserved')",
    "UPDATE attempts SET parcel = NULL WHERE due IS NULL AND money <> 'reserved'",
], &[
    // Payments in escrow contracts; of a wallet, one has a transaction in the air.
    "CREATE TABLE escrows (
        id TEXT PRIMARY KEY, flying TEXT, due INTEGER, created INTEGER NOT NULL, row TEXT NOT NULL) WITHOUT ROWID",
    "CREATE INDEX escrows_due ON escrows (due) WHERE due IS NOT NULL",
    "CREATE INDEX escrows_flying ON escrows (flying) WHERE flying IS NOT NULL",
    "CREATE TABLE nonces (wallet TEXT PRIMARY KEY, row TEXT NOT NULL) WITHOUT ROWID",
], &[
    // Payments by link. An authorization pays one.
    "CREATE TABLE links (
        id TEXT PRIMARY KEY, due INTEGER, payment TEXT UNIQUE, row TEXT NOT NULL) WITHOUT ROWID",
    "CREATE INDEX links_due ON links (due) WHERE due IS NOT NULL",
], &[
    // Which link has an authorization, in the objects that keep this for all organizations.
    "CREATE TABLE claims (name TEXT PRIMARY KEY, link TEXT NOT NULL) WITHOUT ROWID",
], &[
    // An authorization that has ended pays nothing.
    "ALTER TABLE claims ADD COLUMN until INTEGER",
    "CREATE INDEX claims_until ON claims (until)",
], &[
    // The turn in which the alarm works on an attempt, and what open payments take of an agent's room.
    "ALTER TABLE attempts ADD COLUMN turn TEXT NOT NULL DEFAULT 'reads'",
    "ALTER TABLE attempts ADD COLUMN held INTEGER",
    "ALTER TABLE attempts ADD COLUMN merchant TEXT NOT NULL DEFAULT ''",
    "UPDATE attempts SET turn = CASE WHEN agent = '$payouts' THEN 'payouts' ELSE 'interrupted' END
        WHERE due IS NOT NULL AND (agent = '$payouts' OR json_extract(row, '$.lease') IS NOT NULL)",
    "UPDATE attempts SET held = coalesce(length(CAST(parcel AS BLOB)),
            (SELECT sum(length(CAST(text AS BLOB))) FROM parts WHERE owner = attempts.id))
        WHERE due IS NOT NULL OR money = 'reserved'",
    "CREATE INDEX attempts_turn ON attempts (turn, agent, due) WHERE due IS NOT NULL",
    "CREATE TABLE open_payments (
        agent TEXT NOT NULL, merchant TEXT NOT NULL, count INTEGER NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY (agent, merchant)) WITHOUT ROWID",
    "INSERT INTO open_payments SELECT agent, '', count(*), sum(held) FROM attempts WHERE held IS NOT NULL GROUP BY agent",
], &[
    // Lists by state. An agent's open reviews are asked for with each request that needs a person.
    "CREATE INDEX reviews_verdict ON reviews (verdict, created, id)",
    "CREATE INDEX reviews_agent ON reviews (agent, verdict, created, id)",
    "CREATE INDEX decisions_rare ON decisions (outcome, created, id) WHERE outcome NOT IN ('allow', 'deny', 'executing')",
]];
