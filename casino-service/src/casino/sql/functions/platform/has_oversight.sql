-- Purpose: whether this connection's login is an owner's: a member of casino_oversight. No setting of a session makes it so.
create or replace function casino.has_oversight()
returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select exists (
        select from pg_auth_members
        join pg_roles as granted on granted.oid = roleid
        join pg_roles as login on login.oid = member
        where granted.rolname = 'casino_oversight' and login.rolname = session_user
    );
$$;
