-- Purpose: the rules that no page of wallets can tell, for one ledger: one row for everything that breaks one.
-- Without a `set` clause, so that it is inlined; `begin atomic`, so that its names were bound when it was made.
create or replace function casino.ledger_wide_differences(p_ledger_id integer)
returns table (
    o_rule text, o_ledger_id integer, o_wallet_id bigint, o_transaction_id text, o_expected text, o_found text
)
language sql stable
begin atomic
    select
        'postings_of_currency_sum_to_zero', p_ledger_id, null::bigint, null, '0 ' || currency,
        sum(amount_minor) || ' ' || currency
    from casino.postings
    where ledger_id = p_ledger_id
    group by currency
    having sum(amount_minor) <> 0
    union all
    -- Money between two wallets: both entries have one id.
    select
        'money_in_transit_arrives', p_ledger_id, min(posting.wallet_id), posting.transaction_id, '0 ' || currency,
        sum(amount_minor) || ' ' || currency
    from casino.postings as posting
    join casino.accounts as account on account.account = posting.account and account.clears
    where ledger_id = p_ledger_id
    group by posting.transaction_id, posting.account, currency
    having sum(amount_minor) <> 0
    union all
    select 'session_counts_its_open_bets', p_ledger_id, session.wallet_id, null,
        coalesce(open_rounds.live_debits, 0) || ' in session ' || session_id,
        coalesce(session.open_bets::text, 'none') || ' in session ' || session_id
    from (select * from casino.game_sessions where ledger_id = p_ledger_id) as session
    full join (
        select session_id, sum(live_debits) as live_debits
        from casino.rounds
        where ledger_id = p_ledger_id and credits = 0
        group by session_id
    ) as open_rounds using (session_id)
    where session.open_bets is distinct from coalesce(open_rounds.live_debits, 0)
    union all
    -- The hash chain does not cover the wallet's owner. The sessions of the wallet record the player.
    select
        'session_belongs_to_its_wallets_player', p_ledger_id, wallet_id, null,
        session.player_id || ' in session ' || session.session_id, wallet.player_id || ' in the wallet'
    from casino.game_sessions as session
    join casino.wallets as wallet using (ledger_id, wallet_id)
    where ledger_id = p_ledger_id and session.player_id <> wallet.player_id
    union all
    -- Two at one position: a page of the feed may end between them, and the next one begins behind both.
    select 'feed_position_is_taken_once', p_ledger_id, null, min(transaction_id), 'one transaction at ' || feed_position,
        string_agg(transaction_id, ', ' order by transaction_id)
    from casino.transactions
    where ledger_id = p_ledger_id and feed_position is not null
    group by feed_position
    having count(*) > 1
    union all
    -- Imported events tell of no transaction of this ledger, and events without money of none at all. An error tells of one if it is a
    -- refusal that the ledger remembers.
    select
        'event_tells_of_a_transaction', p_ledger_id, coalesce(told.wallet_id, named.wallet_id),
        coalesce(told.transaction_id, substr(event.action_id, length(event.provider_id || event.player_id) + 3)),
        coalesce(told.amount_minor || ' ' || told.currency, 'no transaction'),
        event.amount_minor || ' ' || event.currency
    from (
        select * from casino.ledger_events
        where ledger_id = p_ledger_id and not imported
            and (
                event_type = 'ERROR' and casino.is_remembered(code)
                or event_type in (select kind.event_type from casino.entry_kinds as kind)
            )
    ) as event
    left join (
        select
            entry.wallet_id, entry.transaction_id, entry.recorded_at, entry.amount_minor, entry.currency,
            case when entry.state = 'refused' then 'ERROR' else kind.event_type end as event_type,
            casino.action_id(
                kind.is_fed, entry.provider_id, wallet.player_id, entry.wallet_id, entry.kind, entry.transaction_id,
                entry.related_transaction_id
            ) as action_id
        from casino.transactions as entry
        join casino.entry_kinds as kind on kind.entry_kind = entry.kind
        join casino.wallets as wallet on wallet.ledger_id = entry.ledger_id and wallet.wallet_id = entry.wallet_id
        where entry.ledger_id = p_ledger_id and not entry.already_rolled_back
    ) as told on told.recorded_at = event.at and told.event_type = event.event_type and told.action_id = event.action_id
    left join casino.wallets as named
        on named.ledger_id = p_ledger_id and named.tenant_id = event.tenant_id and named.player_id = event.player_id
    where (told.amount_minor, told.currency) is distinct from (event.amount_minor, event.currency)
    union all
    select * from casino.differences_of_bonuses(p_ledger_id)
    union all
    select * from casino.differences_of_vouchers(p_ledger_id);
end;
