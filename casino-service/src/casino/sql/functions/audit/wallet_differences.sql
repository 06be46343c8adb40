-- Purpose: the rules that hold within a wallet (protocol.md 4 (12), the hash chain, and their kin), for the wallets of one
--   ledger whose ids lie in a range: one row for everything that breaks one. None while the wallets are whole.
-- It does not rely on constraints or foreign keys: a person who can edit a row can also switch them off.
-- Both sides of every join are bound to the range, so that a page of wallets costs what it holds, however large the ledger.
-- Without a `set` clause, so that it is inlined and planned for the range that it is asked for; `begin atomic`: its names
--   were bound when it was made.
create or replace function casino.wallet_differences(
    p_ledger_id integer, p_first_wallet_id bigint, p_last_wallet_id bigint
)
returns table (
    o_rule text, o_ledger_id integer, o_wallet_id bigint, o_transaction_id text, o_expected text, o_found text
)
language sql stable
begin atomic
    with entry as not materialized (
        select
            entry.*, kind.entry_kind, coalesce(kind.is_fed, false) as is_fed, kind.event_type,
            array_to_string(kind.accounts, ', ') as accounts,
            case when entry.state = 'refused' then 0 else kind.direction * entry.amount_minor end as delta_minor
        from casino.transactions as entry
        left join casino.entry_kinds as kind on kind.entry_kind = entry.kind
        where entry.ledger_id = p_ledger_id and entry.wallet_id between p_first_wallet_id and p_last_wallet_id
    ),
    wallet as not materialized (
        select * from casino.wallets
        where ledger_id = p_ledger_id and wallet_id between p_first_wallet_id and p_last_wallet_id
    ),
    posting as not materialized (
        select * from casino.postings
        where ledger_id = p_ledger_id and wallet_id between p_first_wallet_id and p_last_wallet_id
    )
    select 'balance_is_sum_of_postings', p_ledger_id, wallet_id, null,
        coalesce(posted.sum_minor, 0)::text, coalesce(wallet.balance_minor, 0)::text
    from wallet
    full join (
        select wallet_id, sum(amount_minor) as sum_minor from posting where account = 'wallet' group by wallet_id
    ) as posted using (wallet_id)
    where coalesce(wallet.balance_minor, 0) <> coalesce(posted.sum_minor, 0)
    union all
    select 'balance_not_negative', p_ledger_id, wallet_id, null, '0 or more', balance_minor::text
    from wallet
    where balance_minor < 0
    union all
    select 'postings_of_transaction_sum_to_zero', p_ledger_id, wallet_id, transaction_id, '0', sum(amount_minor)::text
    from posting
    group by wallet_id, transaction_id, provider_id
    having sum(amount_minor) <> 0
    union all
    -- The newest entry of each chain, and what its wallet says of it.
    select rule.name, p_ledger_id, wallet_id, newest.transaction_id, rule.expected, rule.found
    from wallet
    full join (
        select distinct on (wallet_id) wallet_id, transaction_id, sequence_no, entry_hash, currency
        from entry
        where sequence_no is not null
        order by wallet_id, sequence_no desc, transaction_id
    ) as newest using (wallet_id)
    cross join lateral (
        values
        (
            'wallet_points_at_its_newest_transaction',
            coalesce(casino.head(newest.sequence_no, newest.entry_hash), 'no transaction'),
            case
                when wallet.sequence_no is null then 'no wallet'
                when wallet.sequence_no = 0 and wallet.head_hash is null then 'no transaction'
                else wallet.sequence_no || ':' || coalesce(encode(wallet.head_hash, 'hex'), 'no hash')
            end
        ),
        ('wallet_keeps_its_currency', newest.currency, wallet.currency)
    ) as rule (name, expected, found)
    where rule.expected <> rule.found
    union all
    -- One walk along every chain. Each entry is held against the one that is stored before it: what is wrong is named, and
    -- not everything that comes after it.
    select rule.name, p_ledger_id, walked.wallet_id, walked.transaction_id, rule.expected, rule.found
    from (
        select
            entry.*, lag(sequence_no, 1, 0::bigint) over chain as sequence_before,
            lag(balance_after_minor, 1, 0::bigint) over chain as balance_before_minor,
            lag(entry_hash) over chain as hash_before,
            max(feed_position) over (chain rows between unbounded preceding and 1 preceding) as position_before
        from entry
        where sequence_no is not null
        window chain as (partition by wallet_id order by sequence_no, transaction_id)
    ) as walked
    cross join lateral (
        -- None for a formula that there is not.
        select case walked.entry_formula
            when 1 then casino.entry_hash(
                walked.hash_before, walked.ledger_id, walked.wallet_id, walked.sequence_no, walked.transaction_id,
                walked.kind, walked.session_id, walked.round_id, walked.amount_minor, walked.currency,
                walked.related_transaction_id, walked.balance_after_minor, walked.tombstone,
                walked.already_rolled_back
            )
            when 2 then casino.entry_hash_2(
                walked.hash_before, walked.ledger_id, walked.wallet_id, walked.sequence_no, walked.transaction_id,
                walked.kind, walked.session_id, walked.round_id, walked.amount_minor, walked.currency,
                walked.related_transaction_id, walked.balance_after_minor, walked.tombstone,
                walked.already_rolled_back,
                casino.entry_details(walked.recorded_at, walked.request_id, walked.signed_by, walked.provider_id)
            )
        end as entry_hash
    ) as due
    cross join lateral (
        values
        ('sequence_has_no_gap', (walked.sequence_before + 1)::text, walked.sequence_no::text),
        (
            'balance_after_follows_from_the_one_before',
            (walked.balance_before_minor + walked.delta_minor)::text, walked.balance_after_minor::text
        ),
        (
            'entry_hash_follows_from_the_one_before',
            coalesce(encode(due.entry_hash, 'hex'), 'a formula that is known'),
            coalesce(encode(walked.entry_hash, 'hex'), 'none')
        ),
        (
            'feed_positions_rise_along_the_chain',
            case when walked.feed_position <= walked.position_before then 'above ' || walked.position_before end,
            walked.feed_position::text
        )
    ) as rule (name, expected, found)
    where rule.expected <> rule.found and (
        walked.sequence_no <> walked.sequence_before + 1
        or walked.balance_after_minor <> walked.balance_before_minor + walked.delta_minor
        or due.entry_hash is null
        or walked.entry_hash is distinct from due.entry_hash
        or walked.feed_position <= walked.position_before
    )
    union all
    -- Refusals, too: they are no entries of the chain, and somebody asked for them.
    select 'wire_transaction_has_its_signer', p_ledger_id, wallet_id, transaction_id, 'a key''s id', 'none'
    from entry
    where entry_formula > 1 and is_fed and coalesce(signed_by, '') = ''
    union all
    -- The feed begins behind 0: what stands before that is shown to nobody, a refusal neither. What a provider did not ask
    -- for, its feed does not show.
    select 'wire_transaction_is_in_the_feed', p_ledger_id, wallet_id, transaction_id,
        case when is_fed then 'above 0' else 'none' end, coalesce(feed_position::text, 'none')
    from entry
    where is_fed and coalesce(feed_position, 0) <= 0 or not is_fed and feed_position is not null
    union all
    select 'entry_is_of_a_known_kind', p_ledger_id, wallet_id, transaction_id, 'a kind of casino.entry_kinds', kind
    from entry
    where entry_kind is null
    union all
    select 'posting_moves_what_its_transaction_says', p_ledger_id, wallet_id, transaction_id,
        coalesce(said.delta_minor || ' ' || said.currency, 'no transaction'),
        coalesce(moved.amount_minor || ' ' || moved.currency, 'no posting')
    from entry as said
    full join (
        select wallet_id, transaction_id, provider_id, currency, sum(amount_minor) as amount_minor
        from posting where account = 'wallet' group by 1, 2, 3, 4
    ) as moved using (wallet_id, transaction_id, provider_id)
    where coalesce(said.delta_minor, 0) <> coalesce(moved.amount_minor, 0) or said.currency <> moved.currency
    union all
    -- The other side, entry by entry, on the accounts that its kind may touch, taken together; on no other account.
    select 'house_posts_the_opposite_on_its_account', p_ledger_id, wallet_id, transaction_id,
        coalesce(- due.delta_minor || ' ' || due.currency, 'no posting') || ' on ' || accounts,
        coalesce(moved.amount_minor || ' ' || moved.currency, 'no posting') || ' on ' || accounts
    from entry as due
    full join (
        select
            posting.wallet_id, posting.transaction_id, posting.provider_id, posting.currency,
            sum(posting.amount_minor) as amount_minor,
            case when posting.account = any (kind.accounts) then array_to_string(kind.accounts, ', ')
                else posting.account end as accounts
        from posting
        left join casino.transactions as entry
            on entry.ledger_id = p_ledger_id and entry.wallet_id = posting.wallet_id
            and entry.transaction_id = posting.transaction_id and entry.provider_id = posting.provider_id
        left join casino.entry_kinds as kind on kind.entry_kind = entry.kind
        where posting.account <> 'wallet'
        group by 1, 2, 3, 4, 6
    ) as moved using (wallet_id, transaction_id, provider_id, accounts)
    where - coalesce(due.delta_minor, 0) <> coalesce(moved.amount_minor, 0) or due.currency <> moved.currency
    union all
    -- A bet and what was rolled back for it, seen as one group: the bet itself, and the rollbacks that name it.
    select 'rolled_back_bet_has_its_rollback', p_ledger_id, wallet_id, bet_id,
        case when state = 'rolled_back' then amount_minor else 0 end || ' returned',
        returned_minor || ' returned by ' || rollbacks
    from (
        select
            wallet_id, case kind when 'debit' then transaction_id else related_transaction_id end as bet_id, provider_id,
            max(state) filter (where kind = 'debit') as state,
            coalesce(sum(amount_minor) filter (where kind = 'debit'), 0) as amount_minor,
            coalesce(sum(amount_minor) filter (where kind = 'rollback'), 0) as returned_minor,
            count(*) filter (where kind = 'rollback' and amount_minor > 0) as rollbacks
        from entry
        where kind in ('debit', 'rollback')
        group by 1, 2, 3
    ) as bet
    where returned_minor <> case when state = 'rolled_back' then amount_minor else 0 end
        or rollbacks <> (coalesce(state, '') = 'rolled_back')::integer
    union all
    select 'round_counts_its_transactions', p_ledger_id, wallet_id, round_id,
        coalesce(booked.counts, '0 live debits, 0 credits, 0 staked, 0 paid'), coalesce(round.counts, 'no round')
    from (
        select
            wallet_id, round_id, provider_id,
            live_debits || ' live debits, ' || credits || ' credits, ' || staked_minor || ' staked, ' || paid_minor
            || ' paid' as counts
        from casino.rounds
        where ledger_id = p_ledger_id and wallet_id between p_first_wallet_id and p_last_wallet_id
    ) as round
    full join (
        select
            wallet_id, round_id, provider_id,
            count(*) filter (where kind = 'debit') || ' live debits, ' || count(*) filter (where kind = 'credit')
            || ' credits, ' || coalesce(sum(amount_minor) filter (where kind = 'debit'), 0) || ' staked, '
            || coalesce(sum(amount_minor) filter (where kind = 'credit'), 0) || ' paid' as counts
        from entry
        where state = 'committed' and kind in ('debit', 'credit')
        group by 1, 2, 3
    ) as booked using (wallet_id, round_id, provider_id)
    where coalesce(booked.counts, '0 live debits, 0 credits, 0 staked, 0 paid') <> coalesce(round.counts, 'no round')
    union all
    select 'tombstoned_bet_never_moved_money', p_ledger_id, wallet_id, transaction_id, 'no such debit', entry.state
    from entry
    join casino.tombstones as stone using (ledger_id, wallet_id, transaction_id, provider_id)
    where entry.kind = 'debit' and entry.state <> 'refused'
    union all
    select 'tombstone_stands_with_its_rollback', p_ledger_id, wallet_id, transaction_id,
        coalesce(entombed.rollback_id, 'no tombstone'), coalesce(stone.rollback_transaction_id, 'no tombstone')
    from (
        select wallet_id, transaction_id, provider_id, rollback_transaction_id
        from casino.tombstones
        where ledger_id = p_ledger_id and wallet_id between p_first_wallet_id and p_last_wallet_id
    ) as stone
    full join (
        select wallet_id, related_transaction_id as transaction_id, provider_id, transaction_id as rollback_id
        from entry
        where kind = 'rollback' and tombstone and not already_rolled_back
    ) as entombed using (wallet_id, transaction_id, provider_id)
    where entombed.rollback_id is distinct from stone.rollback_transaction_id
    union all
    select 'payout_has_a_live_bet', p_ledger_id, credit.wallet_id, credit.transaction_id, 'a debit of its round', 'none'
    from entry as credit
    where credit.kind = 'credit' and not exists (
        select 1 from entry as bet
        where bet.wallet_id = credit.wallet_id and bet.round_id = credit.round_id
            and bet.provider_id = credit.provider_id
            and bet.kind = 'debit' and bet.state = 'committed'
            and bet.transaction_id = coalesce(credit.related_transaction_id, bet.transaction_id)
    )
    union all
    -- Events have no index by wallet: `limit 1` keeps this a look-up for each entry, never a scan of all events for each page.
    select 'every_transaction_was_told', p_ledger_id, entry.wallet_id, entry.transaction_id, 'an event', 'none'
    from entry
    join wallet on wallet.wallet_id = entry.wallet_id
    left join lateral (
        select event.action_id from casino.ledger_events as event
        where event.ledger_id = p_ledger_id and event.at = entry.recorded_at and event.tenant_id = entry.tenant_id
            and not event.imported
            and event.event_type = case when entry.state = 'refused' then 'ERROR' else entry.event_type end
            and event.action_id = casino.action_id(
                entry.is_fed, entry.provider_id, wallet.player_id, entry.wallet_id, entry.kind, entry.transaction_id,
                entry.related_transaction_id
            )
        limit 1
    ) as told on true
    where entry.event_type is not null and not entry.already_rolled_back and told.action_id is null
        -- Older events were detached.
        and entry.recorded_at >= coalesce(
            (select events_since from casino.ledgers where ledger_id = p_ledger_id), '-infinity'
        );
end;
