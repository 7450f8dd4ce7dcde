#!/usr/bin/env bash
# The Debian package's life, in a bare Debian without compilers and -dev packages: install, start,
# upgrade over the version before, remove, purge.
#
#   test_debian.sh FOLDER    where packaging/build left the package
# shellcheck disable=SC2016 # the formats of dpkg-query

set -euo pipefail
# shellcheck source=tests/packaging/tree.sh
. "$(dirname "${BASH_SOURCE[0]}")/tree.sh"

out=$(cd "${1:?the folder of the package}" && pwd)
deb=$(ls "$out"/cachewarden_*.deb)
version=$(dpkg-deb --field "$deb" Version)

# ---- by itself ----

say "lintian"
lintian --fail-on error,warning --suppress-tags bad-distribution-in-changes-file \
	--allow-root "$out"/cachewarden_*.changes >"$WORK/lintian" 2>&1 || {
	cat "$WORK/lintian" >&2
	die "lintian found something"
}

# ---- the version before ----

# The same files under an older version, with a settings file that differs from today's: the package
# and the administrator have both changed it.
make_previous() {
	local tree=$WORK/previous

	dpkg-deb --raw-extract "$deb" "$tree"
	sed -i "s/^Version: .*/Version: 0.0.9-1/" "$tree/DEBIAN/control"
	sed -i "1i # Settings of version 0.0.9" "$tree/etc/cachewarden/cachewarden.conf"
	rm "$tree/DEBIAN/md5sums"
	dpkg-deb --root-owner-group --build "$tree" "$TREE/previous.deb" >/dev/null
}

say "a bare tree"
make_tree
make_previous
cp "$deb" "$TREE/new.deb"
start_redis

# ---- install ----

say "install"
apt_in_tree update
apt_in_tree install /previous.deb
equal "compilers and -dev packages in the tree" \
	"$(in_tree dpkg-query --show --showformat='${Package}\n' | grep -cE -- '-dev$|^gcc$|^cmake$')" 0
equal "libraries that are missing" "$(in_tree ldd /usr/bin/cachewarden | grep -c 'not found')" 0
equal "state" "$(owner_of /var/lib/cachewarden)" "700 cachewarden:cachewarden"
equal "settings" "$(owner_of /etc/cachewarden)" "750 root:cachewarden"
equal "shell of the user" "$(in_tree getent passwd cachewarden | cut -d: -f7)" /usr/sbin/nologin
check "the unit is enabled" test -L "$TREE/etc/systemd/system/multi-user.target.wants/cachewarden.service"
check "the user may read the settings" as_service test -r /etc/cachewarden/cachewarden.conf
check "others may not" in_tree setpriv --reuid=nobody --regid=nogroup --clear-groups \
	sh -c '! test -r /etc/cachewarden/cachewarden.conf'

check_docs "$TREE/lib/systemd/system/cachewarden.service"

# ---- run ----

say "run"
edit_settings
check "a command of root before the first start" in_tree cachewarden user list >/dev/null
start_server
for file in "$TREE"/var/lib/cachewarden/*; do
	equal "${file##*/}" "$(owner_of "/var/lib/cachewarden/${file##*/}")" "600 cachewarden:cachewarden"
done
check "a key was made" test -s "$TREE/var/lib/cachewarden/users.db.secret"
key=$(sha256sum <"$TREE/var/lib/cachewarden/users.db.secret")
add_operator
token=$(sign_in)
check "signing in" test -n "$token"
equal "a clear" "$(call "$token" POST /api/cache/clear/)" \
	'{"version":2,"cleared":true,"message":"Cache cleared successfully (new version: 2)"}'
check_backups "$token"
stop_server

# ---- upgrade ----

say "upgrade from 0.0.9-1 to $version"
cp "$TREE/etc/cachewarden/cachewarden.conf" "$WORK/edited.conf"
apt_in_tree -o Dpkg::Options::=--force-confold install /new.deb
equal "version" "$(in_tree dpkg-query --show --showformat='${Version}' cachewarden)" "$version"
check "the administrator's settings are kept" cmp "$WORK/edited.conf" "$TREE/etc/cachewarden/cachewarden.conf"
check "the new ones lie beside them" cmp \
	<(sed 's|#directory = "./backups";|directory = "/var/lib/cachewarden/backups";|' "$ROOT/conf/cachewarden.conf") \
	"$TREE/etc/cachewarden/cachewarden.conf.dpkg-dist"
equal "the key" "$(sha256sum <"$TREE/var/lib/cachewarden/users.db.secret")" "$key"
start_server
equal "a token of before" "$(call "$token" GET /api/cache/status/)" \
	'{"enabled":true,"version":2,"message":"Cache is enabled"}'
check "an account of before" test -n "$(sign_in)"
stop_server

# ---- what the unit allows ----

say "the unit's limits against what the server does"
unit=$TREE/lib/systemd/system/cachewarden.service
start_server strace --follow-forks --quiet=all --decode-fds=path --output="$WORK/strace"
token=$(sign_in)
check "a clear" test -n "$(call "$token" POST /api/cache/clear/)"
made=$(call "$token" POST /api/v1/backups | sed -nE 's/.*"id":"([^"]+)".*/\1/p')
check "a backup" test -n "$made"
check "and its restore" grep -qF '"redis":"restored"' <(call "$token" POST "/api/v1/backups/$made/restore")
check "a reload" pkill -HUP -P "$SERVER_PID"
wait_until grep -q config.loaded "$WORK/server.log"
pkill -TERM -P "$SERVER_PID"
wait "$SERVER_PID" || die "ended with $?"
SERVER_PID=
sed -n '/execve("\/usr\/bin\/cachewarden"/,$p' "$WORK/strace" >"$WORK/calls"
"$HERE/check_unit.sh" "$unit" "$WORK/calls" "$TREE"

# ---- remove and purge ----

say "remove"
apt_in_tree remove cachewarden
check "the program is gone" test ! -e "$TREE/usr/bin/cachewarden"
check "the settings stay" cmp "$WORK/edited.conf" "$TREE/etc/cachewarden/cachewarden.conf"
check "the accounts stay" test -s "$TREE/var/lib/cachewarden/users.db"

say "purge"
apt_in_tree purge cachewarden
rm "$TREE/previous.deb" "$TREE/new.deb"
equal "left behind" "$(find "$TREE/etc" "$TREE/usr" "$TREE/var" "$TREE/lib/" "$TREE/run" \
	-iname '*cachewarden*' | sort)" ""

say "passed, $CHECKS checks"
