#!/usr/bin/env bash
# The Debian package under a systemd that was really booted, in a container of systemd-nspawn without a
# network: what the unit promises, and what docs/install.md says of it. The checks are in in_systemd.sh.
#
#   test_systemd.sh FOLDER    where packaging/build left the package
#
# A container needs root with all of its rights. Where it cannot be had, whoever knows that says so with
# CW_PACKAGE_BOOT=no.

set -euo pipefail
# shellcheck source=tests/packaging/tree.sh
. "$(dirname "${BASH_SOURCE[0]}")/tree.sh"

out=$(cd "${1:?the folder of the package}" && pwd)

if [ "${CW_PACKAGE_BOOT:-yes}" = no ]; then
	say "NOT TRIED, because CW_PACKAGE_BOOT=no"
	exit 0
fi

say "a bare tree with systemd"
make_tree
apt_in_tree update
apt_in_tree install systemd systemd-sysv dbus curl redis-server
cp "$out"/cachewarden_*_amd64.deb "$TREE/new.deb"
apt_in_tree install /new.deb
rm "$TREE/usr/sbin/policy-rc.d"
printf '127.0.0.1 localhost\n' >"$TREE/etc/hosts"
install -m 755 "$HERE/in_systemd.sh" "$TREE/root/check.sh"
cat >"$TREE/etc/systemd/system/check.service" <<'UNIT'
[Unit]
After=cachewarden.service redis-server.service
[Service]
Type=oneshot
ExecStart=/root/check.sh
ExecStopPost=/bin/systemctl poweroff --no-block
TimeoutStartSec=600
UNIT
ln -s ../check.service "$TREE/etc/systemd/system/multi-user.target.wants/check.service"

# Where there is no systemd outside, there is nobody to ask for a unit to be in.
keep=()
[ -d /run/systemd/system ] || keep=(--keep-unit)

say "boot"
# Its own exit status tells nothing of the checks, and complains of folders on some hosts.
timeout --kill-after=10 900 systemd-nspawn --quiet --directory="$TREE" --boot --register=no "${keep[@]}" \
	--machine="cachewarden-test-$$" --private-network --console=pipe </dev/null >"$WORK/boot.log" 2>&1 || true
rmdir "/run/systemd/nspawn/propagate/cachewarden-test-$$" 2>/dev/null || true
if [ ! -f "$TREE/root/result" ]; then
	tail -n 20 "$WORK/boot.log" >&2
	die "systemd did not boot in a container (CW_PACKAGE_BOOT=no leaves this out)"
fi
cat "$TREE/root/result"
grep -q '^passed, ' "$TREE/root/result" || die "see above"
