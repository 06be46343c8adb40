-- Purpose: end rounds whose payouts have an outcome, and settle their committed bets. An ended round does not change.
-- Locks: none that wait: the caller has locked the rounds, and a committed bet changes only under its round's lock or
--   under its own, which a rollback's answer holds.
create or replace function provider.settle_rounds(p_round_ids uuid[], p_ended_code text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now constant timestamptz := provider.clock();
    v_ended_ids uuid[];
begin
    with ended as (
        update provider.rounds
        set state = 'settled', ended_code = p_ended_code, ended_at = v_now
        where round_id = any (p_round_ids) and state = 'open'
        returning round_id
    )
    select array_agg(ended.round_id) into v_ended_ids from ended;
    if v_ended_ids is null then
        return;
    end if;
    update provider.wallet_transactions
    set state = 'settled', ended_at = v_now
    where round_id = any (v_ended_ids) and kind = 'debit' and state = 'committed';
end;
$$;
