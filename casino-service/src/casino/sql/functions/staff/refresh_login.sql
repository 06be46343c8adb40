-- Purpose: rotate a refresh token: the newest of its family makes its successor, by one conditional update.
-- Input: p_number of a token whose HMAC was checked.
-- Outcome: o_code null: o_number is the token to answer. A used token answers its successor again within 10 seconds of the
--   successor's birth; later it is TOKEN_REUSED, and the family ends. TOKEN_INVALID: there is no such family, it has ended, or the
--   token is 12 hours old. The caller commits in each case.
-- Locks: the family.
create or replace function casino.refresh_login(
    p_ledger_id integer, p_family_id text, p_number integer, p_request_id text, p_address inet
)
returns table (o_code text, o_staff_id text, o_number integer)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now constant timestamptz := casino.clock();
    v_family casino.staff_families;
    v_is_alive boolean;
begin
    update casino.staff_families as family
    set
        number = number + 1,
        births = array(select birth from unnest(births) as birth where birth > v_now - interval '10 seconds' order by birth) || v_now
    where ledger_id = p_ledger_id and family_id = p_family_id and number = p_number and ended_at is null and ends_at > v_now
        and births[cardinality(births)] > v_now - interval '12 hours'
        and exists (
            select from casino.staff where ledger_id = p_ledger_id and staff_id = family.staff_id and is_active
        )
    returning null, staff_id, number into o_code, o_staff_id, o_number;
    if found then
        return next;
        return;
    end if;

    select * into v_family from casino.staff_families where ledger_id = p_ledger_id and family_id = p_family_id for update;
    v_is_alive := v_family.ended_at is null and v_family.ends_at > v_now and exists (
        select from casino.staff where ledger_id = p_ledger_id and staff_id = v_family.staff_id and is_active
    );
    if v_is_alive and p_number < v_family.number
        and v_family.births[cardinality(v_family.births) - (v_family.number - p_number - 1)] > v_now - interval '10 seconds'
    then
        o_staff_id := v_family.staff_id;
        o_number := p_number + 1;
    elsif p_number < v_family.number then
        o_code := 'TOKEN_REUSED';
        update casino.staff_families set ended_at = coalesce(ended_at, v_now)
        where ledger_id = p_ledger_id and family_id = p_family_id;
        perform casino.note_staff(p_ledger_id, v_family.staff_id, 'staff.refresh', o_code, p_request_id, p_address);
    else
        o_code := 'TOKEN_INVALID';
    end if;
    return next;
end;
$$;
