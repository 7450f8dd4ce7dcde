#!/usr/bin/env bash
# Checks the house rules (rules.awk) over a tree; the one this file is in, or the one named.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "${1:-$here/../..}"

rooms=()
for room in include base pool auth api server tests; do
	[ ! -d "$room" ] || rooms+=("$room")
done
mapfile -t files < <(find "${rooms[@]}" -name '*.[ch]' | sort)
[ ${#files[@]} -gt 0 ] || {
	echo "no C files in $PWD" >&2
	exit 1
}
LC_ALL=C awk -f "$here/rules.awk" "${files[@]}"
echo "${#files[@]} files keep the rules"
