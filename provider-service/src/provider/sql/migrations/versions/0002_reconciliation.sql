-- The wallet's chain as its answers showed it: what finds a tail that was cut off there.
alter table provider.wallet_transactions add column head_sequence bigint, add column head_hash text;
grant update (head_sequence, head_hash) on provider.wallet_transactions to provider_app;
