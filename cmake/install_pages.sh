#!/bin/sh
# Pages as they are installed: links to examples lead to where those are, and a link to what only the source has is
# plain words.
#
#   cmake/install_pages.sh FOLDER
set -eu
cd "$(dirname "$0")/.."
only_in_source='ARCHITECTURE\.md|CONTRIBUTING\.md|CHANGELOG\.md|SECURITY\.md|tests/|design/|docs/design/'
mkdir -p "$1/docs"
for page in README.md docs/*.md; do
	sed -E \
		-e 's#\]\((\.\./)?conf/examples/#](\1examples/#g' \
		-e 's#\]\((\.\./)?conf/cachewarden\.conf#](\1examples/cachewarden.conf#g' \
		-e "s#\[([^]]+)\]\((\.\./)?($only_in_source)[^)]*\)#\1#g" \
		"$page" >"$1/$page"
done
