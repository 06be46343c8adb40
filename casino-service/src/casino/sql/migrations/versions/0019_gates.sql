-- What stops a bet, and the bonus.
-- Each step is a transaction of its own and holds at most one table that bets use. Every step may be run twice.

-- step: wallets
alter table casino.wallets
add column if not exists pending_bonus_minor bigint not null default 0,
add column if not exists bonus_ack_required boolean not null default false,
add column if not exists agent_id text,
add column if not exists cashier_id text,
-- squawk-ignore ban-drop-constraint
drop constraint if exists pending_bonus_not_negative,
add constraint pending_bonus_not_negative check (pending_bonus_minor >= 0) not valid;
comment on column casino.wallets.pending_bonus_minor is 'The PENDING row of casino.bonuses; 0: none.';
comment on column casino.wallets.bonus_ack_required is 'A bonus was granted: no new bet until the player acknowledges it.';
comment on column casino.wallets.agent_id is 'The AGENT tenant of the player''s voucher; the wallet''s events name it.';
comment on column casino.wallets.cashier_id is 'The staff id that issued the player''s voucher; the wallet''s events name it.';

-- step: wallets are checked
alter table casino.wallets
-- squawk-ignore constraint-missing-not-valid
validate constraint pending_bonus_not_negative;

-- step: bonuses
create table if not exists casino.bonuses (
    ledger_id integer not null,
    bonus_id bigint not null generated always as identity,
    tenant_id text not null,
    wallet_id bigint not null,
    amount_minor bigint not null,
    currency text not null,
    voucher_id text not null,
    agent_tenant_id text not null,
    state text not null default 'PENDING',
    promised_at timestamptz not null,
    decided_at timestamptz,
    transaction_id text,
    round_id text,
    provider_id text,
    reason text,
    request_id text,
    primary key (ledger_id, bonus_id),
    constraint bonus_has_wallet foreign key (ledger_id, wallet_id) references casino.wallets (ledger_id, wallet_id),
    constraint bonus_positive check (amount_minor > 0),
    constraint bonus_state_known check (state in ('PENDING', 'GRANTED', 'FORFEITED')),
    constraint bonus_decided_once check ((state = 'PENDING') = (decided_at is null)),
    constraint granted_bonus_has_transaction check ((state = 'GRANTED') = (transaction_id is not null))
);
create unique index if not exists one_pending_bonus on casino.bonuses (ledger_id, wallet_id) where state = 'PENDING';
create index if not exists bonuses_of_wallet on casino.bonuses (ledger_id, wallet_id, transaction_id);
comment on table casino.bonuses is 'The bonus of a redeemed voucher: granted whole, once, or forfeited to the agent''s float.';
comment on column casino.bonuses.agent_tenant_id is 'Who paid for it, and whose float gets it when it is forfeited.';
comment on column casino.bonuses.transaction_id is 'Of a granted one: the credit or rollback that ended the round.';

-- step: what tenants have from those above
alter table casino.tenants
add column if not exists region_in_force text,
add column if not exists has_stops boolean not null default false;
comment on column casino.tenants.region_in_force is 'Its own region or the nearest ancestor''s. Kept by casino.settle_inherited.';
comment on column casino.tenants.has_stops is 'A stop of casino.stops may hold here. Kept by casino.settle_inherited.';

-- step: stops
create table if not exists casino.stops (
    ledger_id integer not null references casino.ledgers (ledger_id),
    stop_id uuid not null default gen_random_uuid(),
    tenant_id text,
    scope text not null,
    target text,
    reason text not null,
    made_by text not null,
    made_at timestamptz not null,
    primary key (ledger_id, stop_id),
    constraint stop_is_of_its_ledgers_tenant foreign key (ledger_id, tenant_id)
    references casino.tenants (ledger_id, tenant_id),
    constraint stop_scope_known check (scope in ('all', 'provider', 'game', 'player')),
    constraint stop_has_target check ((scope = 'all') = (target is null)),
    constraint stop_reason_is_short check (char_length(reason) between 1 and 256)
);
create index if not exists stops_newest on casino.stops (ledger_id, made_at desc, stop_id desc);
create index if not exists stops_of_target on casino.stops (ledger_id, coalesce(target, ''));
comment on column casino.stops.tenant_id is 'It holds in this tenant and below. Null: an owner''s, which holds everywhere.';
comment on column casino.stops.target is 'The provider''s id, the game''s code or the player''s id.';

-- step: triggers of stops
create or replace trigger hold_tenants before insert or delete on casino.stops
for each statement execute function casino.hold_tenants();
create or replace trigger settle_inherited after insert or delete on casino.stops
for each statement execute function casino.settle_inherited();

-- step: triggers of tenants
create or replace trigger hold_tenants
before insert or delete or update of status, parent_id, ledger_id, region on casino.tenants
for each statement execute function casino.hold_tenants();
create or replace trigger settle_inherited
after insert or delete or update of parent_id, ledger_id, region on casino.tenants
for each statement execute function casino.settle_inherited();

-- step: tenants that are there
update casino.tenants set region = region;

-- step: types
do $$
begin
    if not exists (
        select from pg_attribute
        where attrelid = 'casino.seen_command'::regclass and attname = 'stop_reason' and not attisdropped
    ) then
        -- stop_reason: of the stop that holds, or that refused the command when it came first.
        -- first_bonus_minor: the bonus that was granted with the command, when it came first.
        alter type casino.seen_command
        add attribute stop_reason text, add attribute bonus_ack_required boolean, add attribute pending_bonus_minor bigint,
        add attribute first_bonus_minor bigint;
        -- may_grant: it may end its round; a pending bonus is granted if no bet is open then.
        alter type casino.judgement add attribute may_grant boolean;
        -- event_player_id: of whom the event tells, if it is not the wallet's owner.
        alter type casino.entry add attribute event_player_id text;
    end if;
end;
$$;
