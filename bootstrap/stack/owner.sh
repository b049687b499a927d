#!/bin/sh
# Makes the owner of the tables, who is no superuser, and its database, where Postgres starts on an empty volume. The password
# shows neither in the list of processes nor, where this fails, in the log.
set -eu
exec psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname=postgres <<'SQL'
SET log_statement = none;
SET log_min_error_statement = panic;
\set password `cat /run/secrets/owner_password`
CREATE ROLE owner LOGIN CREATEROLE NOSUPERUSER NOBYPASSRLS PASSWORD :'password';
CREATE DATABASE secure_data OWNER owner;
\connect secure_data
-- With it a statement injected into the service could enter another tenant; see README, "The second wall".
REVOKE EXECUTE ON FUNCTION set_config(text, text, boolean) FROM PUBLIC;
SQL
