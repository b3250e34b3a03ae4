-- The first schema. It runs on SQLite and PostgreSQL alike: TEXT, BIGINT and BYTEA only, no functions, no literals but
-- numbers and words. Times are milliseconds since 1970 (UTC). BYTEA columns hold ciphertext, *_digest and digest columns keyed
-- digests. A word is never checked here, so that later versions can add some without changing the table.
-- Foreign keys are looked at when a transaction ends, so that its rows may come in any order.

CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE store_keys (
    fingerprint TEXT NOT NULL PRIMARY KEY,
    wrapped BYTEA NOT NULL,
    created BIGINT NOT NULL
);

CREATE TABLE cases (
    id TEXT NOT NULL PRIMARY KEY,
    prefix TEXT NOT NULL,
    year BIGINT NOT NULL,
    serial BIGINT NOT NULL,
    state TEXT NOT NULL,
    opened BIGINT NOT NULL,
    first_answer BIGINT,
    closed BIGINT,
    contact BYTEA,
    contact_digest TEXT,
    answer_key BYTEA,
    answer_key_confirmed BIGINT NOT NULL,
    answers_held BIGINT NOT NULL,
    subject BYTEA,
    encryption TEXT NOT NULL,
    UNIQUE (prefix, year, serial)
);

CREATE TABLE case_serials (
    prefix TEXT NOT NULL,
    year BIGINT NOT NULL,
    last BIGINT NOT NULL,
    PRIMARY KEY (prefix, year)
);

-- in_flight: 0 waits, 1 is being opened, 2 was in flight when a process died, 3 is being opened alone for that reason.
CREATE TABLE mails (
    id TEXT NOT NULL PRIMARY KEY,
    content_digest TEXT NOT NULL UNIQUE,
    received BIGINT NOT NULL,
    size BIGINT NOT NULL,
    content BYTEA,
    facts BYTEA,
    origin TEXT NOT NULL,
    state TEXT NOT NULL,
    class TEXT,
    case_id TEXT REFERENCES cases (id) DEFERRABLE INITIALLY DEFERRED,
    in_flight BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    fence BIGINT NOT NULL
);
CREATE INDEX mails_to_open ON mails (received, id) WHERE state = 'stored';
CREATE INDEX mails_of_case ON mails (case_id, received);

-- Every place where a mail was found: the same mail may arrive twice.
CREATE TABLE sources (
    digest TEXT NOT NULL PRIMARY KEY,
    mail_id TEXT NOT NULL REFERENCES mails (id) DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE message_ids (
    digest TEXT NOT NULL PRIMARY KEY,
    case_id TEXT NOT NULL REFERENCES cases (id) DEFERRABLE INITIALLY DEFERRED,
    mail_id TEXT NOT NULL REFERENCES mails (id) DEFERRABLE INITIALLY DEFERRED,
    kind TEXT NOT NULL
);

-- recipient is empty where there is none: NULLs would never be equal, and two drafts for one mail would pass.
CREATE TABLE outbox (
    id TEXT NOT NULL PRIMARY KEY,
    mail_id TEXT NOT NULL REFERENCES mails (id) DEFERRABLE INITIALLY DEFERRED,
    -- No reference: an acknowledgement may name a number of its own that no case has.
    case_id TEXT,
    kind TEXT NOT NULL,
    generation BIGINT NOT NULL,
    recipient TEXT NOT NULL,
    state TEXT NOT NULL,
    why TEXT,
    attempts BIGINT NOT NULL,
    due BIGINT NOT NULL,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    owner TEXT,
    lease_until BIGINT NOT NULL,
    fence BIGINT NOT NULL,
    UNIQUE (mail_id, kind, generation, recipient)
);
CREATE INDEX outbox_work ON outbox (due) WHERE state IN ('pending', 'sending');
CREATE INDEX outbox_held ON outbox (recipient) WHERE state = 'held';
CREATE INDEX outbox_recent ON outbox (kind, created);
CREATE INDEX outbox_of_case ON outbox (case_id);

CREATE TABLE drafts (
    case_id TEXT NOT NULL PRIMARY KEY REFERENCES cases (id) DEFERRABLE INITIALLY DEFERRED,
    mail_id TEXT NOT NULL REFERENCES mails (id) DEFERRABLE INITIALLY DEFERRED,
    marker_digest TEXT NOT NULL UNIQUE,
    body BYTEA,
    link BYTEA,
    state TEXT NOT NULL,
    created BIGINT NOT NULL,
    opened BIGINT
);

CREATE TABLE seen (
    kind TEXT NOT NULL,
    digest TEXT NOT NULL,
    mail_id TEXT,
    case_id TEXT,
    at BIGINT NOT NULL,
    PRIMARY KEY (kind, digest)
);

CREATE TABLE roles (
    name TEXT NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL,
    fence BIGINT NOT NULL,
    until BIGINT NOT NULL
);

CREATE TABLE audit (
    seq BIGINT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    link TEXT NOT NULL
);
