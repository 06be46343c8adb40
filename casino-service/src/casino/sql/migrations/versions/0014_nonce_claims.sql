-- Which claim a nonce belongs to: see casino.take_nonces. Null: claimed by a process of the release before.
alter table casino.nonces add column if not exists claim_id bigint;
