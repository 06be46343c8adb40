-- Purpose: store the outcomes of spins whose payouts are recorded in the same transaction, and move their seeds' counters.
--   A draw whose payout was not recorded (its bet was given up) is left out: its counter goes to the next spin.
-- Recording a draw twice changes nothing. No seed has two draws with one counter: that is a constraint's violation.
-- Locks: none that wait: provider.lock_steps has locked the players.
create or replace function provider.record_draws(p_draws jsonb, p_busy_session_ids uuid[])
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    with drawn as (
        insert into provider.draws (round_id, payout_id, seed_id, counter, events, created_at)
        select spin.round_id, payout.transaction_id, spin.seed_id, spin.counter, made.events::json, provider.clock()
        from jsonb_to_recordset(p_draws) as made (session_id uuid, round_id uuid, payout_id uuid, events text)
        join provider.spins as spin on spin.round_id = made.round_id
        join provider.wallet_transactions as payout
            on payout.transaction_id = made.payout_id and payout.round_id = made.round_id and payout.kind = 'credit'
        where made.session_id <> all (p_busy_session_ids)
        on conflict (round_id) do nothing
        returning seed_id, counter
    )
    update provider.server_seeds as seed set next_counter = drawn.counter + 1
    from drawn where seed.seed_id = drawn.seed_id and seed.next_counter = drawn.counter;
end;
$$;
