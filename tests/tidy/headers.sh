#!/usr/bin/env bash
# Every header compiles on its own: whoever includes it needs to know nothing else.
# Arguments: the compiler, then its flags. Root of the tree in CW_SOURCE_DIR.
set -euo pipefail

cd "$CW_SOURCE_DIR"
count=0
failed=0
while read -r header; do
	room=${header%%/*}
	case $header in
	tests/*)
		folder=${header#tests/}
		own=(-I"${header%/*}" -I"tests/${folder%%/*}" -Itests/support -Iserver -Iapi)
		;;
	*) own=(-I"$room") ;;
	esac
	# Twice: a header without a guard shows.
	printf '#include "%s"\n#include "%s"\nextern int used;\n' "$header" "$header" |
		"$@" -fsyntax-only -I. -Iinclude "${own[@]}" -x c - || {
		echo "$header does not stand on its own" >&2
		failed=1
	}
	count=$((count + 1))
done < <(find include base pool auth api server tests -name '*.h' | sort)
echo "$count headers tried"
[ "$count" -gt 0 ] && exit "$failed"
