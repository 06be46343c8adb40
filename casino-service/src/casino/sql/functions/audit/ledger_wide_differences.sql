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
    -- Whose a wallet is stands in no entry of its chain. The sessions that played with it remember.
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
    where ledger_id = p_ledger_id and kind <> 'deposit'
    group by feed_position
    having count(*) > 1
    union all
    select 'event_tells_of_a_transaction', p_ledger_id, event.wallet_id, event.transaction_id,
        coalesce(told.event_type || ' ' || told.amount_minor || ' ' || told.currency, 'no transaction'),
        event.event_type || ' ' || event.amount_minor || ' ' || event.currency
    from (select * from casino.events where ledger_id = p_ledger_id) as event
    left join (
        select
            wallet_id, transaction_id, feed_position, amount_minor, currency,
            case when state = 'refused' then 'debit_refused' else kind end as event_type
        from casino.transactions
        where ledger_id = p_ledger_id
    ) as told using (wallet_id, transaction_id, feed_position)
    where (told.event_type, told.amount_minor, told.currency)
        is distinct from (event.event_type, event.amount_minor, event.currency);
end;
