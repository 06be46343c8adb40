-- The invariants of every ledger, as rows that must not exist: rule, where, expected, found. The rules themselves stand in
-- the two functions; `casino check-ledger` asks those page by page, in the same words.
drop view if exists casino.ledger_differences;
create view casino.ledger_differences with (security_invoker = true) as
select
    found.o_rule as rule, found.o_ledger_id as ledger_id, found.o_wallet_id as wallet_id,
    found.o_transaction_id as transaction_id, found.o_expected as expected, found.o_found as found
from casino.ledgers as ledger
cross join lateral (
    select * from casino.ledger_wide_differences(ledger.ledger_id)
    union all
    select * from casino.wallet_differences(ledger.ledger_id, -9223372036854775808, 9223372036854775807)
) as found;
