-- Purpose: what vouchers and floats say against entries, bonuses and house accounts, for one ledger: one row for everything that
--   differs. A part of casino.ledger_wide_differences.
-- Without a `set` clause, so that it is inlined; `begin atomic`, so that its names were bound when it was made.
create or replace function casino.differences_of_vouchers(p_ledger_id integer)
returns table (
    o_rule text, o_ledger_id integer, o_wallet_id bigint, o_transaction_id text, o_expected text, o_found text
)
language sql stable
begin atomic
    -- Each voucher was issued once, on its agent's float; one that has ended was redeemed, void or expired once.
    select 'voucher_is_booked_as_it_stands', p_ledger_id, null::bigint, coalesce(due.voucher_id, booked.voucher_id),
        coalesce(due.entries, 'no voucher'), coalesce(booked.entries, 'no entry')
    from (
        select voucher_id, concat_ws(
            ', ',
            'voucher_issue of ' || amount_minor + bonus_minor || ' by ' || float.wallet_id,
            case status
                when 'USED' then 'voucher_redeem of ' || amount_minor || ' by ' || player.wallet_id
                when 'VOID' then 'voucher_void of ' || amount_minor + bonus_minor || ' by ' || float.wallet_id
                when 'EXPIRED' then 'voucher_expire of ' || amount_minor + bonus_minor || ' by ' || float.wallet_id
            end
        ) as entries
        from casino.vouchers as voucher
        left join casino.wallets as float
            on float.ledger_id = p_ledger_id and float.player_id = '§tenant:' || voucher.tenant_id
        left join casino.wallets as player on player.ledger_id = p_ledger_id and player.player_id = voucher.player_id
        where voucher.ledger_id = p_ledger_id
    ) as due
    full join (
        select
            split_part(transaction_id, ':', 2) as voucher_id,
            string_agg(
                kind || ' of ' || amount_minor || ' by ' || wallet_id, ', ' order by kind <> 'voucher_issue', kind, wallet_id
            ) as entries
        from casino.transactions
        where ledger_id = p_ledger_id and kind in ('voucher_issue', 'voucher_redeem', 'voucher_void', 'voucher_expire')
        group by 1
    ) as booked using (voucher_id)
    where due.entries is distinct from booked.entries
    union all
    select 'voucher_liability_is_what_is_owed', p_ledger_id, null::bigint, null::text,
        coalesce(owed.amount_minor, 0) || ' ' || currency, coalesce(posted.amount_minor, 0) || ' ' || currency
    from (
        select currency, sum(amount_minor) as amount_minor from casino.vouchers
        where ledger_id = p_ledger_id and status = 'NEW' group by currency
    ) as owed
    full join (
        select currency, sum(amount_minor) as amount_minor from casino.postings
        where ledger_id = p_ledger_id and account = 'voucher_liability' group by currency
    ) as posted using (currency)
    where coalesce(owed.amount_minor, 0) <> coalesce(posted.amount_minor, 0)
    union all
    select 'used_voucher_promised_its_bonus', p_ledger_id, null::bigint, voucher_id,
        voucher.bonus_minor || ' ' || voucher.currency, coalesce(promised.amount_minor, 0) || ' ' || voucher.currency
    from casino.vouchers as voucher
    left join (
        select voucher_id, sum(amount_minor) as amount_minor from casino.bonuses
        where ledger_id = p_ledger_id group by voucher_id
    ) as promised using (voucher_id)
    where voucher.ledger_id = p_ledger_id and voucher.status = 'USED'
        and voucher.bonus_minor <> coalesce(promised.amount_minor, 0)
    union all
    select 'float_entry_is_in_the_statement', p_ledger_id, entry.wallet_id, entry.transaction_id, 'a line', 'none'
    from casino.wallets as float
    join casino.transactions as entry on entry.ledger_id = p_ledger_id and entry.wallet_id = float.wallet_id
    left join casino.float_entries as told
        on told.ledger_id = p_ledger_id and told.wallet_id = entry.wallet_id and told.transaction_id = entry.transaction_id
        and told.sequence_no = entry.sequence_no and told.at = entry.recorded_at
    where float.ledger_id = p_ledger_id and float.owner_kind = 'tenant' and told.transaction_id is null;
end;
