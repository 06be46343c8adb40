-- What bounds a player's own client: token buckets, and where a token is used from.

-- Not logged: after a crash of the database every bucket is full again.
create unlogged table casino.rate_buckets (
    tenant_id text not null,
    player_id text not null,
    full_at timestamptz not null,
    primary key (tenant_id, player_id)
);
comment on column casino.rate_buckets.full_at is
    'When the bucket is full again if nothing more is taken. A bucket that is full needs no row.';

-- Keyed hashes under keys that only the tokens' holders have: these rows say nothing about an address or a browser.
create table casino.access_token_fingerprints (
    tenant_id text not null,
    token_hash bytea not null,
    fingerprint bytea not null,
    expires_at timestamptz not null,
    primary key (tenant_id, token_hash)
);
create index access_token_fingerprints_expiry on casino.access_token_fingerprints (expires_at);

alter table casino.game_sessions add column fingerprint bytea;
comment on column casino.game_sessions.fingerprint is
    'Where the session token was first used from by the player''s client; null: not used by one yet.';
