-- The hash chain: what makes an edited, removed or inserted transaction of a wallet show.
alter table casino.wallets add column head_hash bytea not null default '\x0000000000000000000000000000000000000000000000000000000000000000';
alter table casino.transactions add column entry_hash bytea;
comment on column casino.wallets.head_hash is 'entry_hash of the wallet''s newest committed transaction; zeros before the first.';
