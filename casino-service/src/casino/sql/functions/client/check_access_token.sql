-- Purpose: allow an access token only from the client fingerprint of its first use.
-- Outcome: whether the fingerprint is that one; true for the first use. The row is kept until the token has ended.
-- Locks: only the token's own row, on the first use.
create or replace function casino.check_access_token(
    p_tenant_id text, p_token_hash bytea, p_fingerprint bytea, p_expires_at timestamptz
)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_fingerprint bytea;
begin
    select fingerprint into v_fingerprint
    from casino.access_token_fingerprints
    where tenant_id = p_tenant_id and token_hash = p_token_hash;
    if v_fingerprint is null then
        insert into casino.access_token_fingerprints (tenant_id, token_hash, fingerprint, expires_at)
        values (p_tenant_id, p_token_hash, p_fingerprint, p_expires_at)
        on conflict (tenant_id, token_hash) do update set expires_at = excluded.expires_at
        returning fingerprint into v_fingerprint; -- of two concurrent first uses, the earlier one counts
    end if;
    return v_fingerprint = p_fingerprint;
end;
$$;
