-- Purpose: what a player is to be told now, the most urgent first. Derived: each is there as long as it is true.
-- Outcome: a code; o_until: when it ends as things stand, null where it has no end or the player ends it; o_reason: a stop's.
--   A stop for one provider or game is told by the games (casino.games_of_player). No row for a player out of the caller's view.
create or replace function casino.messages_of_player(p_ledger_id integer, p_player_id text)
returns table (o_code text, o_until timestamptz, o_reason text)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select message.code, nullif(message.until, 'infinity'), message.reason
    from casino.players as player
    join casino.tenants as tenant on tenant.ledger_id = p_ledger_id and tenant.tenant_id = player.tenant_id
    join casino.wallets as wallet on wallet.ledger_id = p_ledger_id and wallet.wallet_id = player.wallet_id
    left join casino.play_sessions as play on play.ledger_id = p_ledger_id
        and play.play_session_id = casino.running_play_session(p_ledger_id, p_player_id)
    cross join lateral (
        select
            casino.clock() as now,
            coalesce(wallet.stopped_play_session_id = play.play_session_id, false) as is_stopped,
            case when tenant.has_stops then casino.stop_of(p_ledger_id, tenant.tenant_id, '', '', p_player_id) end as reason
    ) as seen
    cross join lateral (
        values
            (1, 'EXCLUDED', wallet.excluded_until > now, wallet.excluded_until, null),
            (2, 'FROZEN', player.status = 'FROZEN', null, null),
            (3, 'PLAY_STOPPED', not tenant.is_open or seen.reason is not null, null, seen.reason),
            (4, 'SAFETY_STOP', is_stopped, casino.play_session_end(play), null),
            (5, 'COOLDOWN_ACTIVE', wallet.cooldown_until > now and not is_stopped, wallet.cooldown_until, null),
            (6, 'BONUS_ACK_REQUIRED', wallet.bonus_ack_required, null, null),
            (7, 'REALITY_CHECK_DUE', play.check_due_at <= now, null, null),
            (8, 'LIMIT_TO_CONFIRM', exists (
                select from casino.player_limits as wish
                where wish.ledger_id = p_ledger_id and wish.player_id = p_player_id and wish.status = 'PENDING'
                    and now between wish.effective_at and wish.effective_at + interval '7 days'
            ), null, null)
    ) as message (place, code, is_true, until, reason)
    where player.ledger_id = p_ledger_id and player.player_id = p_player_id and message.is_true
        and casino.sees(p_ledger_id, player.tenant_id)
    order by message.place;
$$;
