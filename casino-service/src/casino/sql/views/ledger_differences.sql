-- The invariants of protocol.md 4 (12) and their kin, as rows that must not exist: rule, where, expected, found.
-- Each branch is one rule; the view is empty while the ledger is whole.
drop view if exists casino.ledger_differences;
create view casino.ledger_differences as
select
    'balance_is_sum_of_postings' as rule, wallet.ledger_id, wallet.wallet_id, null::text as transaction_id,
    coalesce(posted.sum_minor, 0)::text as expected, wallet.balance_minor::text as found
from casino.wallets as wallet
cross join lateral (
    select sum(posting.amount_minor) as sum_minor
    from casino.postings as posting
    where posting.ledger_id = wallet.ledger_id and posting.wallet_id = wallet.wallet_id and posting.account = 'wallet'
) as posted
where wallet.balance_minor <> coalesce(posted.sum_minor, 0)
union all
select 'postings_of_currency_sum_to_zero', ledger_id, null, null, '0 ' || currency, sum(amount_minor) || ' ' || currency
from casino.postings
group by ledger_id, currency
having sum(amount_minor) <> 0
union all
select 'postings_of_transaction_sum_to_zero', ledger_id, wallet_id, transaction_id, '0', sum(amount_minor)::text
from casino.postings
group by ledger_id, wallet_id, transaction_id
having sum(amount_minor) <> 0
union all
select 'balance_not_negative', ledger_id, wallet_id, null, '0 or more', balance_minor::text
from casino.wallets
where balance_minor < 0
union all
select
    'wallet_points_at_its_newest_transaction', wallet.ledger_id, wallet.wallet_id, newest.transaction_id,
    coalesce(casino.head(newest.sequence_no, newest.entry_hash), 'no transaction'),
    coalesce(casino.head(wallet.sequence_no, wallet.head_hash), wallet.sequence_no || ' transactions, no head')
from casino.wallets as wallet
left join lateral (
    select entry.transaction_id, entry.sequence_no, entry.entry_hash
    from casino.transactions as entry
    where entry.ledger_id = wallet.ledger_id and entry.wallet_id = wallet.wallet_id and entry.sequence_no is not null
    order by entry.sequence_no desc
    limit 1
) as newest on true
where wallet.sequence_no <> coalesce(newest.sequence_no, 0) or wallet.head_hash is distinct from newest.entry_hash
union all
-- One walk along every wallet's chain. Each entry is held against the one stored before it: only what is wrong is named,
-- not everything that comes after it.
select rule.name, walked.ledger_id, walked.wallet_id, walked.transaction_id, rule.expected, rule.found
from (
    select
        entry.*, coalesce(posting.amount_minor, 0) as delta_minor,
        lag(entry.sequence_no, 1, 0::bigint) over chain as sequence_before,
        lag(entry.balance_after_minor, 1, 0::bigint) over chain as balance_before_minor,
        lag(entry.entry_hash) over chain as hash_before
    from casino.transactions as entry
    left join casino.postings as posting
        on posting.ledger_id = entry.ledger_id and posting.wallet_id = entry.wallet_id
        and posting.transaction_id = entry.transaction_id and posting.account = 'wallet'
    where entry.sequence_no is not null
    window chain as (partition by entry.ledger_id, entry.wallet_id order by entry.sequence_no)
) as walked
cross join lateral (
    values
    ('sequence_has_no_gap', (walked.sequence_before + 1)::text, walked.sequence_no::text),
    (
        'balance_after_follows_from_the_one_before',
        (walked.balance_before_minor + walked.delta_minor)::text, walked.balance_after_minor::text
    ),
    (
        'entry_hash_follows_from_the_one_before',
        encode(casino.entry_hash(
            walked.hash_before, walked.ledger_id, walked.wallet_id, walked.sequence_no, walked.transaction_id,
            walked.kind, walked.session_id, walked.round_id, walked.amount_minor, walked.currency,
            walked.related_transaction_id, walked.balance_after_minor, walked.tombstone, walked.already_rolled_back
        ), 'hex'),
        coalesce(encode(walked.entry_hash, 'hex'), 'none')
    )
) as rule (name, expected, found)
where rule.expected <> rule.found
union all
select 'posting_moves_what_its_transaction_says', entry.ledger_id, entry.wallet_id, entry.transaction_id,
    case when entry.kind = 'debit' then - entry.amount_minor else entry.amount_minor end::text,
    coalesce(posting.amount_minor, 0)::text
from casino.transactions as entry
left join casino.postings as posting
    on posting.ledger_id = entry.ledger_id and posting.wallet_id = entry.wallet_id
    and posting.transaction_id = entry.transaction_id and posting.account = 'wallet'
where coalesce(posting.amount_minor, 0) <> case
    when entry.state = 'refused' then 0
    when entry.kind = 'debit' then - entry.amount_minor
    else entry.amount_minor
