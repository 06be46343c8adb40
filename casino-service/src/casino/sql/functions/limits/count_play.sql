-- Purpose: count what wallet commands mean for their players' limits. A stake counts when it is booked, a payout when it lands. A
--   rollback gives back only to the periods, and to the play session, in which its bet was placed. A bet that a time limit refused
--   counts the play until then, so that a limit that was reached stays reached in its period.
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
declare
    v_is_old boolean;
    v_counted casino.judgement[];
begin
    select bool_or(counter_is_old), array_agg(judged::casino.judgement) into v_is_old, v_counted
    from unnest(p_judged) as judged
    where counter_row is not null and (outcome = 'committed' or (remembered and code = 'session_time_limit'));
    if v_is_old then
        perform casino.renew_counters(p_ledger_id, v_counted, p_now);
    end if;

    update casino.limit_counters as counter
    set
        day_loss_minor = counter.day_loss_minor + case when moved.belongs_to >= counter.day_from then moved.loss_minor else 0 end,
        week_loss_minor = counter.week_loss_minor + case when moved.belongs_to >= counter.week_from then moved.loss_minor else 0 end,
        month_loss_minor = counter.month_loss_minor
            + case when moved.belongs_to >= counter.month_from then moved.loss_minor else 0 end,
        day_played = counter.day_played + (p_now - greatest(moved.played_from, counter.day_from)),
        week_played = counter.week_played + (p_now - greatest(moved.played_from, counter.week_from)),
        month_played = counter.month_played + (p_now - greatest(moved.played_from, counter.month_from)),
        played_until = case when moved.is_bet then p_now else counter.played_until end,
        play_session_id = case
            when moved.is_bet then coalesce(moved.play_session_id, counter.play_session_id)
            else counter.play_session_id
        end,
        session_loss_minor = case
            when moved.is_of_earlier_session then counter.session_loss_minor
            when counter.play_session_id = moved.play_session_id then counter.session_loss_minor + moved.loss_minor
            when moved.is_bet and moved.play_session_id is not null then moved.loss_minor
            else counter.session_loss_minor
        end
    from (
        select
            wallet_id, play_session_id, kind = 'debit' as is_bet, - delta_minor as loss_minor,
            case when kind = 'rollback' then bet_recorded_at else p_now end as belongs_to,
            case when kind = 'debit' then played_from else p_now end as played_from,
            -- Its game was launched before the play session, and has joined it.
            kind = 'rollback' and coalesce(bet_recorded_at < (
                select started_at from casino.play_sessions
                where ledger_id = p_ledger_id and play_session_id = judged.play_session_id
            ), false) as is_of_earlier_session
        from unnest(v_counted) as judged
    ) as moved
    where counter.ledger_id = p_ledger_id and counter.wallet_id = moved.wallet_id;
end;
$$;
