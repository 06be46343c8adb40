-- Purpose: claim the nonces of requests, read balances for their game sessions, and extend the sessions: one row per request.
-- Input: a JSON array of {providerId, tokenHash (hex), playerId, nonce, signedAt, claimId}, the last three as in
--   casino.hold_batch. Outcome: o_code says why there is no balance, else null: a used nonce is `nonce_replay` first.
--   o_head is that of the wallet's newest entry. Another peer's sessions do not exist for a provider.
-- It waits for no money command: a balance is what was committed when the statement began.
create or replace function casino.read_balances(p_ledger_id integer, p_requests jsonb)
returns table (o_place integer, o_code text, o_balance_minor bigint, o_currency text, o_head text)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_material = off
as $$
declare
    c_session_life constant interval := casino.session_life();
    -- A session that was extended less than this ago is left as it is: reads should not cost a write each.
    c_extension_step constant interval := '1 second';
    v_now constant timestamptz := casino.clock();
    v_taken bigint[];
begin
    select casino.take_nonces(array_agg(nonce), array_agg("signedAt"), array_agg("claimId")) into v_taken
    from jsonb_to_recordset(p_requests) as request (nonce text, "signedAt" bigint, "claimId" bigint);

    return query
    with asked as materialized (
        select
            (request.place - 1)::integer as place, session.session_id, session.expires_at,
            case
                when request.nonce is not null and request.claim_id <> all (v_taken) then 'nonce_replay'
                when session.session_id is null or wallet.tenant_id is distinct from session.tenant_id
                    then 'session_not_found'
                when session.player_id <> request.player_id then 'session_player_mismatch'
                when session.closed_at is not null or session.expires_at <= v_now then 'session_expired'
            end as code,
            wallet.balance_minor, session.currency, casino.head(wallet.sequence_no, wallet.head_hash) as head
        from rows from (
            jsonb_to_recordset(p_requests) as ("tokenHash" text, "playerId" text, "providerId" text, nonce text, "claimId" bigint)
        ) with ordinality as request (token_hash, player_id, provider_id, nonce, claim_id, place)
        left join lateral (
            select * from casino.game_sessions
            where ledger_id = p_ledger_id and token_hash = decode(request.token_hash, 'hex')
                and provider_id = coalesce(request.provider_id, 'main') limit 1
        ) as session on true
        left join lateral (
            select * from casino.wallets
            where ledger_id = p_ledger_id and wallet_id = session.wallet_id limit 1
        ) as wallet on true
    ),
    -- Skips a row that a money command is extending at this moment: neither waits for the other.
    due as materialized (
        select session.session_id
        from asked
        cross join lateral (
            select game_sessions.session_id from casino.game_sessions
            where ledger_id = p_ledger_id and game_sessions.session_id = asked.session_id limit 1
            for no key update skip locked
        ) as session
        where asked.code is null and asked.expires_at < v_now + c_session_life - c_extension_step
    ),
    extended as (
        update casino.game_sessions as session
        set expires_at = greatest(session.expires_at, v_now + c_session_life)
        from due
        where session.ledger_id = p_ledger_id and session.session_id = due.session_id
    )
    select asked.place, asked.code, case when asked.code is null then asked.balance_minor end, asked.currency,
        case when asked.code is null then asked.head end
    from asked
    order by asked.place;
end;
$$;
