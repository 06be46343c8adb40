-- Purpose: begin to count what a player loses and how long the player plays. Does nothing for one who is counted already.
--   What was lost and played earlier in the running month and week is read from the rounds: a stake counts when its round began, a
--   payout when the round ended; time runs from round to round of a play session (casino.counted_since; of logins, the newest is known).
-- The caller holds the player (casino.hold_player).
create or replace function casino.begin_counting(p_ledger_id integer, p_player casino.players)
returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_longest_round constant interval := interval '1 day'; -- of one that began before the periods and ends in them
    v_now constant timestamptz := casino.clock();
    v_play_session_id constant uuid := casino.running_play_session(p_ledger_id, (p_player).player_id);
begin
    update casino.wallets
    set has_limits = true
    where ledger_id = p_ledger_id and wallet_id = (p_player).wallet_id and not has_limits;
    if not found then
        return;
    end if;
    with period as (
        select started.*
        from casino.tenants as tenant
        cross join lateral casino.calendar_periods(tenant.timezone, v_now) as started
        where tenant.ledger_id = p_ledger_id and tenant.tenant_id = (p_player).tenant_id
    ),
    round as (
        select
            round.opened_at, round.staked_minor, round.paid_minor, coalesce(round.ended_at, round.opened_at) as ended_at,
            casino.counted_since(
                lag(round.opened_at) over (partition by session.play_session_id order by round.opened_at),
                case when play.last_login_at <= round.opened_at then play.last_login_at else play.started_at end
            ) as played_from
        from casino.rounds as round
        join casino.game_sessions as session
            on session.ledger_id = round.ledger_id and session.session_id = round.session_id
        left join casino.play_sessions as play
            on play.ledger_id = session.ledger_id and play.play_session_id = session.play_session_id
        where round.ledger_id = p_ledger_id and round.wallet_id = (p_player).wallet_id
            and round.opened_at >= (select least(o_week_from, o_month_from) from period) - c_longest_round
            and round.opened_at > '-infinity' -- the condition of the index by time
    ),
    counted as (
        select
            start.place,
            coalesce(sum(staked_minor) filter (where opened_at >= start.at), 0)
                - coalesce(sum(paid_minor) filter (where ended_at >= start.at), 0) as loss_minor,
            coalesce(sum(opened_at - greatest(played_from, start.at)) filter (
                where opened_at > greatest(played_from, start.at) and played_from is not null
            ), interval '0') as played
        from period
        cross join lateral unnest(array[o_day_from, o_week_from, o_month_from]) with ordinality as start (at, place)
        left join round on true
        group by start.place
    )
    insert into casino.limit_counters (
        ledger_id, wallet_id, tenant_id, day_from, day_until, week_from, week_until, month_from, month_until, day_loss_minor,
        week_loss_minor, month_loss_minor, day_played, week_played, month_played, played_until, play_session_id,
        session_loss_minor
    )
    select
        p_ledger_id, (p_player).wallet_id, (p_player).tenant_id, max(o_day_from), max(o_day_until), max(o_week_from),
        max(o_week_until), max(o_month_from), max(o_month_until),
        max(loss_minor) filter (where place = 1), max(loss_minor) filter (where place = 2),
        max(loss_minor) filter (where place = 3), max(played) filter (where place = 1),
        max(played) filter (where place = 2), max(played) filter (where place = 3),
        (select max(opened_at) from round), v_play_session_id, coalesce((
            select - casino.play_session_net(play_sessions)
            from casino.play_sessions
            where ledger_id = p_ledger_id and play_session_id = v_play_session_id
        ), 0)
    from counted
    cross join period;
end;
$$;
