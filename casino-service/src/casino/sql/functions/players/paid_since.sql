-- Purpose: what staff moved for a player in one kind of payment since an instant, without regard to signs.
create or replace function casino.paid_since(p_ledger_id integer, p_wallet_id bigint, p_kind text, p_since timestamptz)
returns numeric
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(sum(abs(amount_minor)), 0)
    from casino.player_payments
    where ledger_id = p_ledger_id and wallet_id = p_wallet_id and kind = p_kind and at >= p_since;
$$;
