-- A tenant belongs to one ledger, and a row to one tenant, for whoever asks: the columns, keys and triggers of the tree.
-- 0012_tenants.py switches on row-level security afterwards, a table at a time.
-- Each step is a transaction of its own and holds at most one table that bets use. Every step may be run twice.

-- step: ledger of tenants
alter table casino.tenants
add column if not exists ledger_id integer,
add column if not exists is_open boolean not null default false,
-- squawk-ignore ban-drop-constraint
drop constraint if exists tenant_has_ledger,
-- squawk-ignore ban-drop-constraint
drop constraint if exists tenant_below_has_ledger,
-- Few rows: a constraint that is checked later would free nobody.
-- squawk-ignore adding-foreign-key-constraint, constraint-missing-not-valid
add constraint tenant_has_ledger foreign key (ledger_id) references casino.ledgers (ledger_id),
-- squawk-ignore constraint-missing-not-valid
add constraint tenant_below_has_ledger check (parent_id is null or ledger_id is not null);
comment on column casino.tenants.ledger_id is 'Null until its ledger is made: casino.adopt_tenant.';
comment on column casino.tenants.is_open is
    'It and all above it are ACTIVE: bets, launches and deposits are taken. Kept by casino.settle_tenants.';
-- squawk-ignore require-concurrent-index-creation
create unique index if not exists tenants_of_ledger on casino.tenants (ledger_id, tenant_id);
-- squawk-ignore require-concurrent-index-creation
create index if not exists tenants_below on casino.tenants (ledger_id, parent_id);

-- step: ledgers of the releases before
-- A second ledger of a tenant could not be told from the first one by what its rows say.
do $$
declare
    v_tenant_id text;
begin
    select tenant_id into v_tenant_id from casino.ledgers group by tenant_id having count(*) > 1 limit 1;
    if found then
        raise exception 'tenant % has several ledgers: a tenant belongs to one. Make a tenant for each further ledger'
            ' (casino.tenants), name it in casino.ledgers and in tenant_id of that ledger''s rows, and migrate again',
            v_tenant_id;
    end if;
end;
$$;
create or replace trigger settle_tenants
after insert or delete or update of status, parent_id, ledger_id on casino.tenants
for each statement execute function casino.settle_tenants();
create or replace trigger adopt_tenant after insert on casino.ledgers
for each row execute function casino.adopt_tenant();
update casino.tenants as tenant
set ledger_id = ledger.ledger_id
from casino.ledgers as ledger
where ledger.tenant_id = tenant.tenant_id;

-- step: parents and roots
alter table casino.tenants
-- squawk-ignore ban-drop-constraint
drop constraint if exists tenant_has_parent,
-- squawk-ignore adding-foreign-key-constraint, constraint-missing-not-valid
add constraint tenant_has_parent foreign key (ledger_id, parent_id) references casino.tenants (ledger_id, tenant_id);
alter table casino.ledgers
-- squawk-ignore ban-drop-constraint
drop constraint if exists ledger_has_its_tenant,
-- squawk-ignore adding-foreign-key-constraint, constraint-missing-not-valid
add constraint ledger_has_its_tenant foreign key (ledger_id, tenant_id)
references casino.tenants (ledger_id, tenant_id) deferrable initially deferred;

-- step: tenants of wallets
alter table casino.wallets
-- squawk-ignore ban-drop-constraint
drop constraint if exists wallet_is_of_its_ledgers_tenant,
add constraint wallet_is_of_its_ledgers_tenant foreign key (ledger_id, tenant_id)
references casino.tenants (ledger_id, tenant_id) not valid;

-- step: tenants of wallets are checked
alter table casino.wallets
-- squawk-ignore constraint-missing-not-valid
validate constraint wallet_is_of_its_ledgers_tenant;

-- step: tenants of sessions
alter table casino.game_sessions
-- squawk-ignore ban-drop-constraint
drop constraint if exists session_is_of_its_ledgers_tenant,
-- A tenant may have the games of one above it: casino.find_game.
-- squawk-ignore ban-drop-constraint
drop constraint if exists session_has_game,
add constraint session_is_of_its_ledgers_tenant foreign key (ledger_id, tenant_id)
references casino.tenants (ledger_id, tenant_id) not valid;

-- step: tenants of sessions are checked
alter table casino.game_sessions
-- squawk-ignore constraint-missing-not-valid
validate constraint session_is_of_its_ledgers_tenant;

-- step: tenants of wallets, by the key without a ledger
-- squawk-ignore ban-drop-constraint
alter table casino.wallets drop constraint if exists wallets_tenant_id_fkey;

-- step: tenants of sessions, by the key without a ledger
-- squawk-ignore ban-drop-constraint
alter table casino.game_sessions drop constraint if exists game_sessions_tenant_id_fkey;

-- step: types
do $$
begin
    if not exists (
        select from pg_attribute where attrelid = 'casino.seen_command'::regclass and attname = 'session_tenant_id'
    ) then
        -- tenant_open: null for a session whose tenant is none of this ledger.
        alter type casino.seen_command add attribute session_tenant_id text, add attribute tenant_open boolean;
    end if;
end;
$$;

-- step: views of the releases before
alter view casino.events_of_transactions set (security_invoker = true);
