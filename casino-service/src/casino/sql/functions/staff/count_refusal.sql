-- Purpose: count a refused login of a name from an address, which casino.hold_login holds. 5 refusals of a name within 15 minutes
--   lock it for a minute; each further lock lasts twice as long, up to an hour. A day after the last lock they are forgotten. While a
--   name is locked, only the address is counted. The caller commits, whatever it answers.
create or replace function casino.count_refusal(p_ledger_id integer, p_kind text, p_name text, p_address inet)
returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_now constant timestamptz := casino.clock();
    v_name casino.login_refusals;
begin
    update casino.login_refusals
    set refused_at = (refused_at || c_now)[greatest(cardinality(refused_at) - 28, 1):] -- the newest 30
    where ledger_id = p_ledger_id and counted = casino.counted_network(p_address);

    select * into strict v_name
    from casino.login_refusals
    where ledger_id = p_ledger_id and counted = casino.counted_name(p_kind, p_name);
    if v_name.locked_until > c_now then
        return;
    end if;
    if v_name.locked_until <= c_now - interval '1 day' then
        v_name.locks := 0;
    end if;
    v_name.refused_at := array(
        select refused from unnest(v_name.refused_at) as refused where refused > c_now - interval '15 minutes' order by refused
    ) || c_now;
    if cardinality(v_name.refused_at) >= 5 then
        v_name.refused_at := '{}';
        v_name.locked_until := c_now + least(interval '1 minute' * (2 ^ v_name.locks), interval '1 hour');
        v_name.locks := least(v_name.locks + 1, 6);
    end if;
    update casino.login_refusals
    set refused_at = v_name.refused_at, locked_until = v_name.locked_until, locks = v_name.locks
    where ledger_id = p_ledger_id and counted = v_name.counted;
end;
$$;
