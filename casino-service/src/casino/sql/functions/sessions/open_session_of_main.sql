-- Purpose: casino.open_session for processes of the release before, which know no provider but `main`. The next release drops it.
create or replace function casino.open_session(
    p_ledger_id integer, p_tenant_id text, p_player_id text, p_game_id text, p_session_id uuid, p_token_hash bytea,
    p_country text, p_client_address inet
)
returns table (
    o_code text, o_game_code text, o_currency text, o_balance_minor bigint, o_stake_min_minor bigint,
    o_stake_max_minor bigint, o_expires_at timestamptz
)
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    select o_code, o_game_code, o_currency, o_balance_minor, o_stake_min_minor, o_stake_max_minor, o_expires_at
    from casino.open_session(
        p_ledger_id, p_tenant_id, p_player_id, p_game_id, p_session_id, p_token_hash, p_country, p_client_address,
        array['main']
    );
$$;
