//! The tables of a profile and their history; schema changes are numbered.

/// Schema changes in order.
pub(super) const MIGRATIONS: &[&[&str]] = &[
    FIRST, SEEN, SETTLED, LEAVING, PROVEN, PRICED, FIRM, SHARED, LISTED, PLACED, TURNED, GONE_BACK,
];

/// The tables of the first version. Rows are JSON; the columns beside them are what they are found by.
const FIRST: &[&str] = &[
    "CREATE TABLE sellers (
        id TEXT PRIMARY KEY, capability TEXT NOT NULL, presence TEXT NOT NULL, heartbeat INTEGER, row TEXT NOT NULL) WITHOUT ROWID",
    "CREATE INDEX sellers_online ON sellers (capability, heartbeat) WHERE presence = 'online'",
    "CREATE TABLE bonds (
        id TEXT PRIMARY KEY, client TEXT NOT NULL, seller TEXT NOT NULL, agent TEXT NOT NULL, created INTEGER NOT NULL, tx TEXT,
        row TEXT NOT NULL)",
    // What proved one bond proves no other.
    "CREATE UNIQUE INDEX bonds_tx ON bonds (tx) WHERE tx IS NOT NULL",
    "CREATE INDEX bonds_client ON bonds (client, created)",
    "CREATE INDEX bonds_seller ON bonds (seller, agent, created)",
    "CREATE TABLE quotes (
        number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, fingerprint TEXT NOT NULL, client TEXT NOT NULL,
        seller TEXT NOT NULL, state TEXT NOT NULL, created INTEGER NOT NULL, until INTEGER NOT NULL, row TEXT NOT NULL)",
    "CREATE INDEX quotes_fingerprint ON quotes (fingerprint, number)",
    "CREATE INDEX quotes_client ON quotes (client, created)",
    "CREATE INDEX quotes_seller ON quotes (seller, until) WHERE state = 'open'",
    "CREATE INDEX quotes_open ON quotes (until) WHERE state = 'open'",
    // A quote has one job at most.
    "CREATE TABLE jobs (
        number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, quote TEXT NOT NULL UNIQUE, seller TEXT NOT NULL,
        shown TEXT, state TEXT NOT NULL, created INTEGER NOT NULL, due INTEGER, row TEXT NOT NULL)",
    "CREATE INDEX jobs_shown ON jobs (shown) WHERE shown IS NOT NULL",
    "CREATE INDEX jobs_seller ON jobs (seller, state)",
    "CREATE INDEX jobs_due ON jobs (due) WHERE due IS NOT NULL",
    "CREATE TABLE holds (payment TEXT PRIMARY KEY, job TEXT NOT NULL, state TEXT NOT NULL, due INTEGER, row TEXT NOT NULL)",
    "CREATE INDEX holds_due ON holds (due) WHERE due IS NOT NULL",
    "CREATE TABLE events (
        number INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, kind TEXT NOT NULL, job TEXT NOT NULL, seller TEXT NOT NULL,
        row TEXT NOT NULL)",
    "CREATE INDEX events_at ON events (at)",
];

/// Tables of counts, and indexes for views.
const SEEN: &[&str] = &[
    "CREATE TABLE hours (hour INTEGER PRIMARY KEY, row TEXT NOT NULL)",
    "CREATE TABLE records (seller TEXT PRIMARY KEY, done INTEGER NOT NULL, row TEXT NOT NULL) WITHOUT ROWID",
    "CREATE INDEX records_done ON records (done)",
    "CREATE INDEX sellers_heard ON sellers (coalesce(heartbeat, json_extract(row, '$.created')))",
    "CREATE INDEX jobs_seats ON jobs (seller) WHERE state IN ('settling', 'paid', 'running')",
    "CREATE INDEX events_job ON events (job, number) WHERE job <> ''",
    "CREATE INDEX events_seller ON events (seller, number) WHERE seller <> ''",
    "CREATE INDEX events_settlements ON events (number)
        WHERE kind IN ('RELEASED', 'REFUNDED', 'RELEASE_SKIPPED', 'REFUND_SKIPPED')",
];

