-- The application's role reads, and calls the functions that decide: it cannot write a row of any table.
revoke all on all tables in schema casino from casino_app;
revoke execute on all functions in schema casino from public, casino_app;
grant usage on schema casino to casino_app;
grant select on all tables in schema casino to casino_app;
revoke select on casino.nonces, casino.nonces_0, casino.nonces_1, casino.nonces_2 from casino_app;
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
    casino.wallet_differences(integer, bigint, bigint),
    casino.ledger_wide_differences(integer),
    casino.feed_position(xid8, integer, bigint),
    casino.feed_horizon(integer),
    casino.newest_feed_position(integer),
    casino.restore_unfinished(integer),
    casino.execute_wallet_commands(integer, jsonb),
    casino.read_balances(integer, jsonb),
    casino.get_balances(integer, jsonb),
    casino.open_session(integer, text, text, text, uuid, bytea, text, inet),
    casino.bind_provider_session(integer, uuid, text, bytea),
    casino.close_session(integer, uuid),
    casino.close_expired_sessions(integer, timestamptz, uuid, integer),
    casino.enter_session(integer, text, text, text, bytea, bytea),
    casino.check_access_token(text, bytea, bytea, timestamptz),
    casino.take_client_token(integer, text, text, integer, integer),
    casino.prune_client_limits(integer),
    casino.take_nonces(text [], bigint [], bigint []),
    casino.claim_nonces(text [], bigint []),
    casino.empty_old_nonce_drawer()
to casino_app;
