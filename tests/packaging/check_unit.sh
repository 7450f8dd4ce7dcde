#!/usr/bin/env bash
# A unit's sandbox: how tight it is, and that the server can live in it.
#
#   check_unit.sh UNIT [STRACE ROOT]   STRACE: what `strace --follow-forks --decode-fds=path` wrote of a run below
#                                      ROOT, from its execve on

set -euo pipefail

unit=$1
calls=${2:-}
root=${3:-}
# Of 10; the owner's limit is 1.5.
exposure_max=15
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

complain() {
	printf 'check_unit.sh: %s\n' "$*" >&2
	failed=1
}

# ---- how tight ----

systemd-analyze security --offline=true --no-pager --threshold="$exposure_max" "$unit" \
	>"$work/security" || complain "$(grep -F 'Overall exposure' "$work/security")"
grep -F 'Overall exposure' "$work/security"

# ---- what it calls ----

# A system call, or those of a group and of the groups in it.
expand() {
	local name

	if [ "${1#@}" = "$1" ]; then
		printf '%s\n' "$1"
		return
	fi
	while read -r name; do
		case $name in
		'' | '#'*) ;;
		@"${1#@}") ;;
		@*) expand "$name" ;;
		*) printf '%s\n' "$name" ;;
		esac
	done < <(systemd-analyze syscall-filter --no-pager "$1")
}

allowed() {
	local line name

	: >"$work/yes"
	: >"$work/no"
	while read -r line; do
		for name in ${line#\~}; do
			if [ "${line#\~}" = "$line" ]; then
				expand "$name" >>"$work/yes"
			else
				expand "$name" >>"$work/no"
			fi
		done
	done < <(sed -n 's/^SystemCallFilter=//p' "$unit")
	# systemd itself adds these.
	printf '%s\n' execve exit exit_group getrlimit rt_sigreturn sigreturn time >>"$work/yes"
	comm -23 <(sort -u "$work/yes") <(sort -u "$work/no")
}

if [ -n "$calls" ]; then
	sed -nE 's/^[0-9]+ +([a-z_0-9]+)\(.*/\1/p' "$calls" | sort -u >"$work/made"
	[ "$(wc -l <"$work/made")" -gt 20 ] || complain "$calls does not look like a run of the server"
	while read -r name; do
		complain "the server calls $name, which the unit forbids"
	done < <(comm -23 "$work/made" <(allowed))
	# MemoryDenyWriteExecute
	! grep -E ' (mmap|mprotect|pkey_mprotect)\(.*PROT_WRITE\|PROT_EXEC' "$calls" ||
		complain "memory that is written and executed"
	# RestrictAddressFamilies
	families=$(sed -nE 's/.* socket\((AF_[A-Z0-9_]+),.*/\1/p' "$calls" | sort -u)
	for name in $families; do
		grep -qE "^RestrictAddressFamilies=.*\b$name\b" "$unit" ||
			complain "a socket of the family $name, which the unit forbids"
	done
	# ProtectSystem=strict. What was opened is told by the descriptor: its name may be relative to a folder.
	grep -qF "<$root/var/lib/cachewarden/" "$calls" || complain "$calls does not tell which files were opened"
	while read -r name; do
		complain "$name is opened for writing, outside of the state folder"
	done < <(sed -nE 's/.* open(at)?\(.*O_(WRONLY|RDWR).*\) = [0-9]+<([^>]+)>.*/\3/p' "$calls" |
		sort -u | grep -vE "^($root)?(/var/lib/cachewarden/|/dev/null\$)")
fi
exit "$failed"
