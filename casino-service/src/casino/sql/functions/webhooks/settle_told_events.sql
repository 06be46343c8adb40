-- Purpose: keep casino.tenants.told_events: the types of event that a webhook of the tenant, of one above it or of an owner asks for.
--   Whatever may be told looks there first.
-- Locks: casino.hold_tenants, which the trigger before the change took.
create or replace function casino.settle_told_events()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    with recursive asked as (
        select webhook.ledger_id, webhook.tenant_id, asked_for.event_type
        from casino.webhooks as webhook
        cross join unnest(webhook.events) as asked_for (event_type)
        where webhook.ended_at is null
    ),
    tree as (
        select
            tenant_id, ledger_id, array(
                select event_type from asked
                where ledger_id = top.ledger_id and coalesce(asked.tenant_id, top.tenant_id) = top.tenant_id
            ) as types
        from casino.tenants as top
        where parent_id is null
        union all
        select
            below.tenant_id, below.ledger_id, tree.types || array(
                select event_type from asked where ledger_id = below.ledger_id and asked.tenant_id = below.tenant_id
            )
        from tree
        join casino.tenants as below on below.ledger_id = tree.ledger_id and below.parent_id = tree.tenant_id
    ),
    due as (
        select
            tenant_id, array(
                select distinct one.event_type from unnest(tree.types) as one (event_type) order by one.event_type
            ) as types
        from tree
    )
    update casino.tenants as tenant
    set told_events = due.types
    from due
    where tenant.tenant_id = due.tenant_id and tenant.told_events <> due.types;
    return null;
end;
$$;
