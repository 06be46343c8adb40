-- Purpose: begin the counters anew whose period is over, for wallets of commands that are to be counted: at 0, in the period of now in
--   the tenant's time zone.
-- Lock order: under the wallets' locks, which the caller holds.
create or replace function casino.renew_counters(p_ledger_id integer, p_judged casino.judgement [], p_now timestamptz)
returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_material = off
as $$
begin
    update casino.limit_counters as counter
    set
        day_from = greatest(new.o_day_from, counter.day_until), day_until = new.o_day_until, day_loss_minor = 0,
        day_played = interval '0',
        week_from = case when new.same_week then counter.week_from else greatest(new.o_week_from, counter.week_until) end,
        week_until = case when new.same_week then counter.week_until else new.o_week_until end,
        week_loss_minor = case when new.same_week then counter.week_loss_minor else 0 end,
        week_played = case when new.same_week then counter.week_played else interval '0' end,
        month_from = case when new.same_month then counter.month_from else greatest(new.o_month_from, counter.month_until) end,
        month_until = case when new.same_month then counter.month_until else new.o_month_until end,
        month_loss_minor = case when new.same_month then counter.month_loss_minor else 0 end,
        month_played = case when new.same_month then counter.month_played else interval '0' end
    from (
        select
            judged.wallet_id, period.*, p_now < own.week_until as same_week, p_now < own.month_until as same_month
        from unnest(p_judged) as judged
        join casino.limit_counters as own on own.ledger_id = p_ledger_id and own.wallet_id = judged.wallet_id
        join casino.tenants as tenant on tenant.ledger_id = p_ledger_id and tenant.tenant_id = judged.tenant_id
        cross join lateral casino.calendar_periods(tenant.timezone, p_now) as period
        where judged.counter_is_old
    ) as new
    where counter.ledger_id = p_ledger_id and counter.wallet_id = new.wallet_id;
end;
$$;
