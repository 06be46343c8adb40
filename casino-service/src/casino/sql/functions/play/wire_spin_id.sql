-- Purpose: the id under which a provider is asked for a spin: the player's own while it has the form that providers take and this
--   is the first ask, else a hash. An id that looks like a hash is hashed, so that no two ids lead to one spin.
create or replace function casino.wire_spin_id(p_spin_id text, p_attempt integer)
returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select case
        when p_attempt = 1 and p_spin_id ~ '^[0-9A-Za-z_-]{1,64}$' and not starts_with(p_spin_id, 'hash-') then p_spin_id
        else 'hash-' || translate(
            encode(sha256(convert_to(p_attempt || ' ' || p_spin_id, 'UTF8')), 'base64'), '+/=', '-_'
        )
    end;
$$;
