-- Purpose: the one "now" of the provider schema. A test sets it for its own connection with provider.test_now.
-- Outcome: a timestamptz; the database's wall clock when nothing is set.
create or replace function provider.clock()
returns timestamptz
language sql volatile parallel safe
set search_path = ''
as $$
    select coalesce(nullif(current_setting('provider.test_now', true), '')::timestamptz, clock_timestamp());
$$;
