-- Purpose: give up the bets whose lease ended without an outcome: their caller no longer waits.
-- Outcome: how many were given up, at most p_limit.
-- Locks: the bets; locked bets are skipped.
create or replace function provider.give_up_expired_bets(p_limit integer)
returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_transaction_id uuid;
    v_count integer := 0;
begin
    for v_transaction_id in
        select t.transaction_id
        from provider.wallet_transactions as t
        where t.state = 'pending' and t.kind = 'debit' and t.due_at <= (select provider.clock())
            and t.outbox_casino_code is null  -- so of every debit: the index leaves the outbox's own rows out
        order by t.due_at
        limit p_limit
        for no key update skip locked
    loop
        perform provider.give_up_bet(v_transaction_id, 'caller_gone');
        v_count := v_count + 1;
    end loop;
    return v_count;
end;
$$;
