-- Purpose: score how a player plays in a play session. The one place that knows signals and weights (docs/platform.md). It reads, and
--   nothing here reaches a draw.
-- Input: p_whole false leaves LOSS_CLUSTER unread where nothing follows with it or without it (casino.due_action).
-- Outcome: one row, none for a play session that is not there: the score from 0 to 100, every signal in a fixed order, and the figures.
-- A spin is a round with a credit, in the order of its first debit. Reads the newest 20 spins, and of losses at most 500 rounds.
-- Without a `set` clause, so that it is inlined. `begin atomic` resolves its names now: the caller's search_path does not matter.
create or replace function casino.risk_of(
    p_ledger_id integer, p_play_session_id uuid, p_now timestamptz, p_whole boolean
)
returns table (o_score integer, o_reasons text[], o_evidence jsonb)
language sql stable
begin atomic
    select
        least(other_score + 25 * is_cluster::integer, 100),
        array_remove(array[
            case when accelerates then 'BET_ACCEL' end, case when loses then 'LOSS_STREAK' end,
            case when is_fast then 'SPIN_RATE' end, case when is_cluster then 'LOSS_CLUSTER' end,
            case when hops then 'GAME_HOP' end
        ], null),
        jsonb_build_object(
            'spins', spins, 'rises', rises, 'losingSpins', losing_spins, 'medianGapMs', (1000 * median_gap_seconds)::bigint,
            'lossMinor', loss_minor, 'openingBalanceMinor', opening_balance_minor, 'games', games
        )
    from (
        select
            *, coalesce(loss_minor >= 5000 and 10 * loss_minor >= 3 * opening_balance_minor::numeric, false) as is_cluster
        from (
            select
                play.opening_balance_minor, own.games, spin.*, other_score,
                case
                    when own.staked_minor >= 5000 and (
                        -- Nobody loses more than the stakes; from 30 the figures are wanted anyway.
                        p_whole or other_score > 0 and (
                            other_score >= 30 or 10 * own.staked_minor >= 3 * play.opening_balance_minor::numeric
                        ) and (
                            not exists (
                                select from casino.safety_actions -- without any, no other comes too early
                                where ledger_id = p_ledger_id and play_session_id = p_play_session_id
                            )
                            or casino.due_action(p_ledger_id, play.wallet_id, p_play_session_id, other_score + 25, p_now) is not null
                            or casino.due_action(p_ledger_id, play.wallet_id, p_play_session_id, other_score, p_now) is not null
                        )
                    ) then (
                        select least(coalesce(sum(staked_minor - paid_minor), 0), 9223372036854775807)::bigint
                        from (
                            select staked_minor, paid_minor, ended_at, credits, session_id
                            from casino.rounds
                            where ledger_id = p_ledger_id and wallet_id = play.wallet_id and opened_at >= play.started_at
                                and opened_at > '-infinity' -- as the index has it
                            order by opened_at desc, opening_no desc
                            limit 500
                        ) as newest
                        where ended_at >= p_now - interval '5 minutes' and credits > 0 and session_id = any (own.session_ids)
                    )
                end as loss_minor,
                hops
            from casino.play_sessions as play
            cross join lateral (
                select
                    array_agg(session_id) as session_ids, sum(staked_minor) as staked_minor,
                    count(distinct game_code) filter (where last_bet_at >= p_now - interval '5 minutes') as games,
                    count(distinct game_code) filter (where last_bet_at >= p_now - interval '5 minutes') >= 3 as hops
                from casino.game_sessions
                where ledger_id = p_ledger_id and play_session_id = p_play_session_id
            ) as own
            cross join lateral (
                select
                    count(*) as spins, count(*) filter (where rises) as rises, count(*) filter (where rises) >= 3 as accelerates,
                    count(*) filter (where loses and place <= 12) as losing_spins,
                    count(*) filter (where loses and place <= 12) = 12 as loses,
                    percentile_cont(0.5) within group (order by gap_seconds) as median_gap_seconds,
                    coalesce(
                        count(gap_seconds) >= 6 and percentile_cont(0.5) within group (order by gap_seconds) < 1.2, false
                    ) as is_fast
                from (
                    select
                        row_number() over newest as place, paid_minor < staked_minor as loses,
                        staked_minor > lead(staked_minor) over newest as rises,
                        extract(epoch from opened_at - lead(opened_at) over newest)::double precision as gap_seconds
                    from (
                        select opened_at, opening_no, staked_minor, paid_minor
                        from casino.rounds
                        where ledger_id = p_ledger_id and wallet_id = play.wallet_id and opened_at >= play.started_at
                            and opened_at > '-infinity' -- as the index has it
                            and credits > 0 and session_id = any (own.session_ids)
                        order by opened_at desc, opening_no desc
                        limit 20
                    ) as round
                    window newest as (order by opened_at desc, opening_no desc)
                ) as newest
            ) as spin
            cross join lateral (
                select
                    35 * accelerates::integer + 35 * loses::integer + 25 * is_fast::integer + 15 * hops::integer as other_score
            ) as other
            where play.ledger_id = p_ledger_id and play.play_session_id = p_play_session_id
            offset 0 -- a fence: the loss is read once
        ) as figures
    ) as signals;
end;
