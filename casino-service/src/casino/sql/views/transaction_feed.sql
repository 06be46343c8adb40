-- The feed of the provider `main`, for processes of the release before, which know no other. The next release drops it.
create view casino.transaction_feed with (security_invoker = true) as
select
    ledger_id, feed_position, transaction_id, tenant_id, player_id, round_id, kind, amount_minor, currency, state,
    balance_after_minor, related_transaction_id, recorded_at
from casino.provider_feed
where provider_id = 'main';
