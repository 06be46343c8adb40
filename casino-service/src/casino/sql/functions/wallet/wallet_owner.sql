-- Purpose: whose a wallet is, as a statement names it: the tenant's id or the player's.
create or replace function casino.wallet_owner(p_wallet casino.wallets)
returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select case (p_wallet).owner_kind when 'tenant' then (p_wallet).tenant_id else (p_wallet).player_id end;
$$;
