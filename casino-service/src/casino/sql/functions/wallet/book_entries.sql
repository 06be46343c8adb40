-- Purpose: book entries. The only place that inserts transactions, postings and their events, moves wallets and extends
--   hash chains. An entry moves one wallet by delta_minor and posts the opposite on the house accounts that it names.
-- Input: entries of wallets that the caller holds (casino.lock_wallets, casino.hold_wallets). Several of one wallet have the
--   turns 1, 2, …, and follow each other in its chain. wallet_row is where the caller read the wallet under its lock; only an entry
--   of turn 1 may have it.
-- Errors (check_violation), which leave nothing behind: an entry that its kind (casino.entry_kinds) does not allow, a house side
--   that is not the opposite, a wallet that is not there, money left on an account that has to clear.
-- One statement for each turn: a batch is read once. Wallets are written where they were read (ctid), as in casino.update_play.
create or replace function casino.book_entries(p_ledger_id integer, p_entries casino.entry [], p_now timestamptz)
returns casino.booked_entry []
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_material = off
as $$
#variable_conflict use_column
declare
    -- Drawn only now that the wallets are held: see casino.lock_wallets.
    v_transaction_number constant xid8 := pg_catalog.pg_current_xact_id();
    v_turn integer := 0;
    v_booked casino.booked_entry[];
    v_all casino.booked_entry[] := '{}';
    v_is_allowed boolean;
    v_is_fed boolean := true;
begin
    loop
        v_turn := v_turn + 1;
        -- The feed's offset is read by the statement that inserts: its table lock is taken before its snapshot, and
        -- casino.move_feed_ahead waits for that lock. Read any earlier, the offset might be an old one.
        with rule as materialized (select * from casino.entry_kinds),
        moved as (
            update casino.wallets as wallet
            set
                balance_minor = wallet.balance_minor + entry.delta_minor,
                sequence_no = wallet.sequence_no + 1,
                head_hash = casino.entry_hash_2(
                    wallet.head_hash, wallet.ledger_id, wallet.wallet_id, wallet.sequence_no + 1, entry.transaction_id,
                    entry.kind, entry.session_id, entry.round_id, abs(entry.delta_minor), entry.currency,
                    entry.related_transaction_id, wallet.balance_minor + entry.delta_minor, entry.tombstone,
                    entry.already_rolled_back, casino.entry_details(p_now, entry.request_id, entry.signed_by, entry.provider_id)
                )
            from unnest(p_entries) as entry
            join rule on rule.entry_kind = entry.kind
            where entry.turn = v_turn and wallet.ledger_id = p_ledger_id and wallet.wallet_id = entry.wallet_id
                and wallet.currency = entry.currency
                and wallet.ctid = coalesce(entry.wallet_row, casino.wallet_row(p_ledger_id, entry.wallet_id))
            returning
                entry.*, wallet.tenant_id, wallet.agent_id as wallet_agent_id, wallet.cashier_id as wallet_cashier_id,
                coalesce(entry.event_player_id, case wallet.owner_kind when 'player' then wallet.player_id end) as player_id,
                wallet.balance_minor, wallet.sequence_no, wallet.head_hash,
                rule.is_fed, rule.event_type, casino.is_allowed(
                    entry.delta_minor, entry.house_accounts, entry.house_minor, rule.direction, rule.accounts
                ) as is_allowed
        ),
        recorded as (
            insert into casino.transactions (
                ledger_id, wallet_id, transaction_id, tenant_id, provider_id, kind, session_id, round_id, amount_minor,
                currency, related_transaction_id, state, balance_after_minor, sequence_no, tombstone,
                already_rolled_back, reason, request_id, feed_position, recorded_at, entry_formula, entry_hash,
                answered_with_head, signed_by, clock_skew_seconds, received_at
            )
            select
                p_ledger_id, wallet_id, transaction_id, tenant_id, provider_id, kind, session_id, round_id, amount_minor,
                currency, related_transaction_id, 'committed', balance_minor, sequence_no, tombstone,
                already_rolled_back, reason, request_id,
                case when is_fed then casino.feed_position(
                    v_transaction_number, place, (select feed_offset from casino.ledgers where ledger_id = p_ledger_id)
                ) end,
                p_now, 2, head_hash, true, signed_by, clock_skew_seconds, received_at -- casino.entry_hash_2
            from moved
        ),
        posted as (
            insert into casino.postings (
                ledger_id, wallet_id, transaction_id, account, tenant_id, provider_id, amount_minor, currency
            )
            select * from (
                select
                    p_ledger_id, wallet_id, transaction_id, unnest('wallet'::text || house_accounts), tenant_id,
                    provider_id, unnest(delta_minor || house_minor) as amount_minor, currency
                from moved
            ) as side
            where amount_minor <> 0
        ),
        told as (
            insert into casino.ledger_events (
                ledger_id, at, tenant_id, event_type, action_id, player_id, session_id, round_id, game_key, provider_id,
                region, agent_id, cashier_id, amount_minor, currency
            )
            select
                p_ledger_id, p_now, tenant_id, event_type, casino.action_id(
                    is_fed, provider_id, player_id, wallet_id, kind, transaction_id, related_transaction_id
                ),
                player_id, session_id::text, round_id, game_code, case when session_id is not null then provider_id end,
                coalesce(region, (
                    select region_in_force from casino.tenants
                    where ledger_id = p_ledger_id and tenant_id = moved.tenant_id
                )),
                coalesce(agent_id, wallet_agent_id), coalesce(cashier_id, wallet_cashier_id), amount_minor, currency
            from moved
            where event_type is not null and not already_rolled_back
        )
        select
            array_agg((
                place, currency, tombstone, already_rolled_back, request_id, balance_minor, sequence_no, head_hash
            )::casino.booked_entry),
            bool_and(is_allowed is true), v_is_fed and bool_and(is_fed)
        into v_booked, v_is_allowed, v_is_fed
        from moved;

        if v_is_allowed is not true then -- null: no entry of this turn has a wallet and a kind
            raise exception 'an entry breaks the rules of its kind, or has no wallet' using errcode = 'check_violation';
        end if;
        v_all := v_all || v_booked;
        exit when cardinality(v_all) = cardinality(p_entries);
    end loop;

    if not v_is_fed then
        perform casino.check_cleared(p_entries);
    end if;
    return v_all;
end;
$$;
