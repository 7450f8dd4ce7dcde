#!/bin/sh
# Links of the pages as they are installed lead somewhere, too.
set -eu
source=$(cd "$(dirname "$0")/../.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cp -R "$source/conf/examples" "$source/docs" "$source/clients" "$folder"
cp "$source/conf/cachewarden.conf" "$folder/examples"
rm "$folder"/docs/*.md
"$source/cmake/install_pages.sh" "$folder"
"$source/tests/tidy/links.py" "$folder"
