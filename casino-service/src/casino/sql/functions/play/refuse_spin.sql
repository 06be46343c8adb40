-- Purpose: keep that the wallet refused a spin's bet with 402 or 403: its answer for ever. A spin that has ended stays as it is.
-- Locks: the spin.
create or replace function casino.refuse_spin(
    p_ledger_id integer, p_player_id text, p_spin_id text, p_code text, p_sentence text
)
returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    update casino.spins
    set state = 'REFUSED', code = p_code, sentence = p_sentence, ended_at = casino.clock()
    where ledger_id = p_ledger_id and player_id = p_player_id and spin_id = p_spin_id and state = 'ASKED'
        and casino.sees(p_ledger_id, tenant_id);
$$;
