-- Keys that were revoked before their end: every process reads this again and again. It holds ids, never secrets.
create table casino.key_revocations (
    direction text not null,
    key_id text not null,
    revoked_at timestamptz not null default clock_timestamp(),
    primary key (direction, key_id),
    constraint direction_known check (direction in ('casino', 'provider'))
);
