-- The ledger's tables, version 1. Every key of an account's data begins with the account's number, which is what the
-- data would be sharded by. Times are milliseconds since 1970 in UTC. Texts that are put in order are collated by
-- their bytes, as the ledger orders them, whatever the database's own collation.

-- The newest state of each account. `revision` is the sequence of its last entry, and what a commit is held against.
-- Room is left in the pages so that a charge, which moves no indexed column, is a heap-only update.
CREATE TABLE accounts (
    number bigint PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    revision bigint NOT NULL,
    plan text COLLATE "C" NOT NULL,
    due_at bigint NOT NULL,
    state bytea NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX accounts_due ON accounts (due_at, number);

-- The account as it stood when a day in UTC was over, so that a read of the past folds a day at most. `recorded_at` is
-- the time of its last entry then.
CREATE TABLE closings (
    account bigint NOT NULL,
    recorded_at bigint NOT NULL,
    state bytea NOT NULL,
    PRIMARY KEY (account, recorded_at)
);

-- The journal. `bytes` is the truth; the columns from `recorded_at` to `model` repeat what queries filter by.
CREATE TABLE entries (
    account bigint NOT NULL,
    sequence bigint NOT NULL,
    recorded_at bigint NOT NULL,
    occurred_at bigint NOT NULL,
    type text COLLATE "C" NOT NULL,
    activity text COLLATE "C",
    agent text COLLATE "C",
    model text COLLATE "C",
    bytes bytea NOT NULL,
    hash bytea NOT NULL,
    salt bytea,
    -- Without a salt: which of its account's name and metadata an erased entry had given.
    details text,
    noticed_at bigint NOT NULL,
    spendable_micros bigint NOT NULL,
    -- 0: priced in no instance; 1: in a fresh one, with `fuel`; 2: in one that had priced before.
    instance smallint NOT NULL,
    -- 64 bits without a sign, as PostgreSQL has none.
    fuel bigint NOT NULL,
    PRIMARY KEY (account, sequence)
);

-- Idempotency keys. They come in the order of time, so that a block-range index finds the old ones at next to no cost.
CREATE TABLE keys (
    account bigint NOT NULL,
    fingerprint bytea NOT NULL,
    content bytea NOT NULL,
    sequence bigint NOT NULL,
    recorded_at bigint NOT NULL,
    PRIMARY KEY (account, fingerprint)
);
CREATE INDEX keys_recorded ON keys USING brin (recorded_at);

-- What was used on each local day, and which entries happened on it.
CREATE TABLE usage_days (
    account bigint NOT NULL,
    day integer NOT NULL,
    first_sequence bigint NOT NULL,
    last_sequence bigint NOT NULL,
    sums bytea NOT NULL,
    PRIMARY KEY (account, day)
) WITH (fillfactor = 70);

-- What belongs to no account; only what is in force.
CREATE TABLE system_records (
    topic text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (topic, key)
);

-- The highest account number that was given out. A sequence would not do: it cannot give a stretch of numbers at once.
CREATE TABLE account_numbers (given bigint NOT NULL);
INSERT INTO account_numbers VALUES (0);
