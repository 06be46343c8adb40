-- Purpose: what the events of a range of time tell of each session: a play session, or one that belongs to none. Event times from
--   p_from, exclusive of p_to.
create or replace function casino.sessions_told(p_ledger_id integer, p_from timestamptz, p_to timestamptz)
returns setof casino.session_snapshots
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select
        p_ledger_id, event.tenant_id, coalesce(game.play_session_id::text, event.session_id), max(event.player_id),
        min(event.at), max(event.at), count(*),
        count(*) filter (where event_type = 'BET'),
        count(*) filter (where event_type = 'ROLLBACK' and amount_minor > 0),
        least(coalesce(sum(amount_minor) filter (where event_type = 'BET'), 0), 9223372036854775807)::bigint,
        least(coalesce(sum(amount_minor) filter (where event_type = 'ROLLBACK'), 0), 9223372036854775807)::bigint,
        least(
            coalesce(sum(amount_minor) filter (where event_type in ('WIN', 'JACKPOT_WON')), 0), 9223372036854775807
        )::bigint,
        max(event.currency)
    from casino.ledger_events as event
    left join casino.game_sessions as game on game.ledger_id = p_ledger_id and game.session_id = case
        when not event.imported and event.session_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then event.session_id::uuid
    end
    where event.ledger_id = p_ledger_id and event.at >= p_from and event.at < p_to and event.session_id is not null
    group by 2, 3;
$$;
