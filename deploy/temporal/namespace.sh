#!/bin/sh
# Creates the namespace and the search attributes that order journeys carry. Safe to run again.
# TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE are read by the temporal CLI itself.
set -eu

tries=30
until temporal operator cluster health >/dev/null 2>&1; do
    tries=$((tries - 1))
    if [ "$tries" -le 0 ]; then
        echo "Temporal at $TEMPORAL_ADDRESS did not become healthy." >&2
        exit 1
    fi
    sleep 2
done

if ! temporal operator namespace describe -n "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; then
    temporal operator namespace create -n "$TEMPORAL_NAMESPACE" --retention "${TEMPORAL_RETENTION:-30d}"
fi

# A namespace takes some seconds until every part of the server knows it.
tries=30
until known=$(temporal operator search-attribute list 2>/dev/null); do
    tries=$((tries - 1))
    if [ "$tries" -le 0 ]; then
        echo "Namespace $TEMPORAL_NAMESPACE did not come up." >&2
        exit 1
    fi
    sleep 2
done

for attribute in OrderId:Keyword OrderNumber:Keyword Shop:Keyword Country:Keyword Attention:KeywordList; do
    name=${attribute%:*}
    if ! printf '%s\n' "$known" | grep -qw "$name"; then
        temporal operator search-attribute create --name "$name" --type "${attribute#*:}"
    fi
done
echo "Namespace $TEMPORAL_NAMESPACE is ready."
