-- Only for processes of the release before, which may run beside this one. Delete this folder in the next release.
-- Purpose: end a round whose payouts have an outcome, and settle its committed bets. An ended round does not change.
-- Locks: the round, then its bets.
create or replace function provider.settle_round(p_round_id uuid, p_ended_code text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now timestamptz;
begin
    v_now := provider.clock();
    update provider.rounds
    set state = 'settled', ended_code = p_ended_code, ended_at = v_now
    where round_id = p_round_id and state = 'open';
    if not found then
        return;
    end if;
    update provider.wallet_transactions
    set state = 'settled', ended_at = v_now
    where round_id = p_round_id and kind = 'debit' and state = 'committed';
end;
$$;
