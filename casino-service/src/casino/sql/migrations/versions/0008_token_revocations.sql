-- Players whose access tokens were revoked. One row for each: every token that was issued until then is refused.
create table casino.access_token_revocations (
    tenant_id text not null references casino.tenants (tenant_id),
    player_id text not null,
    issued_until timestamptz not null,
    revoked_by text not null default session_user,
    primary key (tenant_id, player_id)
);