/// By which transaction a payment was settled.
const SETTLED: &[&str] =
    &["CREATE INDEX holds_settlement ON holds (json_extract(row, '$.settlement'))"];

/// Indexes of rows that leave.
const LEAVING: &[&str] = &[
    "CREATE INDEX quotes_over ON quotes (state, until)",
    "CREATE INDEX jobs_over ON jobs (number) WHERE state IN ('done', 'failed')",
    "CREATE INDEX bonds_made ON bonds (created)",
];

/// Indexes of sellers without the unproven, who are counted by the client that registered them, and
/// not shown.
const PROVEN: &[&str] = &[
    "DROP INDEX sellers_heard",
    "CREATE INDEX sellers_heard ON sellers (coalesce(heartbeat, json_extract(row, '$.created')))
        WHERE json_extract(row, '$.subject') <> ''",
    "CREATE INDEX sellers_unproven ON sellers (json_extract(row, '$.client'), json_extract(row, '$.created'))
        WHERE json_extract(row, '$.subject') = ''",
];

/// Sellers are asked by price.
const PRICED: &[&str] = &["CREATE INDEX sellers_priced ON sellers (capability,
    length(json_extract(row, '$.units')), json_extract(row, '$.units'), coalesce(json_extract(row, '$.served'), 0), id)
    WHERE presence = 'online'"];

/// Until when no other quote is given the seat of one.
const FIRM: &[&str] = &["ALTER TABLE quotes ADD COLUMN firm INTEGER NOT NULL DEFAULT 0"];

/// Buyers and sellers of jobs that are over are read without their rows.
const SHARED: &[&str] = &[
    "DROP INDEX jobs_over",
    "CREATE INDEX jobs_over ON jobs (number, state, id, json_extract(row, '$.buyer'), seller, created)
        WHERE state IN ('done', 'failed')",
];

/// The operator lists jobs and money by their state. A refund of which the gate was told in vain has a
/// name of its own.
const LISTED: &[&str] = &[
    "UPDATE holds SET state = 'untold' WHERE state = 'ended' AND due IS NULL AND job = ''
        AND json_extract(row, '$.looks') >= 16",
    "CREATE INDEX holds_state ON holds (state)",
    "CREATE INDEX jobs_state ON jobs (state)",
];

/// Money that is due is found by whether it bought a job.
const PLACED: &[&str] = &[
    "DROP INDEX holds_due",
    "CREATE INDEX holds_due ON holds (due) WHERE due IS NOT NULL AND job <> ''",
    "CREATE INDEX holds_orphans ON holds (due) WHERE due IS NOT NULL AND job = ''",
];

/// Money that is due is found by the kind of its errand, and by its seller.
const TURNED: &[&str] = &[
    "ALTER TABLE holds ADD COLUMN kind TEXT NOT NULL DEFAULT 'job'",
    "ALTER TABLE holds ADD COLUMN payee TEXT NOT NULL DEFAULT ''",
    "UPDATE holds SET payee = coalesce(json_extract(row, '$.payee'), ''), kind = CASE WHEN job = '' THEN 'orphan'
        WHEN state IN ('sent', 'ended', 'untold') OR json_extract(row, '$.payout') <> '' THEN 'payout'
        ELSE 'job' END WHERE due IS NOT NULL",
    "DROP INDEX holds_due",
    "DROP INDEX holds_orphans",
    "CREATE INDEX holds_due ON holds (kind, due, payee) WHERE due IS NOT NULL",
];

/// The operator lists refunds, of which there are few.
const GONE_BACK: &[&str] =
    &["CREATE INDEX holds_refunds ON holds (coalesce(json_extract(row, '$.state.paying'),
        json_extract(row, '$.state.sent'), json_extract(row, '$.state.ended')))
        WHERE coalesce(json_extract(row, '$.state.paying'), json_extract(row, '$.state.sent'),
        json_extract(row, '$.state.ended')) = 'refund'"];
