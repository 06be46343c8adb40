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
    sequence_no bigint not null,
    at timestamptz not null,
    counterparty text,
    actor_id text,
    reference text,
    primary key (ledger_id, wallet_id, transaction_id),
    constraint float_entry_has_wallet foreign key (ledger_id, wallet_id) references casino.wallets (ledger_id, wallet_id)
);
comment on table casino.float_entries is 'What a tenant''s statement says of an entry beside the entry itself.';
comment on column casino.float_entries.counterparty is 'A tenant''s or player''s id, or house_cash; null: a voucher.';
comment on column casino.float_entries.actor_id is 'Null: nobody, such as an expiry.';
create unique index if not exists float_entries_in_order on casino.float_entries (ledger_id, wallet_id, sequence_no);
create index if not exists float_entries_in_time on casino.float_entries (ledger_id, wallet_id, at);

-- step: vouchers
create table if not exists casino.vouchers (
    ledger_id integer not null references casino.ledgers (ledger_id),
    voucher_id text not null,
    tenant_id text not null,
    code_mac bytea not null,
    pin_mac bytea not null,
    amount_minor bigint not null,
    bonus_minor bigint not null,
    currency text not null,
    prize_wheel_enabled boolean not null,
    status text not null default 'NEW',
    issued_at timestamptz not null,
    issued_by text not null,
    shift_id uuid,
    expires_at timestamptz not null,
    ended_at timestamptz,
    ended_by text,
    ended_shift_id uuid,
    player_id text,
    primary key (ledger_id, voucher_id),
    constraint one_voucher_per_code unique (ledger_id, code_mac),
    constraint voucher_is_of_its_ledgers_tenant foreign key (ledger_id, tenant_id)
    references casino.tenants (ledger_id, tenant_id),
    constraint voucher_status_known check (status in ('NEW', 'USED', 'EXPIRED', 'VOID')),
    constraint voucher_amounts check (amount_minor > 0 and bonus_minor >= 0),
    constraint ended_voucher_has_instant check ((status = 'NEW') = (ended_at is null)),
    constraint used_voucher_has_player check ((status = 'USED') = (player_id is not null))
);
create index if not exists vouchers_newest on casino.vouchers (ledger_id, tenant_id, issued_at desc, voucher_id desc);
create index if not exists vouchers_to_expire on casino.vouchers (ledger_id, expires_at) where status = 'NEW';
create index if not exists vouchers_of_shift on casino.vouchers (ledger_id, shift_id) where shift_id is not null;
create index if not exists vouchers_ended_in_shift on casino.vouchers (ledger_id, ended_shift_id)
where ended_shift_id is not null;
comment on column casino.vouchers.code_mac is 'HMAC of the code under the pepper; pin_mac: of code and PIN.';
comment on column casino.vouchers.issued_by is 'The staff id.';
comment on column casino.vouchers.shift_id is 'The shift of issued_by in which it was issued. Null: none was open.';
comment on column casino.vouchers.ended_shift_id is 'The shift of issued_by in which it was redeemed or void. Null: none was open.';
comment on column casino.vouchers.ended_at is 'Redeemed, void or expired.';
comment on column casino.vouchers.ended_by is 'The staff id that made it void.';

-- step: slips of vouchers
-- Code and PIN for one print, encrypted under a token that only the issue answer has.
create table if not exists casino.voucher_slips (
    ledger_id integer not null,
    voucher_id text not null,
    tenant_id text not null,
    token_mac bytea not null,
    sealed bytea not null,
    ends_at timestamptz not null,
    primary key (ledger_id, voucher_id),
    constraint slip_is_of_voucher foreign key (ledger_id, voucher_id) references casino.vouchers (ledger_id, voucher_id)
);
create index if not exists voucher_slips_oldest on casino.voucher_slips (ledger_id, ends_at);

-- step: tries of codes
-- Counts the tries of addresses and the wrong PINs of codes, known or not, so that every refusal does the same work.
create table if not exists casino.redeem_tries (
    ledger_id integer not null references casino.ledgers (ledger_id),
    counted bytea not null,
    tried_at timestamptz[] not null default '{}',
    wrong_pins integer not null default 0,
    locked_until timestamptz,
    forget_at timestamptz not null,
    primary key (ledger_id, counted)
);
create index if not exists redeem_tries_oldest on casino.redeem_tries (ledger_id, forget_at);
comment on column casino.redeem_tries.counted is 'HMAC of a code under the pepper, or a network as text.';
comment on column casino.redeem_tries.tried_at is 'Of a network: its newest tries.';
