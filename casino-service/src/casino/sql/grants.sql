-- The application's role reads the rows of its tenant (casino.see_tenant), and calls the functions that decide. It cannot write
-- a row of any table. casino_ledger runs the functions that look at a whole ledger, and has the rights that these need.
revoke all on all tables in schema casino from casino_app, casino_ledger, casino_oversight;
revoke execute on all functions in schema casino from public, casino_app, casino_ledger, casino_oversight;
grant usage on schema casino to casino_app, casino_ledger, casino_oversight;
grant select on all tables in schema casino to casino_app, casino_ledger, casino_oversight;
revoke select on casino.nonces, casino.nonces_0, casino.nonces_1, casino.nonces_2 from casino_app, casino_oversight;
revoke select on casino.kept_answers from casino_app, casino_oversight;

grant insert on
    casino.game_sessions, casino.rounds, casino.transactions, casino.tombstones, casino.postings, casino.ledger_events,
    casino.attempts, casino.rate_buckets, casino.access_token_fingerprints, casino.nonces, casino.games,
    casino.audit_trail, casino.kept_answers
to casino_ledger;
grant update on
    casino.wallets, casino.game_sessions, casino.rounds, casino.transactions, casino.attempts, casino.rate_buckets,
    casino.access_token_fingerprints, casino.nonces, casino.games, casino.kept_answers
to casino_ledger;
grant update (refusals) on casino.audit_trail to casino_ledger;
grant insert, update on casino.bonuses to casino_ledger;
grant insert, delete on casino.stops to casino_ledger;
grant update (region_in_force, has_stops) on casino.tenants to casino_ledger;
grant delete on casino.rate_buckets, casino.access_token_fingerprints, casino.kept_answers to casino_ledger;
grant truncate on casino.nonces_0, casino.nonces_1, casino.nonces_2 to casino_ledger;
grant execute on all functions in schema casino to casino_ledger;

-- Every `security definer` function belongs to casino_ledger, which needs the right to create for that moment. But one belongs to
-- the schema's owner: only that may attach a partition.
grant create on schema casino to casino_ledger;
do $$
declare
    v_function regprocedure;
begin
    for v_function in
        select oid from pg_proc where pronamespace = 'casino'::regnamespace and prosecdef and proname <> 'make_event_months' order by oid
    loop
        execute format('alter function %s owner to casino_ledger', v_function);
    end loop;
end;
$$;
revoke create on schema casino from casino_ledger;

grant execute on function
    casino.clock(),
    casino.entry_hash(
        bytea, integer, bigint, bigint, text, text, uuid, text, bigint, text, text, bigint, boolean, boolean
    ),
    casino.entry_details(timestamptz, text, text, text),
    casino.entry_hash_2(
        bytea, integer, bigint, bigint, text, text, uuid, text, bigint, text, text, bigint, boolean, boolean, json
    ),
    casino.head(bigint, bytea),
    casino.action_id(boolean, text, text, bigint, text, text, text),
    casino.is_remembered(text),
    casino.wallet_differences(integer, bigint, bigint),
    casino.ledger_wide_differences(integer),
    casino.differences_of_bonuses(integer),
    casino.differences_of_vouchers(integer),
    casino.feed_position(xid8, integer, bigint),
    casino.feed_horizon(integer),
    casino.restore_unfinished(integer),
    casino.execute_wallet_commands(integer, jsonb),
    casino.read_balances(integer, jsonb),
    casino.get_balances(integer, jsonb),
    casino.open_session(integer, text, text, text, uuid, bytea, text, inet, text []),
    casino.open_session(integer, text, text, text, uuid, bytea, text, inet),
    casino.provider_of_session(integer, uuid),
    casino.take_games(text, jsonb),
    casino.bind_provider_session(integer, uuid, text, bytea),
    casino.close_session(integer, uuid),
    casino.close_expired_sessions(integer, timestamptz, uuid, integer),
    casino.enter_session(integer, text, text, text, bytea, bytea),
    casino.check_access_token(text, bytea, bytea, timestamptz),
    casino.take_client_token(integer, text, text, integer, integer),
    casino.count_client_call(integer, text, integer, integer, timestamptz),
    casino.prune_client_limits(integer),
    casino.take_nonces(text [], bigint [], bigint []),
    casino.claim_nonces(text [], bigint []),
    casino.empty_old_nonce_drawer(),
    casino.feed_page(integer, text, bigint, integer),
    casino.find_transaction(integer, text, text, text),
    casino.find_tombstone(integer, text, text, text),
    casino.count_unsigned(integer),
    casino.see_tenant(integer, text),
    casino.is_known(text, integer)
