#!/bin/sh
# Once, when the data folder is made: a role and a database for each of Prefect, MLflow and TailTune's store. None of
# them may open another's.
set -eu
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username=postgres --dbname=postgres \
    --set=prefect="$PREFECT_DB_PASSWORD" --set=mlflow="$MLFLOW_DB_PASSWORD" --set=store="$STORE_DB_PASSWORD" <<'SQL'
CREATE ROLE prefect LOGIN PASSWORD :'prefect';
CREATE ROLE mlflow LOGIN PASSWORD :'mlflow';
CREATE ROLE store LOGIN PASSWORD :'store';
CREATE DATABASE prefect OWNER prefect;
CREATE DATABASE mlflow OWNER mlflow;
CREATE DATABASE store OWNER store;
REVOKE CONNECT ON DATABASE prefect, mlflow, store FROM PUBLIC;
SQL
