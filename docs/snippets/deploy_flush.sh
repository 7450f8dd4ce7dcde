#!/bin/sh
# Empties the cache "messages" after a deployment; a failure fails the deployment.
# CACHEWARDEN_URL: where it is; CACHEWARDEN_KEY_FILE: a file with an API key of scope flush.
set -eu

# The key comes from stdin, because arguments can be seen by other users of the machine.
printf 'header = "x-api-key: %s"\n' "$(cat "$CACHEWARDEN_KEY_FILE")" |
	curl --config - --silent --show-error --fail-with-body --max-time 10 \
		--request DELETE "$CACHEWARDEN_URL/api/v1/cache"
echo
