-- Purpose: whose an API key is, by its HMAC.
-- Outcome: no row if there is no such key, if it has ended or was deleted, or if its maker is deactivated. o_scopes are those that it
--   was made with: in force are those that the maker's role still has.
create or replace function casino.enter_api_key(p_ledger_id integer, p_key_mac bytea)
returns table (o_key_id text, o_staff_id text, o_tenant_id text, o_role text, o_username text, o_scopes text [])
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select api_key.key_id, staff.staff_id, staff.tenant_id, staff.role, staff.username, api_key.scopes
    from casino.api_keys as api_key
    join casino.staff on staff.ledger_id = api_key.ledger_id and staff.staff_id = api_key.made_by
    where api_key.ledger_id = p_ledger_id and api_key.key_mac = p_key_mac and api_key.deleted_at is null
        and api_key.ends_at > casino.clock() and staff.is_active;
$$;
