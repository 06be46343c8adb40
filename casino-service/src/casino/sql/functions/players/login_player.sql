-- Purpose: judge a player's login by code and PIN (their HMACs), count it as a login of staff is counted, write it into the audit
--   trail, and begin or continue the play session.
-- Input: p_name is the login code as it is counted: the same for each spelling.
-- Outcome: o_code null, RATE_LIMITED, LOCKED (with o_locked_until), both with o_wait_seconds, INVALID_PLAYER_CREDENTIALS; the caller
--   commits in each case. o_issued_at is the token's time in unix seconds: later than any revocation.
-- Lock order: casino.hold_login, the wallet of a login with the right PIN, the player, the play session, at last the audit trail.
create or replace function casino.login_player(
    p_ledger_id integer, p_name text, p_login_code_mac bytea, p_pin_mac bytea, p_request_id text, p_address inet
)
returns table (
    o_code text, o_locked_until timestamptz, o_wait_seconds integer, o_player_id text, o_tenant_id text,
    o_bonus_ack_required boolean, o_issued_at bigint
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_player casino.players;
begin
    select held.o_wait_seconds, held.o_locked_until into o_wait_seconds, o_locked_until
    from casino.hold_login(p_ledger_id, 'player', p_name, p_address) as held;
    if o_wait_seconds = 0 and o_locked_until is null then
        perform casino.hold_wallets(p_ledger_id, array(
            select wallet_id from casino.players
            where ledger_id = p_ledger_id and login_code_mac = p_login_code_mac and pin_mac = p_pin_mac
        ));
    end if;
    select * into v_player
    from casino.players
    where ledger_id = p_ledger_id and login_code_mac = p_login_code_mac
    for no key update;
    o_code := case
        when o_wait_seconds > 0 then 'RATE_LIMITED'
        when o_locked_until is not null then 'LOCKED'
        when v_player.pin_mac is distinct from p_pin_mac or v_player.status = 'CLOSED' then 'INVALID_PLAYER_CREDENTIALS'
    end;
    if o_code = 'LOCKED' then
        o_wait_seconds := greatest(ceil(extract(epoch from o_locked_until - casino.clock())), 1);
    end if;
    if o_code in ('LOCKED', 'INVALID_PLAYER_CREDENTIALS') then
        perform casino.count_refusal(p_ledger_id, 'player', p_name, p_address);
    elsif o_code is null then
        o_player_id := v_player.player_id;
        o_tenant_id := v_player.tenant_id;
        perform casino.forgive_name(p_ledger_id, 'player', p_name);
        perform casino.tell_login(p_ledger_id, o_player_id, casino.begin_play_session(p_ledger_id, o_player_id));
        select bonus_ack_required into o_bonus_ack_required
        from casino.wallets
        where ledger_id = p_ledger_id and wallet_id = v_player.wallet_id;
        select floor(extract(epoch from greatest(casino.clock(), max(issued_until) + interval '1 second')))
        into o_issued_at
        from casino.access_token_revocations
        where tenant_id = o_tenant_id and player_id = o_player_id;
    end if;
    perform casino.note_audit(
        p_ledger_id, v_player.tenant_id, case when v_player.player_id is null then 'anyone' else 'player' end,
        v_player.player_id, null, 'player.login', v_player.player_id, case when o_code is null then 'DONE' else 'REFUSED' end,
        null, case when o_code is not null then jsonb_build_object('code', o_code) end, p_request_id, p_address
    );
    return next;
end;
$$;
