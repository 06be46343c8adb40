-- Purpose: take back a player's pending bonus: it goes from bonus_liability to the float of the agent who paid for it.
-- Input: p_actor_id, who did it, for the agent's statement.
-- Outcome: the amount; 0 if none is pending, such as one that was granted while this waited for the wallet.
-- Lock order: casino.hold_wallets, the player's and the agent's at once. A caller that holds other wallets, too, takes them and
--   both of these in one call before.
create or replace function casino.forfeit_bonus(
    p_ledger_id integer, p_wallet_id bigint, p_reason text, p_request_id text, p_actor_id text default null
)
returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now timestamptz;
    v_player casino.wallets;
    v_bonus casino.bonuses;
    v_float_id bigint;
    v_entry casino.entry;
begin
    select casino.float_of(p_ledger_id, agent_tenant_id) into v_float_id
    from casino.bonuses
    where ledger_id = p_ledger_id and wallet_id = p_wallet_id and state = 'PENDING';
    if not found then
        return 0;
    end if;
    perform casino.hold_wallets(p_ledger_id, array[p_wallet_id, v_float_id]);
    v_now := casino.clock();
    update casino.bonuses
    set state = 'FORFEITED', decided_at = v_now, reason = p_reason, request_id = p_request_id
    where ledger_id = p_ledger_id and wallet_id = p_wallet_id and state = 'PENDING'
    returning * into v_bonus;
    if not found then
        return 0;
    end if;
    update casino.wallets set pending_bonus_minor = 0
    where ledger_id = p_ledger_id and wallet_id = p_wallet_id
    returning * into v_player;
    v_entry := casino.house_entry(
        v_float_id, 'bonus_forfeit', '§bonus:' || v_bonus.bonus_id, v_bonus.amount_minor, v_bonus.currency, p_reason,
        p_request_id
    );
    v_entry.event_player_id := v_player.player_id;
    v_entry.agent_id := v_bonus.agent_tenant_id;
    v_entry.cashier_id := v_player.cashier_id;
    perform casino.book_entries(p_ledger_id, array[v_entry], v_now);
    perform casino.note_float_entry(
        p_ledger_id, v_float_id, v_entry.transaction_id, v_player.player_id, p_actor_id, v_bonus.voucher_id
    );
    return v_bonus.amount_minor;
end;
$$;
