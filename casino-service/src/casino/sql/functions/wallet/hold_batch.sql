-- Purpose: take what the wallet commands of a batch need before they are judged: their wallets, then their nonces.
-- Input: the commands (casino.read_wallet_commands), with nonce, signedAt (unix seconds) and claimId. A command without a nonce has
--   none to claim: the nonce store did it.
-- Outcome: o_wallet_ids, the wallets that are held; o_replays, the places, from 0, of the commands whose nonce another request
--   used; o_turns, the other commands in turns (casino.turns_of), which are the whole batch if no wallet has a second command.
-- A wallet that another transaction holds is left out, never waited for. The nonce of its command stays free until it is judged.
-- Lock order: casino.lock_wallets, then casino.take_nonces.
create or replace function casino.hold_batch(
    p_ledger_id integer, p_commands jsonb, out o_wallet_ids bigint[], out o_replays integer[], out o_turns jsonb[]
)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_material = off
as $$
declare
    -- For each command in order: the wallet of its session, its nonce, and what belongs to the nonce; or null.
    v_wallet_ids bigint[];
    v_is_in_turns boolean;
    v_nonces text[];
    v_timestamps bigint[];
    v_claim_ids bigint[];
    v_taken bigint[];
begin
    select
        array_agg(session.wallet_id order by command.place), array_agg(command.nonce order by command.place),
        array_agg(command.signed_at order by command.place), array_agg(command.claim_id order by command.place),
        count(session.wallet_id) > count(distinct session.wallet_id)
    into v_wallet_ids, v_nonces, v_timestamps, v_claim_ids, v_is_in_turns
    from rows from (
        jsonb_to_recordset(p_commands) as (
            "tokenHash" text, "playerId" text, "providerId" text, nonce text, "signedAt" bigint, "claimId" bigint
        )
    ) with ordinality as command (token_hash, player_id, provider_id, nonce, signed_at, claim_id, place)
    left join casino.game_sessions as session
        on session.ledger_id = p_ledger_id and session.token_hash = decode(command.token_hash, 'hex')
        and session.player_id = command.player_id and session.provider_id = coalesce(command.provider_id, 'main');

    -- A statement of its own: the next one's snapshot then sees what the wallets' last holders committed.
    o_wallet_ids := casino.lock_wallets(p_ledger_id, v_wallet_ids);

    if v_is_in_turns or cardinality(o_wallet_ids) < cardinality(v_wallet_ids) then
        select
            array_agg(case when wallet_id is null or wallet_id = any (o_wallet_ids) then nonce end order by place),
            array_agg(case when wallet_id = any (o_wallet_ids) then wallet_id end order by place)
        into v_nonces, v_wallet_ids
        from unnest(v_wallet_ids, v_nonces) with ordinality as command (wallet_id, nonce, place);
    end if;

    v_taken := casino.take_nonces(v_nonces, v_timestamps, v_claim_ids);
    o_replays := '{}';
    if cardinality(v_taken) < cardinality(array_remove(v_nonces, null)) then
        o_replays := array(
            select (place - 1)::integer
            from unnest(v_nonces, v_claim_ids) with ordinality as command (nonce, claim_id, place)
            where nonce is not null and claim_id <> all (v_taken)
        );
        v_is_in_turns := true;
    end if;

    if v_is_in_turns then
        o_turns := casino.turns_of(p_commands, v_wallet_ids, o_replays);
    else
        o_turns := array[p_commands];
    end if;
end;
$$;
