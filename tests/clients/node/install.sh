#!/bin/sh
# Packs clients/node and installs the tarball into FOLDER, as an application would. Without a network: it has no
# dependencies. Prints the name of the tarball.
#
#   tests/clients/node/install.sh FOLDER
set -eu
source=$(cd "$(dirname "$0")/../../.." && pwd)
cd "$1"
tarball=$("$source/packaging/clients" node .)
export npm_config_cache="$PWD/npm-cache" npm_config_update_notifier=false
[ -e package.json ] || echo '{"private":true}' >package.json
npm install --silent --offline --no-audit --no-fund --ignore-scripts "./$tarball" >&2
echo "$PWD/$tarball"
