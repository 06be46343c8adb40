-- Who signed, when and under which request: evidence that the hash chain covers from now on, and that must be there.
-- Nothing is rewritten and no row is read: bets wait for moments.

-- "if not exists", and a constraint that is dropped first: the revision is begun again if its index was not finished.
alter table casino.transactions
add column if not exists entry_formula smallint not null default 1;
comment on column casino.transactions.entry_formula is
    '1: recorded before there was a choice, hashed by casino.entry_hash. 2: hashed by casino.entry_hash_2, and signed.';

-- Every update of a row checks it again: what was recorded before has formula 1 and stays free.
alter table casino.transactions
-- squawk-ignore ban-drop-constraint
drop constraint if exists wire_transaction_is_signed,
add constraint wire_transaction_is_signed check (
    entry_formula = 1 or kind = 'deposit' or (signed_by is not null and signed_by <> '')
) not valid;

-- 2^62: what a provider reads as a balance, and what two of them can be added to without leaving a bigint.
alter table casino.wallets
-- squawk-ignore ban-drop-constraint
drop constraint if exists balance_within_bounds,
add constraint balance_within_bounds check (balance_minor <= 4611686018427387904) not valid;

comment on column casino.games.win_cap_minor is
    'Most that one round may pay, in minor units; null: 100,000 times the largest stake (casino.win_cap).';
