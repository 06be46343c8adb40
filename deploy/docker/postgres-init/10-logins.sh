#!/bin/sh
# Creates the schemas, their owner and application roles, and two logins for each service: one for the application role,
# one for the owner. No login can see the other service's schema. Postgres runs it once, when the volume is empty.
# deploy/local/src/local_stack/databases.py does the same for the stack without Docker.
set -eu

# When this script fails, the volume is no longer empty, so the next start would skip the script.
again() {
  [ $? -eq 0 ] || echo "the logins were not made. Correct .env, run docker compose down --volumes, and start again" >&2
}
trap again EXIT

is_demo=$(echo "${CASINO_DEMO:-}" | tr 'A-Z' 'a-z')
absent=
for name in POSTGRES_PASSWORD CASINO_DATABASE_PASSWORD CASINO_OWNER_DATABASE_PASSWORD CASINO_OVERSIGHT_DATABASE_PASSWORD \
  PROVIDER_DATABASE_PASSWORD PROVIDER_OWNER_DATABASE_PASSWORD; do
  case "$is_demo:$(printenv "$name" || true)" in
  *:) absent="$absent $name" ;;
  1:* | true:* | yes:* | on:*) ;; # the values that mean yes in the services
  *:*demo-only*) absent="$absent $name" ;;
  esac
done
if [ -n "$absent" ]; then
  echo "set these in .env, outside demo mode to passwords of your own:$absent (see .env.example)" >&2
  exit 1
fi

# psql reads the passwords from the environment, because other users can see command lines.
logins() { # <service> <variable of its login's password> <variable of its migrator's password>
  psql -v ON_ERROR_STOP=1 -q -U "$POSTGRES_USER" -d "$POSTGRES_DB" -v "service=$1" \
    -v "owner=$1_owner" -v "app=$1_app" -v "login=$1_login" -v "migrator=$1_migrator" <<SQL
\\getenv login_password $2
\\getenv migrator_password $3
create role :"owner" nologin;
create role :"app" nologin;
create role :"login" login noinherit password :'login_password' in role :"app";
create role :"migrator" login noinherit password :'migrator_password' in role :"owner";
grant connect on database :"DBNAME" to :"login", :"migrator";
create schema :"service" authorization :"owner";
SQL
}

psql -v ON_ERROR_STOP=1 -q -U "$POSTGRES_USER" -d "$POSTGRES_DB" <<'SQL'
revoke all on database :"DBNAME" from public;
revoke all on schema public from public;
SQL
psql -v ON_ERROR_STOP=1 -q -U "$POSTGRES_USER" -d "$POSTGRES_DB" <<'SQL'
\getenv oversight_password CASINO_OVERSIGHT_DATABASE_PASSWORD
create role casino_ledger nologin; -- owns functions that look at a whole ledger
create role casino_oversight nologin; -- sees the rows of every tenant, for owners
create role casino_oversight_login login noinherit password :'oversight_password' in role casino_oversight;
grant connect on database :"DBNAME" to casino_oversight_login;
SQL
logins casino CASINO_DATABASE_PASSWORD CASINO_OWNER_DATABASE_PASSWORD
logins provider PROVIDER_DATABASE_PASSWORD PROVIDER_OWNER_DATABASE_PASSWORD
psql -v ON_ERROR_STOP=1 -q -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c 'grant casino_ledger to casino_owner'
