-- Purpose: store what the wallet said when it refused the debits of spins, and end their rounds. A debit that was given up
--   before its refusal was recorded is left out: its spin was taken back.
-- Recording a refusal twice changes nothing.
-- Locks: none that wait: provider.lock_steps has locked the rounds.
create or replace function provider.record_refusals(p_refusals jsonb, p_busy_session_ids uuid[])
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    with refused as (
        insert into provider.spin_refusals (round_id, status, code, sentence, player_message, created_at)
        select spin.round_id, said.status, said.code, said.sentence, said.player_message, provider.clock()
        from jsonb_to_recordset(p_refusals) as said (
            session_id uuid, round_id uuid, status bigint, code text, sentence text, player_message text
        )
        join provider.spins as spin on spin.round_id = said.round_id
        join provider.wallet_transactions as debit
            on debit.transaction_id = spin.debit_id and debit.state = 'refused' and debit.in_doubt_at is null
        where said.session_id <> all (p_busy_session_ids)
        on conflict (round_id) do nothing
        returning round_id, code
    )
    update provider.rounds as r set state = 'voided', ended_code = 'bet_refused', ended_at = provider.clock()
    from refused where r.round_id = refused.round_id and r.state = 'open';
end;
$$;
