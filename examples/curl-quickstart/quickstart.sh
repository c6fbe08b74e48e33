#!/usr/bin/env bash
# A connection, its test, a plan, a read and an ingestion, with nothing but curl. See README.md for the variables.
set -euo pipefail

api=$PORTCULLIS_URL/api/v1
call() { curl --silent --show-error --fail-with-body -H "authorization: Bearer $PORTCULLIS_TOKEN" -H 'content-type: application/json' "$@"; echo; }

# Make it. The password comes from the environment and travels in the body, not in an argument.
printf '{"name": "quickstart", "type": "https_basic", "test_location": "%s",
         "config": {"hostname": "%s", "port": %d, "username": "%s", "password": "%s"}}' \
  "$ASSET_URL" "$ORIGIN_HOST" "$ORIGIN_PORT" "$ORIGIN_USER" "$ORIGIN_PASSWORD" | call "$api/connections" --data @-

# Test it, and leave its status as it is.
call "$api/connections/quickstart/test" --data '{"update_state": false}'

# What would be sent?
call "$api/plan" --data '{"connection": "quickstart", "source_paths": ["'"$ASSET_URL"'"]}'

# Read the first 8 bytes through the gateway.
curl --silent --show-error --fail --get "$api/objects" -H "authorization: Bearer $PORTCULLIS_TOKEN" -H 'range: bytes=0-7' \
  --data-urlencode connection=quickstart --data-urlencode "source_path=$ASSET_URL" | od -An -tx1

# Ingest it, and wait for the end.
job=$(call "$api/ingestion/assets" --data '{"dataset_id": "quickstart", "connection_name": "quickstart",
  "assets": [{"source_path": "'"$ASSET_URL"'", "metadata": {"label": "example"}}]}' | sed -E 's/.*"job_id": ?"([^"]+)".*/\1/')
for _ in $(seq 100); do
  answer=$(call "$api/ingestion/jobs/$job")
  case $answer in
  *'"completed"'*) echo "$answer"; exit 0 ;;
  *'"failed"'* | *'"stopped"'*) echo "$answer"; exit 1 ;;
  esac
  sleep 0.1
done
echo "job $job is not finished" >&2
exit 1
