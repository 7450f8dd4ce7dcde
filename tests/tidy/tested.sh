#!/usr/bin/env bash
# Every .c file of the rooms has its test file, or that of the module it is a part of
# (check_lists.c: test_check_lists.c or test_check.c), or a line in tested_elsewhere with the
# reason. Prints those that have none.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "${1:-$here/../..}"
elsewhere=${2:-$here/tested_elsewhere}

failed=0
declare -A has_reason=()

while read -r file _; do
	[[ $file == \#* ]] || has_reason[$file]=yes
done <"$elsewhere"

has_test() {
	local room=$1 folder=$2 name=$3

	while :; do
		if [ -e "tests/$folder/test_$name.c" ] || [ -e "tests/$room/test_$name.c" ]; then
			return 0
		fi
		[[ $name == *_* ]] || return 1
		name=${name%_*}
	done
}

while read -r file; do
	room=${file%%/*}
	folder=${file%/*}
	name=${file##*/}
	has_test "$room" "$folder" "${name%.c}" && continue
	[ -n "${has_reason[$file]:-}" ] && continue
	echo "$file: no tests/$folder/test_${name%.c}.c, nor a line in tests/tidy/tested_elsewhere"
	failed=1
done < <(find base pool auth api server -name '*.c' | sort)
for file in "${!has_reason[@]}"; do
	[ -e "$file" ] || {
		echo "tests/tidy/tested_elsewhere names $file, which is not there"
		failed=1
	}
done
exit "$failed"
