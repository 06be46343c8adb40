-- Purpose: returns the action_id of an event. A kind that the provider's feed shows has `provider:player:transaction`; a
--   rollback has the transaction of its bet. Every other kind has `wallet:transaction`.
-- Without a `set` clause, so that it is inlined. `begin atomic` resolves its names now: the caller's search_path does not matter.
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
