#!/bin/bash
# Runs inside the container that test_systemd.sh boots, as root. What it finds goes to /root/result.

set -euo pipefail
exec >/root/result 2>&1
CHECKS=0
BASE=http://127.0.0.1:8000
settings=/etc/cachewarden/cachewarden.conf
dropin=/etc/systemd/system/cachewarden.service.d/test.conf

die() {
	printf 'FAILED: %s\n' "$*"
	journalctl --unit=cachewarden --no-pager --lines=40 --output=cat
	exit 1
}

check() {
	local what=$1

	shift
	CHECKS=$((CHECKS + 1))
	"$@" || die "$what (${*@Q})"
}

equal() {
	CHECKS=$((CHECKS + 1))
	[ "$2" = "$3" ] || die "$1: found \"$2\", wanted \"$3\""
}

wait_until() {
	local end=$((SECONDS + 60))

	until "$@"; do
		[ $SECONDS -lt $end ] || die "waited in vain for: ${*@Q}"
		sleep 0.05
	done
}

now() {
	systemctl show --property="$1" --value cachewarden
}

is_ready() {
	[ "$(curl -s -o /dev/null -w '%{http_code}' "$BASE/health/ready")" = 200 ]
}

redis_is_connected() {
	curl -s "$BASE/health" | grep -qF '"status":"connected"'
}

logged() {
	# Whole, because grep would leave before the end.
	local log

	log=$(journalctl --unit=cachewarden --no-pager --output=cat)
	grep -qF -- "$1" <<<"$log"
}

# Settings of an administrator's own, in place of those of before.
drop_in() {
	mkdir -p "$(dirname "$dropin")"
	printf '[Service]\n' >"$dropin"
	printf '%s\n' "$@" >>"$dropin"
	systemctl daemon-reload
}

# ---- as it was installed ----

equal "after the boot" "$(systemctl is-active cachewarden)" active
equal "how it tells that it is ready" "$(now Type)" notify
equal "what it says of itself" "$(now StatusText)" "Listening on 127.0.0.1:8000"
wait_until redis_is_connected
check "a doctor's look" cachewarden doctor >/dev/null
status=/proc/$(now MainPID)/status
equal "capabilities" "$(sed -n 's/^CapEff:\t//p' "$status")" 0000000000000000
equal "system calls are filtered" "$(sed -n 's/^Seccomp:\t//p' "$status")" 2
exposure=$(systemd-analyze security --no-pager cachewarden | sed -nE 's/.*exposure level.*: ([0-9.]+) .*/\1/p')
check "exposure $exposure" test "$(printf '%s\n1.5\n' "$exposure" | sort -V | tail -n 1)" = 1.5

# ---- reload ----

pid=$(now MainPID)
cp "$settings" /root/settings
check "a reload" systemctl reload cachewarden
wait_until logged event=config.loaded
printf 'nonsense = 1;\n' >>"$settings"
check "a reload with a mistake fails" bash -c '! systemctl reload cachewarden 2>/dev/null'
check "and tells the line" logged "$settings:$(wc -l <"$settings")"
cp /root/settings "$settings"
equal "the process after both" "$(now MainPID)" "$pid"
check "which serves" is_ready

# ---- when it dies or hangs ----

has_new_pid() {
	[ "$(now MainPID)" != "$pid" ] && [ "$(now ActiveState)" = active ] && is_ready
}

kill -KILL "$pid"
wait_until has_new_pid
drop_in 'WatchdogSec=2'
systemctl restart cachewarden
pid=$(now MainPID)
fed=$(now WatchdogTimestampMonotonic)
is_fed() {
	[ "$(now WatchdogTimestampMonotonic)" -gt "$fed" ]
}
wait_until is_fed
equal "the process that feeds the watchdog" "$(now MainPID)" "$pid"
kill -STOP "$pid"
wait_until has_new_pid
check "the watchdog's word" logged "Watchdog timeout"
rm "$dropin"
systemctl daemon-reload

# ---- upgrade ----

systemctl restart cachewarden
pid=$(now MainPID)
check "an account made by root" cachewarden user add alice --email alice@example.com --superuser \
	--password-file - <<<violet-lantern-42 >/dev/null
dpkg-deb --raw-extract /new.deb /root/next
sed -i 's/^Version: .*/Version: 99-1/' /root/next/DEBIAN/control
rm /root/next/DEBIAN/md5sums
dpkg-deb --root-owner-group --build /root/next /root/next.deb >/dev/null
check "an upgrade" env DEBIAN_FRONTEND=noninteractive dpkg --install --force-confold /root/next.deb >/dev/null
check "restarts it" has_new_pid
sign_in() {
	curl -s "$BASE/auth/login" -H 'Content-Type: application/json' \
		-d '{"username":"alice","password":"violet-lantern-42"}' | grep -qF access_token
}
check "with its accounts" sign_in

# ---- backups ----

token=$(curl -s "$BASE/auth/login" -H 'Content-Type: application/json' \
	-d '{"username":"alice","password":"violet-lantern-42"}' | sed -nE 's/.*"access_token":"([^"]+)".*/\1/p')
made=$(curl -s -X POST "$BASE/api/v1/backups" -H "Authorization: Bearer $token" |
	sed -nE 's/.*"id":"([^"]+)".*/\1/p')
check "a backup of the service" test -s "/var/lib/cachewarden/backups/$made.tar.zst"
cd /
check "which its user finds" runuser -u cachewarden -- cachewarden backup verify "$made" >/dev/null
restored() {
	curl -s -X POST "$BASE/api/v1/backups/$made/restore" -H "Authorization: Bearer $token" |
		grep -qF '"redis":"restored"'
}
check "and the service puts back" restored

# ---- the drop-ins of docs/install.md ----

sed -i -e 's|^port .*|port 0|' -e 's|^# unixsocket .*|unixsocket /run/redis/redis-server.sock|' \
	-e 's|^# unixsocketperm .*|unixsocketperm 770|' /etc/redis/redis.conf
sed -i 's|^  #url = .*|  url = "unix:///run/redis/redis-server.sock";|' "$settings"
systemctl restart redis-server
drop_in 'SupplementaryGroups=redis' 'PrivateUsers=no'
systemctl restart cachewarden
wait_until redis_is_connected
sed -i 's|^  #listen = .*|  listen = [ "127.0.0.1:80" ];|' "$settings"
drop_in 'SupplementaryGroups=redis' 'AmbientCapabilities=CAP_NET_BIND_SERVICE' \
	'CapabilityBoundingSet=CAP_NET_BIND_SERVICE' 'PrivateUsers=no'
BASE=http://127.0.0.1:80
check "a restart on port 80" systemctl restart cachewarden
check "which serves" is_ready

# ---- remove and purge ----

check "removing" dpkg --remove cachewarden >/dev/null
equal "after that" "$(systemctl is-active cachewarden)" inactive
check "purging" dpkg --purge cachewarden >/dev/null
check "nothing is left" test ! -e /var/lib/cachewarden -a ! -e /etc/cachewarden

printf 'passed, %s checks\n' "$CHECKS"
