-- Purpose: book a deposit, a withdrawal or an adjustment on one wallet, against the house account of its kind.
-- Outcome: o_code is null when it is booked; else why not: wallet_not_found, idempotency_mismatch (the id names another entry),
--   insufficient_balance, balance_too_high. A repeated id with the same content answers what it answered first (o_replay).
--   No refusal is remembered.
-- Lock order: casino.hold_wallets. Not for the application's role: this makes money appear.
create or replace function casino.move_house_money(
    p_ledger_id integer, p_kind text, p_wallet_id bigint, p_entry_id text, p_amount_minor bigint, p_reason text,
    p_request_id text
)
returns table (o_code text, o_replay boolean, o_balance_minor bigint, o_head text)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    -- Not ASCII, so no id that comes by wire can be equal to it.
    v_entry_id constant text := '§' || p_entry_id;
    v_wallet casino.wallets;
    v_first casino.transactions;
    v_entry casino.entry;
    v_booked casino.booked_entry;
begin
    perform casino.hold_wallets(p_ledger_id, array[p_wallet_id]);
    select * into v_wallet from casino.wallets where ledger_id = p_ledger_id and wallet_id = p_wallet_id;
    select * into v_first from casino.transactions
    where ledger_id = p_ledger_id and wallet_id = p_wallet_id and transaction_id = v_entry_id and provider_id = 'main';
    v_entry := casino.house_entry(
        p_wallet_id, p_kind, v_entry_id, p_amount_minor, v_wallet.currency, p_reason, p_request_id
    );

    o_replay := v_first.transaction_id is not null;
    o_code := case
        when v_wallet.wallet_id is null then 'wallet_not_found'
        when o_replay and (v_first.kind, v_first.amount_minor) <> (p_kind, p_amount_minor) then 'idempotency_mismatch'
        when not o_replay then casino.house_refusal(v_entry, v_wallet.balance_minor)
    end;
    if o_code is null and o_replay then
        o_balance_minor := v_first.balance_after_minor;
        o_head := casino.head(v_first.sequence_no, v_first.entry_hash);
    elsif o_code is null then
        v_booked := (casino.book_entries(p_ledger_id, array[v_entry], casino.clock()))[1];
        perform casino.note_float_entry(p_ledger_id, p_wallet_id, v_entry_id, v_entry.house_accounts[1], null, p_entry_id);
        o_balance_minor := v_booked.balance_after_minor;
        o_head := casino.head(v_booked.sequence_no, v_booked.entry_hash);
    end if;
    return next;
end;
$$;
