-- Everything Daybreak needs in a Snowflake account, and nothing more. Run it once, as a user who may
-- use the roles named below; again does no harm. Names are those of deployments/ and the README:
-- replace them everywhere or nowhere.
--
-- The key pair of the service user, made on your side; the private half never leaves it:
--   openssl genrsa 2048 | openssl pkcs8 -topk8 -v2 aes-256-cbc -out daybreak.p8
--   openssl rsa -in daybreak.p8 -pubout | sed '/PUBLIC KEY/d' | tr -d '\n'

-- 1. Compute. A night is a few minutes of work: XS, gone after a minute of rest.
use role sysadmin;

create warehouse if not exists daybreak
    warehouse_size = 'XSMALL'
    auto_suspend = 60
    auto_resume = true
    initially_suspended = true
    -- A statement that hangs costs an hour at most, not the default's two days.
    statement_timeout_in_seconds = 3600
    comment = 'Daybreak: the nightly sync and its dbt models';

-- What a runaway costs at most in a month. Only an account administrator may set it.
use role accountadmin;

create resource monitor if not exists daybreak with
    credit_quota = 30
    frequency = monthly
    start_timestamp = immediately
    triggers
        on 75 percent do notify
        -- Lets a running night end.
        on 100 percent do suspend
        on 120 percent do suspend_immediate;

alter warehouse daybreak set resource_monitor = daybreak;

-- 2. The database: raw copies and ledger, dbt's views, its snapshots, and what people read.
use role sysadmin;

create database if not exists daybreak comment = 'Copied from PostgreSQL every night';
create schema if not exists daybreak.raw comment = 'Copies of the source, the ledger, dead letters';
create schema if not exists daybreak.staging comment = 'dbt: cleaned views of raw';
create schema if not exists daybreak.snapshots comment = 'dbt: history that the source forgets';
create schema if not exists daybreak.mart comment = 'dbt: the models to read';

-- 3. The role that the night runs as. It owns the tables it makes and can't touch any other.
use role useradmin;

create role if not exists daybreak comment = 'Runs the nightly sync';
create role if not exists daybreak_reader comment = 'Reads the marts';

use role securityadmin;

-- So that administrators see what the night made.
grant role daybreak to role sysadmin;
grant role daybreak_reader to role sysadmin;

grant usage on warehouse daybreak to role daybreak;
grant usage on database daybreak to role daybreak;

-- raw: staging and published tables, the ledger, and the stage that files are put on.
grant usage, create table, create stage on schema daybreak.raw to role daybreak;

-- dbt's schemas: it makes tables and views in them, and the schemas are there already.
grant usage, create table, create view on schema daybreak.staging to role daybreak;
grant usage, create table, create view on schema daybreak.snapshots to role daybreak;
grant usage, create table, create view on schema daybreak.mart to role daybreak;

-- 4. Readers: the marts of today and those that come. dbt replaces tables with their grants kept.
grant usage on database daybreak to role daybreak_reader;
grant usage on schema daybreak.mart to role daybreak_reader;
grant select on all tables in schema daybreak.mart to role daybreak_reader;
grant select on all views in schema daybreak.mart to role daybreak_reader;
grant select on future tables in schema daybreak.mart to role daybreak_reader;
grant select on future views in schema daybreak.mart to role daybreak_reader;
-- grant role daybreak_reader to role analyst;

-- 5. The user: a service, so it has no password, no browser and no second factor, only its key.
use role useradmin;

create user if not exists daybreak
    type = service
    rsa_public_key = 'MIIBIjANBgkq...replace me...IDAQAB'
    default_role = daybreak
    default_warehouse = daybreak
    -- dbt can't set its session's time zone; Daybreak's own sessions do.
    timezone = 'UTC'
    comment = 'Daybreak, nightly';

use role securityadmin;

grant role daybreak to user daybreak;

-- To change the key: set rsa_public_key_2, deploy the new private key, then unset rsa_public_key.
-- Recommended: a network policy that admits your workers' addresses only.
-- alter user daybreak set network_policy = daybreak_workers;