to casino_app;

-- Players, their play sessions, limits and exclusions, approvals and shifts.
revoke select on casino.players from casino_app, casino_oversight;
grant select (
    ledger_id, player_id, tenant_id, wallet_id, status, is_ephemeral, voucher_id, agent_id, cashier_id, created_at, closed_at,
    erased_at
) on casino.players to casino_app, casino_oversight;
grant insert on
    casino.wallets, casino.players, casino.play_sessions, casino.approvals, casino.player_payments, casino.shifts,
    casino.player_limits, casino.player_exclusions, casino.access_token_revocations
to casino_ledger;
grant update on
    casino.players, casino.play_sessions, casino.approvals, casino.shifts, casino.player_limits,
    casino.access_token_revocations
to casino_ledger;
grant insert, update on casino.limit_counters to casino_ledger;
grant execute on function
    casino.set_session_limit(integer, text, uuid, bigint),
    casino.player_status(text, timestamptz, timestamptz),
    casino.play_session_life(),
    casino.play_session_end(casino.play_sessions),
    casino.running_play_session(integer, text),
    casino.limit_status(casino.player_limits),
    casino.play_session_net(casino.play_sessions),
    casino.enter_player(integer, text, bigint),
    casino.games_of_player(integer, text),
    casino.messages_of_player(integer, text),
    casino.login_player(integer, text, bytea, bytea, text, inet),
    casino.logout_player(integer, text),
    casino.end_play_sessions(integer, timestamptz, uuid, integer),
    casino.ack_reality_check(integer, text),
    casino.set_limit(integer, text, text, text, bigint, boolean, text, text, text),
    casino.confirm_limit(integer, text, uuid),
    casino.exclude_player(integer, text, text, text, text, text),
    casino.freeze_player(integer, text, boolean),
    casino.close_player(integer, text, text, text),
    casino.erase_player(integer, text),
    casino.forfeit_player_bonus(integer, text, text, text),
    casino.pay_player(integer, text, text, bigint, text, text, text),
    casino.decide_approval(integer, text, boolean, text, text),
    casino.open_shift(integer, text, bigint),
    casino.close_shift(integer, text, bigint)
to casino_app, casino_oversight;

-- The operator's platform: these functions ask casino.sees whose rows they may touch.
grant execute on function
    casino.sees(integer, text),
    casino.has_oversight(),
    casino.note_audit(
        integer, text, text, text, text, text, text, text, jsonb, jsonb, text, inet, integer
    ),
    casino.take_kept_answer(integer, text, bytea, bytea),
    casino.keep_answer(integer, text, bytea, integer, bytea, bytea),
    casino.forget_kept_answers(integer, integer),
    casino.make_stop(integer, text, text, text, text, text),
    casino.lift_stop(integer, uuid),
    casino.acknowledge_bonus(integer, text),
    casino.clock()
to casino_app, casino_oversight;

-- Spins, and the games of providers.
grant insert, update on casino.provider_games to casino_ledger;
grant update (takes_games_of_main) on casino.tenants to casino_ledger;
grant execute on function
    casino.note_provider_games(integer, text, jsonb)
to casino_app;
grant insert, update on casino.spins, casino.spin_sessions to casino_ledger;
grant execute on function
    casino.begin_spin(integer, text, text, bigint, text, uuid, bytea, inet, text []),
    casino.end_spin(integer, text, text, text, bigint, bigint, json),
    casino.refuse_spin(integer, text, text, text, text),
    casino.repeat_spin(integer, text, text, uuid, integer, boolean)
to casino_app, casino_oversight;

-- Staff. Nobody reads their secrets but the functions that compare them.
revoke select on casino.staff_secrets, casino.staff_families, casino.login_refusals from casino_app, casino_oversight;
grant insert, update on
    casino.staff, casino.staff_secrets, casino.staff_families, casino.api_keys, casino.login_refusals
