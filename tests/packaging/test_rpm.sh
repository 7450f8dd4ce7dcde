#!/usr/bin/env bash
# The RPM package, inspected by the tools of RPM; and its life in a bare tree, where rpm installs it
# without asking for requirements that only an RPM distribution has.
#
#   test_rpm.sh FOLDER    where packaging/build left the package
# shellcheck disable=SC2119 # start_server needs no arguments

set -euo pipefail
# shellcheck source=tests/packaging/tree.sh
. "$(dirname "${BASH_SOURCE[0]}")/tree.sh"

out=$(cd "${1:?the folder of the package}" && pwd)
rpm=$(ls "$out"/cachewarden-*."$(uname -m)".rpm)

query() {
	rpm --query --package "$rpm" "$@" 2>/dev/null
}

# ---- what is in it ----

say "rpmlint"
rpmlint --rpmlintrc "$ROOT/packaging/rpm/rpmlintrc" "$out"/cachewarden-*.rpm >"$WORK/rpmlint" 2>&1 || true
grep -q ' 0 errors, 0 warnings' "$WORK/rpmlint" || {
	cat "$WORK/rpmlint" >&2
	die "rpmlint found something"
}

say "files, owners, requirements"
owner_in() {
	query --queryformat '[%{FILENAMES} %{FILEMODES:octal} %{FILEUSERNAME}:%{FILEGROUPNAME}\n]' |
		awk -v name="$1" '$1 == name { print substr($2, length($2) - 3), $3 }'
}
equal "the program" "$(owner_in /usr/bin/cachewarden)" "0755 root:root"
equal "the folder of settings" "$(owner_in /etc/cachewarden)" "0750 root:cachewarden"
equal "the folder of state" "$(owner_in /var/lib/cachewarden)" "0700 cachewarden:cachewarden"
equal "settings that stay" "$(query --configfiles)" /etc/cachewarden/cachewarden.conf
check "a manual page" grep -q '^/usr/share/man/man1/cachewarden\.1\.gz$' <(query --list)
check "the unit" test -n "$(owner_in /usr/lib/systemd/system/cachewarden.service)"

query --requires >"$WORK/requires"
check "whoever has useradd" grep -qxF '(shadow-utils or shadow)' "$WORK/requires"
# hiredis and libconfig have another name on every distribution; a version of libcurl's symbols is Debian's.
equal "requirements that RPM distributions do not have" \
	"$(grep -E 'libhiredis|libconfig|civetweb|CURL_OPENSSL' "$WORK/requires")" ""
# The C library of Enterprise Linux 9; what Debian 13 builds wants that of 10.
limit=2.34
dpkg --compare-versions "$(dpkg-query --show --showformat='${Version}' libc6)" lt 2.38 || limit=2.39
newest=$(sed -nE 's/.*\(GLIBC_([0-9.]+)\).*/\1/p' "$WORK/requires" | sort -V | tail -n 1)
check "glibc $newest is not too new" test "$(printf '%s\n%s\n' "$newest" "$limit" | sort -V | tail -n 1)" = "$limit"
for name in libssl.so.3 libpq.so.5 libsqlite3.so.0 libjansson.so.4 libargon2.so.1 libarchive.so.13 libcurl.so.4; do
	check "requires $name" grep -q "^$name()" "$WORK/requires"
done

# ---- its life ----

say "a bare tree"
make_tree
# Its libraries, by the names Debian has for them.
apt_in_tree update
apt_in_tree install libarchive13 libargon2-1 libcurl4 libjansson4 libpq5 libsqlite3-0 libssl3
start_redis

rpm_in_tree() {
	rpm --root "$TREE" --nodeps --nosignature "$@" >"$WORK/rpm.log" 2>&1 || {
		cat "$WORK/rpm.log" >&2
		die "rpm $* failed"
	}
	! grep -q 'scriptlet failed' "$WORK/rpm.log" || die "a scriptlet failed: $(cat "$WORK/rpm.log")"
}

say "install and run"
rpm_in_tree --install "$rpm"
equal "state" "$(owner_of /var/lib/cachewarden)" "700 cachewarden:cachewarden"
equal "settings" "$(owner_of /etc/cachewarden)" "750 root:cachewarden"
equal "shell of the user" "$(in_tree getent passwd cachewarden | cut -d: -f7)" /usr/sbin/nologin
check_docs "$TREE/usr/lib/systemd/system/cachewarden.service"
edit_settings
start_server
equal "words of the loader" "$(grep -c 'no version information' "$WORK/server.log")" 0
add_operator
token=$(sign_in)
check "signing in" test -n "$token"
check_backups "$token"
stop_server

say "install once more, over it"
cp "$TREE/etc/cachewarden/cachewarden.conf" "$WORK/edited.conf"
rpm_in_tree --upgrade --force "$rpm"
check "the administrator's settings are kept" cmp "$WORK/edited.conf" "$TREE/etc/cachewarden/cachewarden.conf"
start_server
equal "a token of before" "$(call "$token" GET /api/cache/status/)" \
	'{"enabled":true,"version":1,"message":"Cache is enabled"}'
stop_server

say "erase"
rpm_in_tree --erase cachewarden
check "the program is gone" test ! -e "$TREE/usr/bin/cachewarden"
check "changed settings are saved" cmp "$WORK/edited.conf" "$TREE/etc/cachewarden/cachewarden.conf.rpmsave"
check "the accounts stay" test -s "$TREE/var/lib/cachewarden/users.db"

say "passed, $CHECKS checks"
