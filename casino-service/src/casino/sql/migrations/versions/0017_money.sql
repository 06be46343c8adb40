-- Floats of tenants, and vouchers.
-- Each step is a transaction of its own and holds at most one table that bets use. Every step may be run twice.

-- step: accounts and kinds of entries
insert into casino.accounts (account, meaning) values
('voucher_liability', 'vouchers that were paid for and not redeemed'),
('bonus_liability', 'bonuses that were promised and not granted'),
('jackpot_pool', 'contributions to jackpots that were not won'),
('jackpot_seed', 'what tenants put into jackpots that were not won')
on conflict do nothing;
insert into casino.entry_kinds (entry_kind, direction, accounts, event_type) values
-- An owner and the float of a tenant at the top.
('float_in', 1, '{house_cash}', null),
('float_out', -1, '{house_cash}', null),
-- The floats of a parent and a tenant.
('fund_out', -1, '{in_transit}', null),
('fund_in', 1, '{in_transit}', null),
('return_out', -1, '{in_transit}', null),
('return_in', 1, '{in_transit}', null),
-- The float of an agent and a player.
('deposit_out', -1, '{in_transit}', null),
('deposit_in', 1, '{in_transit}', 'DEPOSIT'),
('withdraw_out', -1, '{in_transit}', 'WITHDRAW'),
('withdraw_in', 1, '{in_transit}', null),
('cashout_out', -1, '{in_transit}', 'CASHOUT'),
('cashout_in', 1, '{in_transit}', null),
-- Vouchers: the agent's float, but for voucher_redeem and bonus_grant, which are the player's.
('voucher_issue', -1, '{voucher_liability,bonus_liability}', 'VOUCHER_ISSUED'),
('voucher_redeem', 1, '{voucher_liability}', 'VOUCHER_REDEEMED'),
('voucher_void', 1, '{voucher_liability,bonus_liability}', 'VOUCHER_VOIDED'),
('voucher_expire', 1, '{voucher_liability,bonus_liability}', 'VOUCHER_EXPIRED'),
('bonus_grant', 1, '{bonus_liability}', 'BONUS_GRANTED'),
('bonus_forfeit', 1, '{bonus_liability}', 'BONUS_FORFEITED'),
-- Jackpots: a tenant's float and the seed; a player's prize. A contribution is a part of a debit.
('jackpot_seed_out', -1, '{jackpot_seed}', null),
('jackpot_seed_in', 1, '{jackpot_seed}', null),
('jackpot_win', 1, '{jackpot_pool,jackpot_seed}', 'JACKPOT_WON')
on conflict do nothing;

-- step: entries of floats
create table if not exists casino.float_entries (
    ledger_id integer not null,
    wallet_id bigint not null,
    transaction_id text not null,
    tenant_id text not null,
    counterparty text,
    actor_id text,
    reference text,
    primary key (ledger_id, wallet_id, transaction_id),
    constraint float_entry_has_wallet foreign key (ledger_id, wallet_id) references casino.wallets (ledger_id, wallet_id)
);
comment on table casino.float_entries is 'What a tenant''s statement says of an entry beside the entry itself.';
comment on column casino.float_entries.counterparty is 'A tenant''s or player''s id, or house_cash; null: a voucher.';
comment on column casino.float_entries.actor_id is 'Null: nobody, such as an expiry.';
