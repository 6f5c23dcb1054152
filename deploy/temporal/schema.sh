#!/bin/sh
# Creates Temporal's two databases and brings their schemas up to this release. Safe to run again.
# The password comes in SQL_PASSWORD, which temporal-sql-tool reads by itself.
set -eu

prepare() {
    tool="temporal-sql-tool --plugin postgres12 --ep $POSTGRES_SEEDS -p 5432 -u $POSTGRES_USER --db $1"
    $tool create
    $tool setup-schema -v 0.0
    $tool update-schema -d "/etc/temporal/schema/postgresql/v12/$2/versioned"
}

prepare temporal temporal
prepare temporal_visibility visibility
