-- Purpose: an instant as the platform's answers show it: 2026-01-31T23:59:59.123Z. Null for null and for infinity.
create or replace function casino.wire_instant(p_at timestamptz)
returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select case when isfinite(p_at) then to_char(p_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') end;
$$;
