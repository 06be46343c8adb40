-- Purpose: tell of errors: answers with a 5xx, and bets that the wallet refused. In a transaction of its own, behind the requests.
-- Input: p_now is when casino.clock() was first asked for this batch: a batch that is sent again tells nothing twice. p_errors is a
--   JSON array of the objects below; an error was `age` ago, an hour at most. Of a 5xx there are id, code and route alone: it is
--   told of the tenant p_tenant_id.
-- A refusal that the ledger remembers is left out: casino.record_refusals has told of it.
create or replace function casino.tell_errors(p_ledger_id integer, p_tenant_id text, p_now timestamptz, p_errors jsonb)
returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    insert into casino.ledger_events (
        ledger_id, at, tenant_id, event_type, action_id, player_id, session_id, round_id, game_key, provider_id, region,
        agent_id, cashier_id, amount_minor, currency, code, route
    )
    select
        p_ledger_id,
        least(p_now, casino.clock()) - least(interval '1 hour', greatest(interval '0', error.age * interval '1 second')),
        tenant.tenant_id, 'ERROR',
        case
            when error."transactionId" is null then error.id
            else casino.action_id(
                true, error."providerId", error."playerId", null, 'debit', error."transactionId", null
            )
        end,
        error."playerId", session.session_id::text, error."roundId", session.game_code, error."providerId",
        tenant.region_in_force, wallet.agent_id, wallet.cashier_id, coalesce(error.amount, 0),
        coalesce(wallet.currency, tenant.currency), error.code, error.route
    from jsonb_to_recordset(p_errors) as error (
        id text, age double precision, code text, route text, "playerId" text, "providerId" text, "transactionId" text,
        "roundId" text, "tokenHash" text, amount bigint
    )
    left join casino.wallets as wallet on wallet.ledger_id = p_ledger_id and wallet.player_id = error."playerId"
    left join casino.game_sessions as session
        on session.ledger_id = p_ledger_id and session.token_hash = decode(error."tokenHash", 'hex')
        and session.wallet_id = wallet.wallet_id and session.provider_id = error."providerId"
    join casino.tenants as tenant
        on tenant.ledger_id = p_ledger_id and tenant.tenant_id = coalesce(wallet.tenant_id, p_tenant_id)
    where error."transactionId" is null or not casino.is_remembered(error.code)
    on conflict do nothing;
$$;
