-- Purpose: the newest feed position of a ledger, of any provider; null while there is none. One look at the end of the index
--   transactions_feed_of_provider for each provider that has transactions, found one after the other.
create or replace function casino.newest_feed_position(p_ledger_id integer)
returns bigint
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with recursive provider (provider_id) as (
        (
            select provider_id from casino.transactions
            where ledger_id = p_ledger_id
            order by ledger_id, provider_id
            limit 1
        )
        union all
        select (
            select entry.provider_id from casino.transactions as entry
            where entry.ledger_id = p_ledger_id and entry.provider_id > provider.provider_id
            order by entry.ledger_id, entry.provider_id
            limit 1
        )
        from provider
        where provider.provider_id is not null
    )
    select max(newest.feed_position)
    from provider
    cross join lateral (
        select entry.feed_position from casino.transactions as entry
        where entry.ledger_id = p_ledger_id and entry.provider_id = provider.provider_id
            and entry.feed_position is not null
        order by entry.feed_position desc
        limit 1
    ) as newest;
$$;
