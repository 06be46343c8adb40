-- Purpose: under which key the refusals of a name are counted. A hash: people type passwords into the wrong field.
create or replace function casino.counted_name(p_kind text, p_name text)
returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select p_kind || ':' || encode(sha256(convert_to(p_name, 'UTF8')), 'hex');
$$;
