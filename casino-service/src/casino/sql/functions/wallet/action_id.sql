-- Purpose: how casino.ledger_events names what happened: `provider:player:transaction` for a wallet command, of a rollback the
--   bet that it takes back; `wallet:entry` for everything that did not come by wire.
-- Without a `set` clause, so that it is inlined; `begin atomic`, so that no caller's path decides what its names mean.
create or replace function casino.action_id(
    p_is_fed boolean, p_provider_id text, p_player_id text, p_wallet_id bigint, p_kind text, p_transaction_id text,
    p_related_transaction_id text
)
returns text
language sql immutable parallel safe
begin atomic
    select case
        when p_is_fed then p_provider_id || ':' || p_player_id || ':'
            || case p_kind when 'rollback' then p_related_transaction_id else p_transaction_id end
        else p_wallet_id::text || ':' || p_transaction_id
    end;
end;
