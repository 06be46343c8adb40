-- Purpose: record one step of each of many rounds in one transaction: attempts, the outcome of a call, the opening of the
--   round, the intent of the next call, the draw or the refusal of a spin. A step may have any of these. At most one step
--   per session.
-- Outcome: rows of four parts. 'busy': nothing of this session's step was done, because another database transaction
--   holds a row. 'outcome': see record_outcomes. 'opening': see open_rounds. 'intent': see record_intents.
-- Recording a step twice changes nothing. A step that is executed again after an unknown commit says so (`again`).
-- Locks: provider.lock_steps, and no others: inserts meet no row of another transaction that is not committed yet.
create or replace function provider.record_steps(p_batch jsonb, p_lease_seconds double precision)
returns table (o_session_id uuid, o_part text, o_outcome text, o_applied boolean)
language plpgsql
set search_path = pg_catalog, pg_temp
-- Also for the functions below: look rows up by their keys, however small the tables were when the plan was made.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    v_busy_ids uuid[];
begin
    v_busy_ids := provider.lock_steps(p_batch -> 'steps');
    if cardinality(v_busy_ids) > 0 then
        return query select busy.id, 'busy', null::text, null::boolean from unnest(v_busy_ids) as busy (id);
    end if;
    if p_batch ? 'attempts' then
        perform provider.record_attempts(p_batch -> 'attempts', v_busy_ids);
    end if;
    if p_batch ? 'outcomes' then
        return query
        select told.o_session_id, 'outcome', told.o_state, told.o_applied
        from provider.record_outcomes(p_batch -> 'outcomes', v_busy_ids) as told;
    end if;
    if p_batch ? 'openings' then
        return query
        select opened.o_session_id, 'opening', opened.o_outcome, null::boolean
        from provider.open_rounds(p_batch -> 'openings', p_lease_seconds, v_busy_ids) as opened;
    end if;
    if p_batch ? 'intents' then
        return query
        select intent.o_session_id, 'intent', intent.o_outcome, null::boolean
        from provider.record_intents(p_batch -> 'intents', p_lease_seconds, v_busy_ids) as intent;
    end if;
    if p_batch ? 'draws' then
        perform provider.record_draws(p_batch -> 'draws', v_busy_ids);
    end if;
    if p_batch ? 'refusals' then
        perform provider.record_refusals(p_batch -> 'refusals', v_busy_ids);
    end if;
end;
$$;