to casino_ledger;
grant insert, delete on casino.otp_roles to casino_ledger;
grant delete on casino.staff_families, casino.login_refusals to casino_ledger;
grant execute on function
    casino.enter_staff(integer, text, text),
    casino.enter_api_key(integer, bytea),
    casino.begin_login(integer, text, inet),
    casino.judge_staff(integer, text, text, text, text, boolean, bigint, bytea, text, inet),
    casino.refresh_login(integer, text, integer, text, inet),
    casino.log_out(integer, text, text),
    casino.change_password(integer, text, text, text, text),
    casino.change_otp(integer, text, text, bytea, bytea []),
    casino.set_otp_roles(integer, text []),
    casino.create_staff(integer, text, text, text, text, text),
    casino.change_staff(integer, text, text, text, boolean, text),
    casino.make_api_key(integer, text, text, text, bytea, text [], timestamptz),
    casino.delete_api_key(integer, text),
    casino.forget_logins(integer, integer)
to casino_app, casino_oversight;

-- Tenants, their floats, and vouchers.
revoke select on casino.vouchers, casino.voucher_slips, casino.redeem_tries from casino_app, casino_oversight;
grant select (
    ledger_id, voucher_id, tenant_id, amount_minor, bonus_minor, currency, prize_wheel_enabled, status, issued_at, issued_by,
    expires_at, ended_at, ended_by, player_id
) on casino.vouchers to casino_app, casino_oversight;
grant select (ledger_id, voucher_id, tenant_id, ends_at) on casino.voucher_slips to casino_app, casino_oversight;
grant insert on casino.tenants, casino.float_entries, casino.vouchers, casino.voucher_slips, casino.redeem_tries to casino_ledger;
grant update on casino.tenants, casino.vouchers, casino.voucher_slips, casino.redeem_tries to casino_ledger;
grant delete on casino.voucher_slips, casino.redeem_tries to casino_ledger;
grant execute on function
    casino.create_tenant(integer, text, text, text, text, text),
    casino.change_tenant(integer, text, jsonb),
    casino.fund_tenant(integer, text, boolean, bigint, text, text, text, text),
    casino.issue_vouchers(
        integer, text, bigint, timestamptz, boolean, text, text, text [], bytea [], bytea [], bytea [], bytea []
    ),
    casino.take_slip(integer, text, bytea),
    casino.void_voucher(integer, text, text, text)
to casino_app, casino_oversight;
grant execute on function
    casino.expire_vouchers(integer, integer),
    casino.try_voucher(integer, bytea, bytea, inet),
    casino.redeem_voucher(integer, bytea, bytea, text, bytea, bytea, text)
to casino_app;

-- Webhooks: what is told, and to whom.
grant insert, update on casino.webhooks, casino.webhook_deliveries to casino_ledger;
grant insert, update, delete on casino.webhook_events to casino_ledger;
grant delete on casino.webhooks to casino_ledger;
grant execute on function
    casino.make_webhook(integer, text, text, text [], text),
    casino.end_webhook(integer, uuid),
    casino.wire_instant(timestamptz),
    casino.replay_delivery(integer, uuid, bigint)
to casino_app, casino_oversight;
grant execute on function
    casino.claim_deliveries(integer, uuid [], integer [], integer, jsonb, integer),
    casino.ended_webhooks(integer, uuid []),
    casino.finish_delivery(integer, bigint, integer, boolean, integer, text, text, integer, integer),
    casino.overdue_deliveries(integer, integer),
    casino.forget_webhook_events(integer, integer)
to casino_app;

-- Player safety.
grant insert, update (shown_at) on casino.safety_actions to casino_ledger;
grant usage on sequence casino.round_openings to casino_ledger;
grant execute on function
    casino.ask_safety(integer, text, uuid)
to casino_app, casino_oversight;

-- Events: a partition is reached through its table alone.
do $$
declare
    v_partition regclass;
begin
    for v_partition in select o_partition from casino.event_months() loop
        execute format('revoke all on %s from casino_app, casino_ledger, casino_oversight', v_partition);
    end loop;
end;
$$;
revoke select on casino.import_lines from casino_app, casino_ledger, casino_oversight;
grant insert on casino.game_configs to casino_ledger;
grant insert, update on casino.session_snapshots, casino.session_folds to casino_ledger;
grant execute on function
    casino.make_event_months(integer),
    casino.event_months(),
    casino.event_months_missing(integer),
    casino.tell_errors(integer, text, timestamptz, jsonb),
    casino.fold_sessions(integer)
to casino_app;
