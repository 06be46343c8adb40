-- Purpose: note what a provider says of its games, and give what is new to the tenants that take every game of main.
-- Input: a JSON array of {gameCode, name, expectedRtp, maxWinMinor}; the last two, numbers, may be null.
-- Outcome: how many games are new or have changed. A game that the provider names no more stays.
-- Locks: an advisory lock of the provider, so that processes that ask at one moment follow each other; then the rows that change.
create or replace function casino.note_provider_games(p_ledger_id integer, p_provider_id text, p_games jsonb)
returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '500ms'
as $$
declare
    v_now constant timestamptz := casino.clock();
    v_changed integer;
begin
    perform pg_advisory_xact_lock(hashtextextended('casino.note_provider_games of ' || p_provider_id, 0));
    insert into casino.provider_games as known (
        provider_id, game_code, display_name, expected_rtp, max_win_minor, noted_at
    )
    select distinct on (told."gameCode")
        p_provider_id, told."gameCode", told.name, told."expectedRtp", told."maxWinMinor", v_now
    from jsonb_to_recordset(p_games) as told ("gameCode" text, name text, "expectedRtp" numeric, "maxWinMinor" bigint)
    order by told."gameCode"
    on conflict (provider_id, game_code) do update
    set
        display_name = excluded.display_name, expected_rtp = excluded.expected_rtp,
        max_win_minor = excluded.max_win_minor, noted_at = excluded.noted_at
    where (known.display_name, known.expected_rtp, known.max_win_minor)
        is distinct from (excluded.display_name, excluded.expected_rtp, excluded.max_win_minor);
    get diagnostics v_changed = row_count;
    if v_changed > 0 and p_provider_id = 'main' then
        perform casino.give_games(p_ledger_id, tenant.tenant_id)
        from casino.tenants as tenant
        where tenant.ledger_id = p_ledger_id and tenant.takes_games_of_main
        order by tenant.tenant_id;
    end if;
    perform casino.note_expected_rtps(p_ledger_id, v_now);
    return v_changed;
end;
$$;
