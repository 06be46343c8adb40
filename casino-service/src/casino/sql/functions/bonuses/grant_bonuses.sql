-- Purpose: grant pending bonuses after wallet commands that may have ended their rounds (judgement.may_grant) were booked: the
--   whole bonus, by an entry of the player's wallet from bonus_liability, in the same transaction. A player with an open bet keeps
--   the bonus. From then on the player's bets are refused, until casino.acknowledge_bonus.
-- Outcome: p_booked, the commands' own entries, in which a command that ended its round has the balance after the grant.
-- Lock order: under the wallets' locks, which the caller holds.
create or replace function casino.grant_bonuses(
    p_ledger_id integer, p_judged casino.judgement [], p_booked casino.booked_entry [], p_now timestamptz
)
returns casino.booked_entry []
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_material = off
as $$
declare
    v_entries casino.entry[];
    v_granted casino.booked_entry[];
    v_answers casino.booked_entry[];
begin
    with granted as (
        update casino.bonuses as bonus
        set
            state = 'GRANTED', decided_at = p_now, transaction_id = judged.transaction_id, round_id = judged.round_id,
            provider_id = judged.provider_id, request_id = judged.request_id
        from unnest(p_judged) as judged
        where judged.may_grant and bonus.ledger_id = p_ledger_id and bonus.wallet_id = judged.wallet_id
            and bonus.state = 'PENDING' and not exists (
                select from casino.game_sessions as session
                where session.ledger_id = p_ledger_id and session.wallet_id = judged.wallet_id and session.open_bets > 0
            )
        returning bonus.bonus_id, bonus.amount_minor as bonus_minor, judged.*
    )
    select array_agg((
        place, 1, wallet_id, null, 'bonus_grant', '§bonus:' || bonus_id, provider_id, session_id, round_id, game_code,
        bonus_minor, bonus_minor, currency, transaction_id, array['bonus_liability'], array[- bonus_minor], false, false, null,
        request_id, null, null, null, null, null, null, null
    )::casino.entry)
    into v_entries
    from granted;

    if v_entries is null then
        return p_booked;
    end if;
    update casino.wallets as wallet
    set pending_bonus_minor = 0, bonus_ack_required = true
    from unnest(v_entries) as entry
    where wallet.ledger_id = p_ledger_id and wallet.wallet_id = entry.wallet_id;

    v_granted := casino.book_entries(p_ledger_id, v_entries, p_now);
    select array_agg((
        own.place, own.currency, own.tombstone, own.already_rolled_back, own.request_id,
        coalesce(bonus.balance_after_minor, own.balance_after_minor), own.sequence_no, own.entry_hash
    )::casino.booked_entry)
    into v_answers
    from unnest(p_booked) as own
    left join unnest(v_granted) as bonus on bonus.place = own.place;
    return v_answers;
end;
$$;
