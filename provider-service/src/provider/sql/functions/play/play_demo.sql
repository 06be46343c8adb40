-- Purpose: store a round of demo play, with its stake taken and its win paid, in one step.
-- Outcomes: 'played'; 'known' (the session has a round of this spin); 'moved' (another round or seed came between);
--   'rate_limited' (the round before began less than p_least_ms ago); 'insufficient_balance'.
-- Locks: the demo session.
create or replace function provider.play_demo(
    p_demo_id uuid, p_round_id uuid, p_spin_id text, p_stake_minor bigint, p_win_minor bigint, p_seed_sha256 text,
    p_client_seed text, p_counter bigint, p_configuration_hash text, p_events text, p_least_ms bigint
)
returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_session provider.demo_sessions;
    v_balance_minor bigint;
begin
    select s.* into strict v_session from provider.demo_sessions as s where s.demo_id = p_demo_id for update;
    if exists (select from provider.demo_rounds as r where r.demo_id = p_demo_id and r.spin_id = p_spin_id) then
        return 'known';
    elsif (v_session.seed_sha256, v_session.next_counter) <> (p_seed_sha256, p_counter) then
        return 'moved';
    elsif exists (
        select from provider.demo_rounds as r
        where r.demo_id = p_demo_id and r.created_at > clock_timestamp() - make_interval(secs => p_least_ms / 1000.0)
    ) then
        return 'rate_limited';
    elsif v_session.balance_minor < p_stake_minor then
        return 'insufficient_balance';
    end if;
    v_balance_minor := v_session.balance_minor - p_stake_minor + p_win_minor;
    insert into provider.demo_rounds (
        round_id, demo_id, spin_id, stake_minor, win_minor, balance_after_minor, seed_sealed, seed_sha256, client_seed,
        counter, configuration_hash, events
    )
    values (
        p_round_id, p_demo_id, p_spin_id, p_stake_minor, p_win_minor, v_balance_minor, v_session.seed_sealed,
        p_seed_sha256, p_client_seed, p_counter, p_configuration_hash, p_events::json
    );
    update provider.demo_sessions as s set balance_minor = v_balance_minor, next_counter = p_counter + 1
    where s.demo_id = p_demo_id;
    return 'played';
end;
$$;
