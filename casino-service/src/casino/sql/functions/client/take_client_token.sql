-- Purpose: limit the calls of a player's own client, over all processes: a burst of p_burst, then p_per_second a second.
-- Outcome: 0 when the call is allowed; else the seconds to wait, and no token is taken. Null for an unknown player, without
-- a row: invented player ids must not fill the table.
-- A bucket is one instant, full_at. A call moves it ahead by the time of one token, as long as it stays less than a whole
-- bucket ahead of now. An earlier "now" (of another process) gives no tokens back.
-- Locks: the player's bucket.
create or replace function casino.take_client_token(
    p_ledger_id integer, p_tenant_id text, p_player_id text, p_burst integer, p_per_second integer
)
returns double precision
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    c_token constant interval := make_interval(secs => 1.0 / p_per_second);
    c_ahead constant interval := make_interval(secs => (p_burst - 1.0) / p_per_second);
    v_now constant timestamptz := casino.clock();
    v_full_at timestamptz;
begin
    perform 1
    from casino.wallets
    where ledger_id = p_ledger_id and tenant_id = p_tenant_id and player_id = p_player_id;
    if not found then
        return null;
    end if;

    insert into casino.rate_buckets as bucket (tenant_id, player_id, full_at)
    values (p_tenant_id, p_player_id, v_now + c_token)
    on conflict (tenant_id, player_id) do update
    set full_at = greatest(bucket.full_at, v_now) + c_token
    where bucket.full_at <= v_now + c_ahead;
    if found then
        return 0;
    end if;

    select full_at into v_full_at from casino.rate_buckets where tenant_id = p_tenant_id and player_id = p_player_id;
    return greatest(extract(epoch from coalesce(v_full_at, v_now) - c_ahead - v_now), extract(epoch from c_token) / 1000);
end;
$$;
