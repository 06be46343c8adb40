-- Purpose: under which key the refusals of a client's address are counted: an IPv4 address, or the /64 of an IPv6 address.
create or replace function casino.counted_network(p_address inet)
returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select 'from:' || coalesce(host(network(set_masklen(p_address, case family(p_address) when 6 then 64 else 32 end))), 'unknown');
$$;
