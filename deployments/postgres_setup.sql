-- The role that Daybreak reads PostgreSQL as: it can read everything and change nothing.
-- Run it in the database to copy, as the owner of its tables or a superuser; twice does no harm:
--   psql -d app -f deployments/postgres_setup.sql
--   psql -d app -c '\password daybreak_reader'
-- Another schema than public: repeat the parts that name it.

do $$
begin
    if not exists (select from pg_roles where rolname = 'daybreak_reader') then
        -- Two streams for each of four tables, the snapshot's keeper, guards and some room.
        create role daybreak_reader login connection limit 30;
    end if;
    execute format('grant connect on database %I to daybreak_reader', current_database());
end
$$;

-- A second lock on the door: even with a grant too many, this role's sessions write nothing.
alter role daybreak_reader set default_transaction_read_only = on;

grant usage on schema public to daybreak_reader;
grant select on all tables in schema public to daybreak_reader;

-- Tables made later. It holds for those that the role running this makes; run it as each role that
-- makes tables, or add "for role <owner>".
alter default privileges in schema public grant select on tables to daybreak_reader;

-- To see since when other sessions' transactions have been open: the watermark of incremental tables
-- must not pass the oldest one, else rows that commit late are lost.
grant pg_read_all_stats to daybreak_reader;

-- Only where tables have row-level security: without this such a table is refused, since a policy
-- would hide rows from the copy in silence.
-- alter role daybreak_reader bypassrls;
