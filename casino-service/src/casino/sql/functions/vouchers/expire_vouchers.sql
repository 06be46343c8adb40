-- Purpose: expire NEW vouchers whose time is over, the oldest first, at most p_limit; forget old slips and counts of tries.
-- Outcome: how many vouchers expired, or the number of forgotten rows if that is larger. If it equals p_limit, there may be more.
-- Lock order: rows of vouchers that nobody holds (skip locked), then all their floats at once (casino.hold_wallets).
create or replace function casino.expire_vouchers(p_ledger_id integer, p_limit integer)
returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now constant timestamptz := casino.clock();
    v_due casino.vouchers[];
    v_voucher casino.vouchers;
    v_forgotten integer;
begin
    with due as materialized (
        select voucher_id from casino.vouchers
        where ledger_id = p_ledger_id and status = 'NEW' and expires_at <= v_now
        order by expires_at
        limit p_limit
        for no key update skip locked
    )
    select array_agg(voucher) into v_due
    from casino.vouchers as voucher
    where ledger_id = p_ledger_id and voucher_id in (select voucher_id from due);
    perform casino.hold_wallets(p_ledger_id, array(
        select distinct casino.float_of(ledger_id, tenant_id) from unnest(v_due)
    ));
    foreach v_voucher in array coalesce(v_due, '{}') loop
        perform casino.end_voucher(v_voucher, 'EXPIRED', null, 'expiry');
    end loop;

    with gone as (
        delete from casino.voucher_slips where ctid = any (array(
            select ctid from casino.voucher_slips where ledger_id = p_ledger_id and ends_at <= v_now
            limit p_limit for update skip locked
        )) returning 1
    ),
    forgotten as (
        delete from casino.redeem_tries where ctid = any (array(
            select ctid from casino.redeem_tries where ledger_id = p_ledger_id and forget_at <= v_now
            limit p_limit for update skip locked
        )) returning 1
    )
    select greatest((select count(*) from gone), (select count(*) from forgotten)) into v_forgotten;
    return greatest(coalesce(cardinality(v_due), 0), v_forgotten);
end;
$$;
