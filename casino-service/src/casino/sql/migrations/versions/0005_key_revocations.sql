-- Keys that were revoked before their end: every process reads this again and again. It holds ids, never secrets.
create table casino.key_revocations (
    direction text not null,
    key_id text not null,
    revoked_at timestamptz not null default clock_timestamp(),
    revoked_by text not null default session_user,
    primary key (direction, key_id),
    constraint direction_known check (direction in ('casino', 'provider')),
    constraint key_id_in_shape check (key_id ~ '^[0-9A-Za-z._-]{1,64}$')
);
