-- `migrate` remembers each file of functions, views and grants by itself, as the provider's does.
-- squawk-ignore ban-drop-table
drop table casino.applied_sql;
create table casino.applied_sql_files (
    path text primary key,
    sha256 text not null,
    applied_at timestamptz not null default clock_timestamp()
);
