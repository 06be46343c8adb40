-- Purpose: write into casino.game_configs what providers say that their games pay back, for each tenant that has the game itself.
--   A row is added when a provider says something else than before. One that the operator wrote later stays in force until then.
-- Of two providers with a game of one code in a tenant, main is believed, else the first by its id.
create or replace function casino.note_expected_rtps(p_ledger_id integer, p_now timestamptz)
returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    insert into casino.game_configs (ledger_id, tenant_id, game_key, since, expected_rtp, stated_by)
    select p_ledger_id, said.tenant_id, said.game_code, p_now, said.expected_rtp, 'provider'
    from (
        select distinct on (tenant_id, game_code) tenant_id, game_code, expected_rtp
        from casino.games
        join casino.tenants using (tenant_id)
        join casino.provider_games using (provider_id, game_code)
        where ledger_id = p_ledger_id and expected_rtp is not null
        order by tenant_id, game_code, provider_id <> 'main', provider_id
    ) as said
    where said.expected_rtp is distinct from (
        select known.expected_rtp from casino.game_configs as known
        where known.ledger_id = p_ledger_id and known.tenant_id = said.tenant_id and known.game_key = said.game_code
            and known.stated_by = 'provider'
        order by known.since desc limit 1
    )
    on conflict do nothing;
$$;
