-- What a provider's reconciliation reads: every entry that came by wire (debit, credit, rollback) in a session of the
-- provider, with the state that it has now.
-- A committed debit is settled once its round has a payout: from then on nothing can reverse it.
drop view if exists casino.transaction_feed;
drop view if exists casino.provider_feed;
create view casino.provider_feed with (security_invoker = true) as
select
    entry.ledger_id,
    entry.provider_id,
    entry.feed_position,
    entry.wallet_id,
    entry.transaction_id,
    wallet.tenant_id,
    wallet.player_id,
    entry.round_id,
    entry.kind,
    entry.amount_minor,
    entry.currency,
    case
        when entry.kind = 'debit' and entry.state = 'committed' and round.credits > 0 then 'settled'
        else entry.state
    end as state,
    entry.balance_after_minor,
    entry.related_transaction_id,
    entry.recorded_at,
    casino.head(entry.sequence_no, entry.entry_hash) as head
from casino.transactions as entry
join casino.wallets as wallet on wallet.ledger_id = entry.ledger_id and wallet.wallet_id = entry.wallet_id
left join casino.rounds as round
    on round.ledger_id = entry.ledger_id and round.wallet_id = entry.wallet_id and round.round_id = entry.round_id
    and round.provider_id = entry.provider_id
where entry.feed_position is not null;
