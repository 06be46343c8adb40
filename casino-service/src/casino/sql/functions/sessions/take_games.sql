-- Purpose: take over the games of a tenant's providers from the file of providers.
-- Input: a JSON array of {providerId, gameId, gameCode, name, minBet, maxBet, maxWin, twoParty}; amounts in minor units; maxWin may
--   be null.
-- Outcome: null, or why the file is refused; then nothing is written. The service's login may call this with anything, so it never
--   touches a game of `main`, nor a game of another provider than the one it is named with; its amounts are those that a file may have;
--   and a tenant that has the games of the tenant above it keeps them. Games that are in no file any more stay: a game is disabled
--   by the operator.
-- Locks: an advisory lock of the tenant, so that processes that read the file at one moment follow each other; then the games
--   that change. It gives up soon and is called again: the caller's connection also reads the revoked keys.
create or replace function casino.take_games(p_tenant_id text, p_games jsonb)
returns text
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '500ms'
as $$
declare
    c_amount_max constant bigint := 9007199254740991; -- 2^53 - 1, as in casino.peers.entries
    v_refusal text;
begin
    perform pg_advisory_xact_lock(hashtextextended('casino.take_games of ' || p_tenant_id, 0));
    if not exists (select from casino.tenants where tenant_id = p_tenant_id) then
        return 'the tenant ' || p_tenant_id || ' is not there';
    end if;
    if exists (select from casino.tenants where tenant_id = p_tenant_id and parent_id is not null)
        and not exists (select from casino.games where tenant_id = p_tenant_id)
        and jsonb_array_length(p_games) > 0
    then
        return 'the tenant ' || p_tenant_id || ' has the games of the tenant above it: add one of its own with casino add-game first';
    end if;
    select 'game ' || wanted."gameId" || case
        when wanted."providerId" <> 'main' then ' has an amount above ' || c_amount_max
        else ' is of main: a file adds games of further providers'
    end
    into v_refusal
    from jsonb_to_recordset(p_games) as wanted ("providerId" text, "gameId" text, "maxBet" bigint, "maxWin" bigint)
    where coalesce(wanted."providerId", 'main') = 'main' or greatest(wanted."maxBet", wanted."maxWin") > c_amount_max
    order by wanted."gameId"
    limit 1;
    if v_refusal is not null then
        return v_refusal;
    end if;
    select 'game ' || game.game_id || ' belongs to provider ' || game.provider_id
    into v_refusal
    from jsonb_to_recordset(p_games) as wanted ("providerId" text, "gameId" text)
    join casino.games as game on game.tenant_id = p_tenant_id and game.game_id = wanted."gameId"
    where game.provider_id <> wanted."providerId"
    order by game.game_id
    limit 1;
    if v_refusal is null then
        select 'game ' || "gameId" || ' comes twice' into v_refusal
        from jsonb_to_recordset(p_games) as wanted ("gameId" text)
        group by "gameId"
        having count(*) > 1
        order by "gameId"
        limit 1;
    end if;
    if v_refusal is not null then
        return v_refusal;
    end if;

    insert into casino.games as game (
        tenant_id, game_id, game_code, display_name, stake_min_minor, stake_max_minor, win_cap_minor, provider_id, two_party
    )
    select
        p_tenant_id, "gameId", "gameCode", name, "minBet", "maxBet", "maxWin", "providerId", coalesce("twoParty", false)
    from jsonb_to_recordset(p_games) as wanted (
        "providerId" text, "gameId" text, "gameCode" text, name text, "minBet" bigint, "maxBet" bigint, "maxWin" bigint,
        "twoParty" boolean
    )
    order by "gameId"
    on conflict (tenant_id, game_id) do update
    set
        game_code = excluded.game_code, display_name = excluded.display_name, stake_min_minor = excluded.stake_min_minor,
        stake_max_minor = excluded.stake_max_minor, win_cap_minor = excluded.win_cap_minor, two_party = excluded.two_party
    where
        game.provider_id = excluded.provider_id -- the operator may have added it a moment ago
        and (
            game.game_code, game.display_name, game.stake_min_minor, game.stake_max_minor, game.win_cap_minor, game.two_party
        ) is distinct from (
            excluded.game_code, excluded.display_name, excluded.stake_min_minor, excluded.stake_max_minor,
            excluded.win_cap_minor, excluded.two_party
        );
    return null;
exception
    when unique_violation then
        return 'a provider has two games under one gameCode';
end;
$$;