end
union all
select 'rolled_back_bet_has_its_rollback', bet.ledger_id, bet.wallet_id, bet.transaction_id, '1 rollback of its amount',
    count(reversal.transaction_id)::text
from casino.transactions as bet
left join casino.transactions as reversal
    on reversal.ledger_id = bet.ledger_id and reversal.wallet_id = bet.wallet_id and reversal.kind = 'rollback'
    and reversal.related_transaction_id = bet.transaction_id and reversal.amount_minor = bet.amount_minor
    and reversal.state = 'committed'
where bet.kind = 'debit'
group by bet.ledger_id, bet.wallet_id, bet.transaction_id, bet.state
having count(reversal.transaction_id) <> (bet.state = 'rolled_back')::integer
union all
select 'round_counts_its_transactions', round.ledger_id, round.wallet_id, round.round_id,
    round.live_debits || ' live debits, ' || round.credits || ' credits, ' || round.staked_minor || ' staked, '
    || round.paid_minor || ' paid',
    count(*) filter (where entry.kind = 'debit') || ' live debits, ' || count(*) filter (where entry.kind = 'credit')
    || ' credits, ' || coalesce(sum(entry.amount_minor) filter (where entry.kind = 'debit'), 0) || ' staked, '
    || coalesce(sum(entry.amount_minor) filter (where entry.kind = 'credit'), 0) || ' paid'
from casino.rounds as round
left join casino.transactions as entry
    on entry.ledger_id = round.ledger_id and entry.wallet_id = round.wallet_id and entry.round_id = round.round_id
    and entry.state = 'committed' and entry.kind in ('debit', 'credit')
group by round.ledger_id, round.wallet_id, round.round_id, round.live_debits, round.credits, round.staked_minor, round.paid_minor
having round.live_debits <> count(*) filter (where entry.kind = 'debit')
    or round.credits <> count(*) filter (where entry.kind = 'credit')
    or round.staked_minor <> coalesce(sum(entry.amount_minor) filter (where entry.kind = 'debit'), 0)
    or round.paid_minor <> coalesce(sum(entry.amount_minor) filter (where entry.kind = 'credit'), 0)
union all
select
    'session_counts_its_open_bets', session.ledger_id, session.wallet_id, null,
    coalesce(open_rounds.live_debits, 0) || ' in session ' || session.session_id,
    session.open_bets || ' in session ' || session.session_id
from casino.game_sessions as session
left join (
    select ledger_id, wallet_id, session_id, sum(live_debits) as live_debits
    from casino.rounds
    where credits = 0
    group by ledger_id, wallet_id, session_id
) as open_rounds
    on open_rounds.ledger_id = session.ledger_id and open_rounds.wallet_id = session.wallet_id
    and open_rounds.session_id = session.session_id
where session.open_bets <> coalesce(open_rounds.live_debits, 0)
union all
select 'tombstoned_bet_never_moved_money', stone.ledger_id, stone.wallet_id, stone.transaction_id, 'no such debit', entry.state
from casino.tombstones as stone
join casino.transactions as entry
    on entry.ledger_id = stone.ledger_id and entry.wallet_id = stone.wallet_id and entry.transaction_id = stone.transaction_id
where entry.kind = 'debit' and entry.state <> 'refused'
union all
select 'payout_has_a_live_bet', credit.ledger_id, credit.wallet_id, credit.transaction_id, 'a debit of its round', 'none'
from casino.transactions as credit
where credit.kind = 'credit' and not exists (
    select 1 from casino.transactions as bet
    where bet.ledger_id = credit.ledger_id and bet.wallet_id = credit.wallet_id and bet.round_id = credit.round_id
        and bet.kind = 'debit' and bet.state = 'committed'
        and bet.transaction_id = coalesce(credit.related_transaction_id, bet.transaction_id)
)
union all
select 'every_transaction_was_told', entry.ledger_id, entry.wallet_id, entry.transaction_id, 'an event', 'none'
from casino.transactions as entry
where entry.kind <> 'deposit' and not exists (
    select 1 from casino.events as event
    where event.ledger_id = entry.ledger_id and event.feed_position = entry.feed_position
        and event.wallet_id = entry.wallet_id and event.transaction_id = entry.transaction_id
)
union all
select
    'event_tells_of_a_transaction', event.ledger_id, event.wallet_id, event.transaction_id,
    event.event_type || ' ' || event.amount_minor || ' ' || event.currency,
    coalesce(told.event_type || ' ' || told.amount_minor || ' ' || told.currency, 'no transaction')
from casino.events as event
left join lateral (
    select
        case when entry.state = 'refused' then 'debit_refused' else entry.kind end as event_type,
        entry.amount_minor, entry.currency
    from casino.transactions as entry
    where entry.ledger_id = event.ledger_id and entry.wallet_id = event.wallet_id
        and entry.transaction_id = event.transaction_id and entry.feed_position = event.feed_position
) as told on true
where (told.event_type, told.amount_minor, told.currency)
    is distinct from (event.event_type, event.amount_minor, event.currency);
