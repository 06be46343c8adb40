-- Purpose: give a tenant every game of provider main, with stakes from 1 to 100,000 minor units and the win cap that
--   the provider states, and those to come too. A game has the
--   id that it has at the ledger's own tenant, else its code.
-- Outcome: how many games are new. Games that the tenant has stay as they are.
-- Locks: the tenant's row. Not for the application's role: see casino.note_provider_games and the makers of tenants.
create or replace function casino.give_games(p_ledger_id integer, p_tenant_id text)
returns integer
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_stake_max constant bigint := 100000;
    v_given integer;
begin
    update casino.tenants set takes_games_of_main = true
    where ledger_id = p_ledger_id and tenant_id = p_tenant_id;
    if not found then
        return 0;
    end if;
    insert into casino.games (
        tenant_id, game_id, game_code, display_name, stake_min_minor, stake_max_minor, win_cap_minor, provider_id, two_party
    )
    select
        p_tenant_id, known.game_id, known.game_code, known.display_name, 1, c_stake_max,
        coalesce(known.win_cap_minor, offered.max_win_minor), 'main', known.two_party
    from (
        select distinct on (each.game_code) each.*
        from (
            select game.game_id, game.game_code, game.display_name, game.two_party, game.win_cap_minor, 1 as place
            from casino.ledgers as ledger
            join casino.games as game on game.tenant_id = ledger.tenant_id and game.provider_id = 'main'
            where ledger.ledger_id = p_ledger_id
            union all
            select offered.game_code, offered.game_code, offered.display_name, false, null, 2
            from casino.provider_games as offered
            where offered.provider_id = 'main'
        ) as each
        order by each.game_code, each.place
    ) as known
    left join casino.provider_games as offered
        on offered.provider_id = 'main' and offered.game_code = known.game_code
    order by known.game_id
    on conflict do nothing;
    get diagnostics v_given = row_count;
    return v_given;
end;
$$;
