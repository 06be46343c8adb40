-- Several casinos at one studio: each has its own reconciliation, and its own rows in the outbox.
-- Each step is a transaction of its own and may be run twice. A bet waits for moments only.
-- The release before goes on with its own functions: what these need stays until the next release. It knows one casino, so
-- it sends due calls and reconciles only while these books know one.

-- step: casinos
create table if not exists provider.casinos (
    casino_code text primary key,
    known_since timestamptz not null
);
comment on table provider.casinos is 'The casinos that were reconciled or are to be, and since when.';
-- One look into the index for each casino, not one for each player.
insert into provider.casinos (casino_code, known_since)
with recursive found (casino_code) as (
    select min(casino_code) from provider.players
    union all
    select (select min(p.casino_code) from provider.players as p where p.casino_code > found.casino_code)
    from found
    where found.casino_code is not null
)
select found.casino_code, schedule.installed_at
from found
cross join provider.reconciliation_schedule as schedule
where found.casino_code is not null
on conflict do nothing;
grant select, insert on provider.casinos to provider_app;

-- step: casino of runs
alter table provider.reconciliation_runs add column if not exists casino_code text;
comment on column provider.reconciliation_runs.casino_code is
    'Null: a process of the release before ran it, for the only casino that it knows.';
update provider.reconciliation_runs
set casino_code = (select p.casino_code from provider.players as p order by p.player_id desc limit 1)
where casino_code is null and ended_at is not null;
-- Only runs write here, and they wait for seconds.
-- squawk-ignore require-concurrent-index-deletion
drop index if exists provider.one_run_at_a_time;
-- squawk-ignore require-concurrent-index-creation
create unique index if not exists one_run_of_a_casino on provider.reconciliation_runs ((coalesce(casino_code, '')))
where ended_at is null;

-- step: what the feed of a run has shown
alter table provider.reconciliation_seen add column if not exists run_id bigint;
comment on column provider.reconciliation_seen.run_id is 'The last run whose feed showed the transaction.';
grant update (run_id) on provider.reconciliation_seen to provider_app;

-- step: casino of due transactions
alter table provider.wallet_transactions add column if not exists outbox_casino_code text;
comment on column provider.wallet_transactions.outbox_casino_code is
    'The casino of a payout or rollback that was due once: see provider.route_due. Else null.';
grant update (outbox_casino_code) on provider.wallet_transactions to provider_app;
