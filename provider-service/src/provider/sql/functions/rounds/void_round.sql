-- Purpose: end a round without a payout, and record rollbacks of its pending and committed bets.
-- Outcomes: 'voided'; 'has_payout' (nothing changes: a payout is recorded); 'ended' (the round had ended before);
--   'round_not_found'.
-- Locks: the round, then its bets.
create or replace function provider.void_round(p_round_id uuid, p_ended_code text)
returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_round_state text;
    v_bet_id uuid;
begin
    select r.state into v_round_state from provider.rounds as r where r.round_id = p_round_id for no key update;
    if not found then
        return 'round_not_found';
    end if;
    if v_round_state <> 'open' then
        return 'ended';
    end if;
    if exists (select from provider.wallet_transactions as t where t.round_id = p_round_id and t.kind = 'credit') then
        return 'has_payout';
    end if;
    for v_bet_id in
        select t.transaction_id
        from provider.wallet_transactions as t
        where t.round_id = p_round_id and t.kind = 'debit' and t.state in ('pending', 'committed')
        order by t.transaction_id
        for no key update
    loop
        perform provider.give_up_bet(v_bet_id, 'round_voided');
    end loop;
    update provider.rounds
    set state = 'voided', ended_code = p_ended_code, ended_at = provider.clock()
    where round_id = p_round_id;
    return 'voided';
end;
$$;
