-- Purpose: let a player's own client use a session that it names, from where the session was first used.
-- Outcome: o_code says why not (session_not_found, session_player_mismatch, session_expired, game_not_found,
-- session_fingerprint_mismatch), else null and what the session is. A session that was never used by a client is bound to
-- this one. One that is used from elsewhere is closed: it takes no new bet, credits and rollbacks still land.
-- p_tenant_id: null finds the session of any tenant of the ledger.
-- Locks: the session.
create or replace function casino.enter_session(
    p_ledger_id integer, p_tenant_id text, p_player_id text, p_game_id text, p_token_hash bytea, p_fingerprint bytea
)
returns table (o_code text, o_session_id uuid, o_provider_session_id text, o_game_code text, o_currency text)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_session casino.game_sessions;
    v_now timestamptz;
begin
    select * into v_session
    from casino.game_sessions
    where ledger_id = p_ledger_id and token_hash = p_token_hash and tenant_id = coalesce(p_tenant_id, tenant_id)
    for no key update;
    v_now := casino.clock();

    o_code := case
        when v_session.session_id is null then 'session_not_found'
        when v_session.player_id <> p_player_id then 'session_player_mismatch'
        when v_session.closed_at is not null or v_session.expires_at <= v_now then 'session_expired'
        when v_session.provider_session_id is null then 'session_not_found' -- the provider has not joined it
        when p_game_id not in (v_session.game_id, v_session.game_code) then 'game_not_found'
        when v_session.fingerprint <> p_fingerprint then 'session_fingerprint_mismatch'
    end;
    if o_code = 'session_fingerprint_mismatch' then
        update casino.game_sessions
        set closed_at = v_now
        where ledger_id = p_ledger_id and session_id = v_session.session_id;
    elsif o_code is null and v_session.fingerprint is null then
        update casino.game_sessions
        set fingerprint = p_fingerprint
        where ledger_id = p_ledger_id and session_id = v_session.session_id;
    end if;
    return query
    select o_code, v_session.session_id, v_session.provider_session_id, v_session.game_code, v_session.currency;
end;
$$;
