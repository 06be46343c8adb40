-- Purpose: begin a player's spin under its id, or find the one that began: whoever asks again, in whatever process and after whatever
--   crash, asks the provider for the same spin.
-- Input: p_session_id, p_token_hash: of the session that is opened if the player has none for the game.
-- Outcomes, by o_state:
--   ASKED    the provider is to be asked for o_wire_spin_id in this session, which it has joined if o_provider_session_id is there;
--   PLAYED   the spin's row is its answer;
--   REFUSED  o_code, a code of the platform, or of casino.open_session. With 402 or 403 it is kept, and the answer for ever;
--            but not of a spin that was asked for in a session that was lost: it may have been played, and is asked for again later.
-- Locks: one spin of a player begins at a time.
create or replace function casino.begin_spin(
    p_ledger_id integer, p_player_id text, p_spin_id text, p_stake_minor bigint, p_game text, p_session_id uuid,
    p_token_hash bytea, p_client_address inet, p_live_providers text[]
)
returns table (
    o_state text, o_code text, o_sentence text, o_attempt integer, o_wire_spin_id text, o_provider_id text,
    o_session_id uuid, o_provider_session_id text, o_game_code text, o_currency text
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    c_kept constant text[] := '{TENANT_NOT_ACTIVE, PLAYER_NOT_ACTIVE, COOLDOWN_ACTIVE, BONUS_ACK_REQUIRED}';
    v_now constant timestamptz := casino.clock();
    v_wallet casino.wallets;
    v_game casino.games;
    v_spin casino.spins;
begin
    perform pg_advisory_xact_lock(hashtextextended('casino.begin_spin of ' || p_ledger_id || ' ' || p_player_id, 0));
    select * into v_wallet
    from casino.wallets
    where ledger_id = p_ledger_id and player_id = p_player_id and owner_kind = 'player'
        and casino.sees(p_ledger_id, tenant_id);
    select * into v_spin
    from casino.spins
    where ledger_id = p_ledger_id and player_id = v_wallet.player_id and spin_id = p_spin_id;
    if v_spin.stake_minor <> p_stake_minor or p_game not in (v_spin.game_id, v_spin.game_code) then
        return query select 'REFUSED', 'IDEMPOTENCY_MISMATCH', null, 0, null, null, null::uuid, null, null, null;
        return;
    end if;

    if v_spin.spin_id is null or (v_spin.state = 'ASKED' and v_spin.session_id is null) then
        v_game := casino.find_game(p_ledger_id, v_wallet.tenant_id, coalesce(v_spin.game_id, p_game));
        select refusal.o_code, refusal.o_sentence into v_spin.code, v_spin.sentence
        from casino.spin_refusal(p_ledger_id, v_wallet, v_game, p_stake_minor, p_live_providers) as refusal;
        if v_spin.code is null then
            select joined.o_code, joined.o_session_id into v_spin.code, v_spin.session_id
            from casino.join_spin_session(
                p_ledger_id, v_wallet, v_game, p_session_id, p_token_hash, p_client_address, p_live_providers
            ) as joined;
        end if;
        v_spin.state := case when v_spin.code is null then 'ASKED' else 'REFUSED' end;
        if v_spin.code is null or (v_spin.code = any (c_kept) and v_spin.may_be_played is not true) then
            insert into casino.spins as spin (
                ledger_id, tenant_id, player_id, spin_id, wallet_id, stake_minor, game_id, game_code, provider_id, session_id,
                state, code, sentence, begun_at, ended_at
            )
            values (
                p_ledger_id, v_wallet.tenant_id, p_player_id, p_spin_id, v_wallet.wallet_id, p_stake_minor, v_game.game_id,
                v_game.game_code, v_game.provider_id, v_spin.session_id, v_spin.state, v_spin.code, v_spin.sentence, v_now,
                case when v_spin.code is not null then v_now end
            )
            on conflict (ledger_id, player_id, spin_id) do update
            set
                provider_id = excluded.provider_id, session_id = excluded.session_id, state = excluded.state,
                code = excluded.code, sentence = excluded.sentence, ended_at = excluded.ended_at
            returning spin.* into v_spin;
            if v_spin.state = 'REFUSED' then
                perform casino.tell_refused_spin(p_ledger_id, v_wallet, v_game, v_spin);
            end if;
        end if;
    end if;
    return query
    select
        v_spin.state, v_spin.code, v_spin.sentence, v_spin.attempt, casino.wire_spin_id(p_spin_id, v_spin.attempt),
        v_spin.provider_id, v_spin.session_id, (
            select provider_session_id from casino.game_sessions
            where ledger_id = p_ledger_id and session_id = v_spin.session_id
        ), v_spin.game_code, v_wallet.currency;
end;
$$;
