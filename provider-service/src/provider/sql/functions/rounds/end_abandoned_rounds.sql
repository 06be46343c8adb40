-- Purpose: end the open rounds whose lease ended.
-- Outcome: how many were examined, at most p_limit. A round without a payout is voided. A round whose payouts all have
--   an outcome is settled; one with a pending payout is examined again after p_lease_seconds.
-- Locks: the rounds, locked ones are skipped; then their bets.
create or replace function provider.end_abandoned_rounds(p_limit integer, p_lease_seconds double precision)
returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_round_id uuid;
    v_count integer := 0;
begin
    for v_round_id in
        select r.round_id
        from provider.rounds as r
        where r.state = 'open' and r.lease_until <= (select provider.clock())
        order by r.lease_until
        limit p_limit
        for no key update skip locked
    loop
        v_count := v_count + 1;
        if provider.void_round(v_round_id, 'abandoned') = 'has_payout' then
            if exists (
                select from provider.wallet_transactions as t
                where t.round_id = v_round_id and t.kind = 'credit' and t.state = 'pending'
            ) then
                update provider.rounds
                set lease_until = provider.clock() + make_interval(secs => p_lease_seconds)
                where round_id = v_round_id;
            else
                perform provider.settle_rounds(array[v_round_id], 'abandoned');
            end if;
        end if;
    end loop;
    return v_count;
end;
$$;
