-- Purpose: an entry that does not come by wire, for casino.book_entries: p_amount_minor (not negative) moves in the direction
--   of its kind, against the first house account of the kind.
-- Outcome: null for a kind that there is not.
create or replace function casino.house_entry(
    p_wallet_id bigint, p_kind text, p_entry_id text, p_amount_minor bigint, p_currency text, p_reason text,
    p_request_id text
)
returns casino.entry
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select (
        0, 1, p_wallet_id, null, p_kind, p_entry_id, 'main', null, null, null, p_amount_minor,
        direction * p_amount_minor, p_currency, null, array[accounts[1]], array[- direction * p_amount_minor],
        false, false, p_reason, p_request_id, null, null, null, null, null, null, null
    )::casino.entry
    from casino.entry_kinds
    where entry_kind = p_kind;
$$;
