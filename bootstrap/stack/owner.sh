#!/bin/sh
# Creates the owner of the tables, which is not a superuser, and its database, when Postgres starts on an empty volume. The
# password appears neither in the process list nor, if this fails, in the log.
set -eu
exec psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname=postgres <<'SQL'
SET log_statement = none;
SET log_min_error_statement = panic;
\set password `cat /run/secrets/owner_password`
CREATE ROLE owner LOGIN CREATEROLE NOSUPERUSER NOBYPASSRLS PASSWORD :'password';
CREATE DATABASE secure_data OWNER owner;
\connect secure_data
-- With it an injected statement could enter another tenant; see README, "Security", on row level security.
REVOKE EXECUTE ON FUNCTION set_config(text, text, boolean) FROM PUBLIC;
SQL
