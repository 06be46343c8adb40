-- What bounds a player's own client. Not logged: after a crash every bucket is full again.
create unlogged table casino.rate_buckets (
    tenant_id text not null,
    player_id text not null,
    tokens double precision not null,
    refilled_at timestamptz not null,
    primary key (tenant_id, player_id),
    constraint tokens_not_negative check (tokens >= 0)
);
