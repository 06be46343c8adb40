-- Purpose: put the limits for losses and time that are in force onto the wallet's row of casino.limit_counters, which every bet reads.
--   A wallet that had none is counted from now on, for good, and from its history what counts already.
-- The caller holds the player (casino.hold_player).
create or replace function casino.settle_limits(p_ledger_id integer, p_player casino.players)
returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_minutes_max constant bigint := 1000000; -- more than a month has
begin
    if exists (
        select from casino.player_limits
        where ledger_id = p_ledger_id and player_id = (p_player).player_id and status = 'ACTIVE' and kind in ('loss', 'time')
    ) then
        perform casino.begin_counting(p_ledger_id, p_player);
    end if;
    update casino.limit_counters as counter
    set
        day_loss_max_minor = own.day_loss, week_loss_max_minor = own.week_loss, month_loss_max_minor = own.month_loss,
        day_time_max = least(own.day_time, c_minutes_max) * interval '1 minute',
        week_time_max = least(own.week_time, c_minutes_max) * interval '1 minute',
        month_time_max = least(own.month_time, c_minutes_max) * interval '1 minute'
    from (
        select
            min(value) filter (where kind = 'loss' and period = 'day') as day_loss,
            min(value) filter (where kind = 'loss' and period = 'week') as week_loss,
            min(value) filter (where kind = 'loss' and period = 'month') as month_loss,
            min(value) filter (where kind = 'time' and period = 'day') as day_time,
            min(value) filter (where kind = 'time' and period = 'week') as week_time,
            min(value) filter (where kind = 'time' and period = 'month') as month_time
        from casino.player_limits
        where ledger_id = p_ledger_id and player_id = (p_player).player_id and status = 'ACTIVE'
    ) as own
    where counter.ledger_id = p_ledger_id and counter.wallet_id = (p_player).wallet_id;
end;
$$;
