-- Purpose: what the books of bonuses and jackpots say against wallets, entries and house accounts, for one ledger: one row for
--   everything that differs. A part of casino.ledger_wide_differences.
-- Without a `set` clause, so that it is inlined; `begin atomic`, so that its names were bound when it was made.
create or replace function casino.differences_of_bonuses(p_ledger_id integer)
returns table (
    o_rule text, o_ledger_id integer, o_wallet_id bigint, o_transaction_id text, o_expected text, o_found text
)
language sql stable
begin atomic
    select 'wallet_knows_its_pending_bonus', p_ledger_id, wallet_id, null::text,
        coalesce(pending.amount_minor, 0)::text, coalesce(wallet.pending_bonus_minor, 0)::text
    from (
        select wallet_id, pending_bonus_minor from casino.wallets
        where ledger_id = p_ledger_id and pending_bonus_minor <> 0
    ) as wallet
    full join (
        select wallet_id, sum(amount_minor) as amount_minor from casino.bonuses
        where ledger_id = p_ledger_id and state = 'PENDING' group by wallet_id
    ) as pending using (wallet_id)
    where pending.amount_minor is distinct from wallet.pending_bonus_minor
    union all
    -- Granted to the wallet that it was promised to; forfeited to the float of its agent.
    select 'decided_bonus_is_booked_once', p_ledger_id, coalesce(due.wallet_id, booked.wallet_id), transaction_id,
        coalesce(due.kind || ' of ' || due.amount_minor || ' ' || due.currency, 'no entry'),
        coalesce(booked.kind || ' of ' || booked.amount_minor || ' ' || booked.currency, 'no entry')
    from (
        select
            '§bonus:' || bonus_id as transaction_id, bonus.amount_minor, bonus.currency,
            case state when 'GRANTED' then 'bonus_grant' when 'FORFEITED' then 'bonus_forfeit' end as kind,
            case state when 'GRANTED' then bonus.wallet_id when 'FORFEITED' then float.wallet_id end as wallet_id
        from casino.bonuses as bonus
        left join casino.wallets as float
            on float.ledger_id = p_ledger_id and float.player_id = '§tenant:' || bonus.agent_tenant_id
        where bonus.ledger_id = p_ledger_id and state <> 'PENDING'
    ) as due
    full join (
        select wallet_id, transaction_id, kind, amount_minor, currency from casino.transactions
        where ledger_id = p_ledger_id and kind in ('bonus_grant', 'bonus_forfeit')
    ) as booked using (transaction_id)
    where (due.wallet_id, due.kind, due.amount_minor, due.currency)
        is distinct from (booked.wallet_id, booked.kind, booked.amount_minor, booked.currency)
    union all
    -- The agents paid for the bonuses of their NEW vouchers and for those that players wait for.
    select 'bonus_liability_is_what_is_owed', p_ledger_id, null::bigint, null::text,
        coalesce(owed.amount_minor, 0) || ' ' || currency, coalesce(posted.amount_minor, 0) || ' ' || currency
    from (
        select currency, sum(amount_minor) as amount_minor
        from (
            select currency, bonus_minor as amount_minor from casino.vouchers where ledger_id = p_ledger_id and status = 'NEW'
            union all
            select currency, amount_minor from casino.bonuses where ledger_id = p_ledger_id and state = 'PENDING'
        ) as promise
        group by currency
    ) as owed
    full join (
        select currency, sum(amount_minor) as amount_minor from casino.postings
        where ledger_id = p_ledger_id and account = 'bonus_liability' group by currency
    ) as posted using (currency)
    where coalesce(owed.amount_minor, 0) <> coalesce(posted.amount_minor, 0)
    union all
    select 'jackpot_holds_what_it_pays', p_ledger_id, null::bigint, null::text, '0 or more',
        sum(amount_minor) || ' ' || currency || ' on ' || account
    from casino.postings
    where ledger_id = p_ledger_id and account in ('jackpot_pool', 'jackpot_seed')
    group by account, currency
    having sum(amount_minor) < 0;
end;
