-- Purpose: open rounds, one per session, leased to the calling process. With a spin_id the round is a spin's.
-- Outcomes, per session: 'opened'; 'session_not_found'; 'session_stopped'; 'session_busy' (the session has an open round,
--   or a pending bet or rollback). Of a spin also 'spin_known' (the player has a spin of this id), 'session_busy' (a round
--   with this server seed is open) and 'seed_moved' (the seed's next counter is another one, or the seed is retired).
-- again: the same step was executed before with an unknown outcome; then its own round counts as opened.
-- Locks: none of its own. provider.lock_steps has locked the sessions, and the players of spins, one step a player.
create or replace function provider.open_rounds(
    p_openings jsonb, p_lease_seconds double precision, p_busy_session_ids uuid[]
)
returns table (o_session_id uuid, o_outcome text)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now constant timestamptz := provider.clock();
begin
    return query
    with judged as materialized (
        select opening.*, case
            when s.provider_session_id is null then 'session_not_found'
            when opening.again and (
                select true from provider.rounds as r where r.round_id = opening.round_id
            ) then 'opened_before'
            when (
                select true from provider.spins as spin
                where spin.player_id = s.player_id and spin.spin_id = opening.spin_id
            ) then 'spin_known'
            when s.state <> 'open' then 'session_stopped'
            when (
                select true from provider.rounds as r
                where r.provider_session_id = opening.session_id and r.state = 'open' limit 1
            ) then 'session_busy'
            when (
                select true from provider.wallet_transactions as t
                where t.provider_session_id = opening.session_id
                    and t.state = 'pending' and t.kind in ('debit', 'rollback') limit 1
            ) then 'session_busy'
            when opening.seed_id is not null and (
                select r.state from provider.server_seeds as seed
                join provider.rounds as r on r.round_id = seed.round_id
                where seed.seed_id = opening.seed_id
            ) = 'open' then 'session_busy'
            when opening.seed_id is not null and (
                select seed.player_id = s.player_id and seed.game_code = s.game_code
                    and seed.retired_at is null and seed.next_counter = opening.counter
                from provider.server_seeds as seed where seed.seed_id = opening.seed_id
            ) is not true then 'seed_moved'
            else 'opened'
        end as verdict, s.player_id, s.game_code
        from jsonb_to_recordset(p_openings) as opening (
            session_id uuid, round_id uuid, kind text, request_id text, again boolean, spin_id text, debit_id uuid,
            stake_minor bigint, seed_id uuid, client_seed text, counter bigint, configuration_hash text
        )
        left join provider.game_sessions as s on s.provider_session_id = opening.session_id
        where opening.session_id <> all (p_busy_session_ids)
    ),
    opened as (
        insert into provider.rounds (round_id, provider_session_id, kind, lease_until, request_id, created_at)
        select j.round_id, j.session_id, j.kind, v_now + make_interval(secs => p_lease_seconds), j.request_id, v_now
        from judged as j
        where j.verdict = 'opened'
    ),
    spun as (
        insert into provider.spins (
            player_id, spin_id, round_id, debit_id, game_code, stake_minor, seed_id, client_seed, counter,
            configuration_hash, created_at
        )
        select j.player_id, j.spin_id, j.round_id, j.debit_id, j.game_code, j.stake_minor, j.seed_id, j.client_seed,
            j.counter, j.configuration_hash, v_now
        from judged as j
        where j.verdict = 'opened' and j.spin_id is not null
    ),
    seeds_taken as (
        update provider.server_seeds as seed set round_id = j.round_id
        from judged as j where j.verdict = 'opened' and seed.seed_id = j.seed_id
    )
    select j.session_id, case j.verdict when 'opened_before' then 'opened' else j.verdict end from judged as j;
end;
$$;
