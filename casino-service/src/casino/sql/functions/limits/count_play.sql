-- Purpose: count what wallet commands mean for their players' limits. A stake counts when it is booked, a payout when it lands. A
--   rollback gives back only to the periods, and to the play session, in which its bet was placed. A bet that a time limit refused
--   counts the play until then, so that a limit that was reached stays reached in its period.
-- The counters are written where they were read (ctid), as in casino.update_play.
-- Lock order: under the wallets' locks, which the caller holds.
create or replace function casino.count_play(p_ledger_id integer, p_judged casino.judgement [], p_now timestamptz)
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
    with moved as (
        select
            judged.counter_row, judged.play_session_id, judged.kind = 'debit' as is_bet, stand.*,
            - judged.delta_minor as loss_minor,
            case when judged.kind = 'rollback' then judged.bet_recorded_at else p_now end as belongs_to,
            case when judged.kind = 'debit' then judged.played_from else p_now end as played_from
        from unnest(p_judged) as judged
        join casino.limit_counters as counter
            on counter.ctid = judged.counter_row and counter.ledger_id = p_ledger_id and counter.wallet_id = judged.wallet_id
        cross join lateral (
            select timezone from casino.tenants where ledger_id = p_ledger_id and tenant_id = judged.tenant_id limit 1
        ) as tenant
        cross join lateral casino.counters_at(counter, tenant.timezone, p_now) as stand
        where judged.outcome = 'committed' or (judged.remembered and judged.code = 'session_time_limit')
    )
    update casino.limit_counters as counter
    set
        counted_on = greatest(counter.counted_on, moved.o_today),
        day_loss_minor = moved.o_day_loss_minor
            + case when moved.belongs_to >= moved.o_day_from then moved.loss_minor else 0 end,
        week_loss_minor = moved.o_week_loss_minor
            + case when moved.belongs_to >= moved.o_week_from then moved.loss_minor else 0 end,
        month_loss_minor = moved.o_month_loss_minor
            + case when moved.belongs_to >= moved.o_month_from then moved.loss_minor else 0 end,
        day_played_seconds = moved.o_day_played_seconds + casino.elapsed_seconds(
            greatest(moved.played_from, moved.o_day_from), p_now
        ),
        week_played_seconds = moved.o_week_played_seconds + casino.elapsed_seconds(
            greatest(moved.played_from, moved.o_week_from), p_now
        ),
        month_played_seconds = moved.o_month_played_seconds + casino.elapsed_seconds(
            greatest(moved.played_from, moved.o_month_from), p_now
        ),
        played_until = case when moved.is_bet then p_now else counter.played_until end,
        play_session_id = case
            when moved.is_bet then coalesce(moved.play_session_id, counter.play_session_id)
            else counter.play_session_id
        end,
        session_loss_minor = case
            when counter.play_session_id = moved.play_session_id then counter.session_loss_minor + moved.loss_minor
            when moved.is_bet and moved.play_session_id is not null then moved.loss_minor
            else counter.session_loss_minor
        end
    from moved
    where counter.ledger_id = p_ledger_id and counter.ctid = moved.counter_row;
end;
$$;
