#!/usr/bin/env bash
# own_programs.sh TESTS BUILT NAME...: no test but those named defines anything for other files to use.
# With a sanitizer the tests of a folder are one program, and what one defines in the place of a library's function
# is in force for all of them.
set -euo pipefail

sources=$1
built=$2
shift 2
own=" $* "
failed=0
seen=0

# ./<target>.dir/<path>.c.o: <symbol> <kind> …
while read -r object symbol _; do
	name=${object#./*.dir/}
	name=${name%.c.o:}
	if [ "$symbol" = main ]; then
		seen=$((seen + 1))
	elif [[ $own != *" $name "* ]] && [ -f "$sources/$name.c" ]; then
		echo "tests/$name.c defines $symbol: make it static, or add the test to own_program_tests" >&2
		failed=1
	fi
done < <(cd "$built" && find . -name 'test_*.c.o' -exec nm -A --extern-only --defined-only --format=posix {} +)
echo "$seen programs"
[ "$seen" -gt 0 ] && [ "$failed" -eq 0 ]
