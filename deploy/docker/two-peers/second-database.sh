#!/bin/sh
# Creates the second pair's database with its schemas and logins; may run again. The roles are those that
# postgres-init/10-logins.sh made. No login of one pair can connect to the other pair's database.
set -eu
export PGHOST=postgres PGUSER=postgres PGOPTIONS="-c client_min_messages=warning"
psql -v ON_ERROR_STOP=1 -q -d postgres <<'SQL'
select 'create database stack_2' where not exists (select from pg_database where datname = 'stack_2') \gexec
revoke all on database stack_2 from public;
SQL
for service in casino provider; do
  psql -v ON_ERROR_STOP=1 -q -d stack_2 -v "service=$service" -v "owner=${service}_owner" -v "app=${service}_app" \
    -v "login=${service}_2_login" -v "migrator=${service}_2_migrator" <<'SQL'
revoke all on schema public from public;
select format('create role %I login noinherit in role %I', name, role)
from (values (:'login', :'app'), (:'migrator', :'owner')) as made (name, role)
where not exists (select from pg_roles where rolname = name) \gexec
alter role :"login" password 'demo-only-2';
alter role :"migrator" password 'demo-only-2';
grant connect on database stack_2 to :"login", :"migrator";
create schema if not exists :"service" authorization :"owner";
SQL
done
psql -v ON_ERROR_STOP=1 -q -d stack_2 <<'SQL'
select 'create role casino_2_oversight_login login noinherit in role casino_oversight'
where not exists (select from pg_roles where rolname = 'casino_2_oversight_login') \gexec
alter role casino_2_oversight_login password 'demo-only-2';
grant connect on database stack_2 to casino_2_oversight_login;
SQL
