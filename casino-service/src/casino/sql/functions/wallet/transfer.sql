-- Purpose: move money from one wallet to another of the same ledger and currency: two entries with one id, through the account
--   in_transit, in one database transaction.
-- Input: the kinds of both entries (casino.entry_kinds); who acted (p_actor_id), for a tenant's statement; agent and cashier, for the
--   events that the kinds write.
-- Outcome: o_code is null when it is booked; else why not: same_wallet, wallet_not_found, idempotency_mismatch (the id names
--   another entry), currency_mismatch, insufficient_balance, balance_too_high. A repeated id with the same content answers
--   what it answered first (o_replay). No refusal is remembered.
-- Lock order: casino.hold_wallets, both wallets at once.
create or replace function casino.transfer(
    p_ledger_id integer, p_from_wallet_id bigint, p_to_wallet_id bigint, p_entry_id text, p_amount_minor bigint,
    p_kind_out text, p_kind_in text, p_reason text, p_request_id text, p_actor_id text, p_agent_id text, p_cashier_id text
)
returns table (o_code text, o_replay boolean, o_from_balance_minor bigint, o_to_balance_minor bigint)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    -- Not ASCII, so no id that comes by wire can be equal to it.
    v_entry_id constant text := '§' || p_entry_id;
    v_from casino.wallets;
    v_to casino.wallets;
    v_from_first casino.transactions;
    v_to_first casino.transactions;
    v_out casino.entry;
    v_in casino.entry;
begin
    perform casino.hold_wallets(p_ledger_id, array[p_from_wallet_id, p_to_wallet_id]);
    select * into v_from from casino.wallets where ledger_id = p_ledger_id and wallet_id = p_from_wallet_id;
    select * into v_to from casino.wallets where ledger_id = p_ledger_id and wallet_id = p_to_wallet_id;
    select * into v_from_first from casino.transactions
    where ledger_id = p_ledger_id and wallet_id = p_from_wallet_id and transaction_id = v_entry_id and provider_id = 'main';
    select * into v_to_first from casino.transactions
    where ledger_id = p_ledger_id and wallet_id = p_to_wallet_id and transaction_id = v_entry_id and provider_id = 'main';
    v_out := casino.house_entry(
        p_from_wallet_id, p_kind_out, v_entry_id, p_amount_minor, v_from.currency, p_reason, p_request_id
    );
    v_in := casino.house_entry(
        p_to_wallet_id, p_kind_in, v_entry_id, p_amount_minor, v_to.currency, p_reason, p_request_id
    );
    v_out.agent_id := p_agent_id;
    v_out.cashier_id := p_cashier_id;
    v_in.agent_id := p_agent_id;
    v_in.cashier_id := p_cashier_id;

    o_replay := v_from_first.transaction_id is not null or v_to_first.transaction_id is not null;
    o_code := case
        when p_from_wallet_id = p_to_wallet_id then 'same_wallet'
        when v_from.wallet_id is null or v_to.wallet_id is null then 'wallet_not_found'
        when o_replay and (v_from_first.kind, v_from_first.amount_minor, v_to_first.kind, v_to_first.amount_minor)
            is distinct from (p_kind_out, p_amount_minor, p_kind_in, p_amount_minor)
            then 'idempotency_mismatch'
        when o_replay then null
        when v_from.currency <> v_to.currency then 'currency_mismatch'
        else coalesce(casino.house_refusal(v_out, v_from.balance_minor), casino.house_refusal(v_in, v_to.balance_minor))
    end;
    if o_code is null and o_replay then
        o_from_balance_minor := v_from_first.balance_after_minor;
        o_to_balance_minor := v_to_first.balance_after_minor;
    elsif o_code is null then
        perform casino.book_entries(p_ledger_id, array[v_out, v_in], casino.clock());
        perform casino.note_float_entry(
            p_ledger_id, p_from_wallet_id, v_entry_id, casino.wallet_owner(v_to), p_actor_id, p_entry_id
        );
        perform casino.note_float_entry(
            p_ledger_id, p_to_wallet_id, v_entry_id, casino.wallet_owner(v_from), p_actor_id, p_entry_id
        );
        o_from_balance_minor := v_from.balance_minor - p_amount_minor;
        o_to_balance_minor := v_to.balance_minor + p_amount_minor;
    end if;
    return next;
end;
$$;
