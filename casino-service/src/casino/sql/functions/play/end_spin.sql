-- Purpose: keep the outcome of a spin, as the provider tells it and the ledger confirms it.
-- Outcome: true if the spin is PLAYED now, by this call or an earlier one. False if the ledger has no such round: a debit of the
--   stake and a payout of p_win_minor, both of this player at the spin's provider.
-- The balance is the provider's, except after a bonus: a provider that read the payout in the feed does not know of it.
-- Locks: the spin.
create or replace function casino.end_spin(
    p_ledger_id integer, p_player_id text, p_spin_id text, p_round_id text, p_win_minor bigint, p_balance_minor bigint,
    p_events json
)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_spin casino.spins;
    v_bonus record;
begin
    select * into v_spin
    from casino.spins
    where ledger_id = p_ledger_id and player_id = p_player_id and spin_id = p_spin_id
        and casino.sees(p_ledger_id, tenant_id)
    for no key update;
    if v_spin.state = 'PLAYED' then
        return true;
    end if;
    if v_spin.state is distinct from 'ASKED' or not exists (
        select from casino.rounds
        where ledger_id = p_ledger_id and wallet_id = v_spin.wallet_id and round_id = p_round_id
            and provider_id = v_spin.provider_id
            and credits > 0 and staked_minor = v_spin.stake_minor and paid_minor = p_win_minor
    ) then
        return false;
    end if;
    select bonus.bonus_id, entry.balance_after_minor + bonus.amount_minor as balance_minor into v_bonus
    from casino.bonuses as bonus
    left join casino.transactions as entry
        on entry.ledger_id = bonus.ledger_id and entry.wallet_id = bonus.wallet_id
        and entry.transaction_id = bonus.transaction_id and entry.provider_id = bonus.provider_id
    where bonus.ledger_id = p_ledger_id and bonus.wallet_id = v_spin.wallet_id and bonus.state = 'GRANTED'
        and bonus.round_id = p_round_id and bonus.provider_id = v_spin.provider_id;
    update casino.spins
    set
        state = 'PLAYED', round_id = p_round_id, win_minor = p_win_minor,
        balance_minor = coalesce(v_bonus.balance_minor, p_balance_minor), bonus_triggered = v_bonus.bonus_id is not null,
        events = p_events, ended_at = casino.clock()
    where ledger_id = p_ledger_id and player_id = p_player_id and spin_id = p_spin_id;
    return true;
end;
$$;
