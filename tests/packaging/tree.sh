# shellcheck shell=bash
# shellcheck disable=SC2016
# A bare Debian in a folder, and the installed server in it. Sourced by the tests beside it, which set
# -euo pipefail. Everything made here is gone at the end, but for the bare tree itself, packed in $CACHE.
#
# systemd cannot run in a folder, so the server is started as its unit would: as its user, in its
# folder, with an empty environment.

# shellcheck disable=SC2034 # some are used by the tests alone
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
CACHE=${CW_PACKAGE_CACHE:-$ROOT/build-package/cache}
WORK=$(mktemp -d)
TREE=$WORK/tree
SERVER_PID=
REDIS_PID=
CHECKS=0

say() {
	printf '%s: %s\n' "$(basename "$0")" "$*"
}

die() {
	say "FAILED: $*" >&2
	[ ! -f "$WORK/server.log" ] || tail -n 20 "$WORK/server.log" >&2
	exit 1
}

# check WHAT COMMAND…: the command succeeds
check() {
	local what=$1

	shift
	CHECKS=$((CHECKS + 1))
	"$@" || die "$what (${*@Q})"
}

# equal WHAT FOUND WANTED
equal() {
	CHECKS=$((CHECKS + 1))
	[ "$2" = "$3" ] || die "$1: found \"$2\", wanted \"$3\""
}

stop_pid() {
	local pid=$1

	kill "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
}

clean_up() {
	[ -z "$SERVER_PID" ] || stop_pid "$SERVER_PID"
	[ -z "$REDIS_PID" ] || stop_pid "$REDIS_PID"
	rm -rf --one-file-system "$WORK"
}
trap clean_up EXIT

# until COMMAND… succeeds; far longer than it takes on a busy machine
wait_until() {
	local end=$((SECONDS + 60))

	until "$@"; do
		[ $SECONDS -lt $end ] || die "waited in vain for: ${*@Q}"
		sleep 0.01
	done
}

# ---- the tree ----

# The mirror that this machine's own apt uses for its release.
read_mirror() {
	local line

	line=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' \
		'Created-By: Packages' 'Origin: Debian' | grep -vE -- '-(updates|security|backports) ' |
		head -n 1)
	[ -n "$line" ] || die "this machine's apt lists no Debian release: apt-get update"
	read -r MIRROR CODENAME _ <<<"$line"
}

# make_tree [CODENAME]: of this machine's release, or of another one that its mirror has
# shellcheck disable=SC2120
make_tree() {
	local packed

	[ "$(id -u)" -eq 0 ] || die "needs root: debootstrap and chroot"
	read_mirror
	CODENAME=${1:-$CODENAME}
	packed=$CACHE/$CODENAME.tar
	mkdir -p "$CACHE" "$TREE"
	if [ ! -f "$packed" ] || [ -n "$(find "$packed" -mtime +7)" ]; then
		say "making a bare $CODENAME"
		debootstrap --variant=minbase "$CODENAME" "$TREE" "$MIRROR" >"$WORK/debootstrap.log" 2>&1 ||
			{
				tail "$WORK/debootstrap.log" >&2
				die "debootstrap failed"
			}
		tar --create --file "$packed.new.$$" --directory "$TREE" .
		mv "$packed.new.$$" "$packed"
	else
		tar --extract --file "$packed" --directory "$TREE"
	fi
	cp --dereference /etc/resolv.conf "$TREE/etc/resolv.conf"
	printf '#!/bin/sh\nexit 101\n' >"$TREE/usr/sbin/policy-rc.d"
	chmod 755 "$TREE/usr/sbin/policy-rc.d"
}

in_tree() {
	chroot "$TREE" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
		DEBIAN_FRONTEND=noninteractive "$@"
}

as_service() {
	in_tree setpriv --reuid=cachewarden --regid=cachewarden --clear-groups --no-new-privs \
		--bounding-set=-all --inh-caps=-all sh -c 'cd /var/lib/cachewarden && umask 077 && exec "$@"' - "$@"
}

apt_in_tree() {
	in_tree apt-get -qq -y -o APT::Install-Recommends=false -o APT::Sandbox::User=root "$@" \
		>"$WORK/apt.log" 2>&1 || {
		tail -n 30 "$WORK/apt.log" >&2
		die "apt-get $* failed"
	}
}

# "MODE OWNER:GROUP" of a path in the tree, with the tree's own names.
owner_of() {
	in_tree stat --format='%a %U:%G' "$1"
}

# Every page of docs/ is there, as pages are installed (their links lead to where things are then), the
# snippets and clients as they are, and the unit names a page that is there.
check_docs() {
	local page doc=$TREE/usr/share/doc/cachewarden

	"$ROOT/cmake/install_pages.sh" "$WORK/pages"
	for page in "$WORK"/pages/docs/*.md; do
		check "the page ${page#"$WORK"/pages/}" cmp -s "$page" "$doc/${page#"$WORK"/pages/}"
	done
	for page in "$ROOT"/docs/snippets/* "$ROOT"/clients/*/*.*; do
		check "the file ${page#"$ROOT"/}" cmp -s "$page" "$doc/${page#"$ROOT"/}"
	done
	page=$(sed -n 's/^Documentation=.*file:\([^ ]*\).*/\1/p' "$1")
	check "the page $page, which the unit names" test -f "$TREE$page"
}

# ---- Redis and the server ----

free_port() {
	local port

	for _ in $(seq 100); do
		port=$((20000 + RANDOM % 10000))
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || {
			printf '%s\n' "$port"
			return
		}
	done
	die "no free port"
}

redis_answers() {
	[ "$(redis-cli -p "$REDIS_PORT" ping 2>/dev/null)" = PONG ]
}

start_redis() {
	REDIS_PORT=$(free_port)
	redis-server --bind 127.0.0.1 --port "$REDIS_PORT" --save '' --appendonly no --dir "$WORK" \
		>"$WORK/redis.log" 2>&1 &
	REDIS_PID=$!
	wait_until redis_answers
}

# What an administrator changes first.
edit_settings() {
	local file=$TREE/etc/cachewarden/cachewarden.conf

	HTTP_PORT=$(free_port)
	BASE=http://127.0.0.1:$HTTP_PORT
	sed -i -e "s|^  #listen = .*|  listen = [ \"127.0.0.1:$HTTP_PORT\" ];|" \
		-e "s|^  #url = .*|  url = \"redis://127.0.0.1:$REDIS_PORT/0\";|" "$file"
	printf '# edited by the administrator\n' >>"$file"
	check "the edited settings are accepted" as_service cachewarden serve --check-config >/dev/null
}

is_ready() {
	kill -0 "$SERVER_PID" 2>/dev/null || die "the server ended at its start"
	[ "$(curl -s -o /dev/null -w '%{http_code}' "$BASE/health/ready")" = 200 ]
}

# start_server [COMMAND…]: the words before chroot, such as strace and its options
# shellcheck disable=SC2120
start_server() {
	: >"$WORK/server.log"
	"$@" chroot "$TREE" /usr/bin/setpriv --reuid=cachewarden --regid=cachewarden --clear-groups \
		--no-new-privs --bounding-set=-all --inh-caps=-all --reset-env \
		sh -c 'cd /var/lib/cachewarden && umask 077 && exec /usr/bin/cachewarden serve' \
		>"$WORK/server.log" 2>&1 &
	SERVER_PID=$!
	wait_until is_ready
}

stop_server() {
	local status=0

	kill "$SERVER_PID"
	wait "$SERVER_PID" || status=$?
	SERVER_PID=
	equal "the server's exit status after SIGTERM" "$status" 0
}

# ---- backups ----

# By the service and by a command, wherever that is started: in one folder, which the settings name.
check_backups() {
	local made

	made=$(as_service sh -c 'cd / && exec cachewarden backup create --json' 2>/dev/null |
		sed -nE 's/.*"id":"([^"]+)".*/\1/p')
	check "a backup made by a command" test -s "$TREE/var/lib/cachewarden/backups/$made.tar.zst"
	equal "the folder of backups" "$(owner_of /var/lib/cachewarden/backups)" "700 cachewarden:cachewarden"
	equal "the backup" "$(owner_of "/var/lib/cachewarden/backups/$made.tar.zst")" "600 cachewarden:cachewarden"
	check "is found by the server" grep -qF "\"id\":\"$made\"" <(call "$1" GET /api/v1/backups)
	made=$(call "$1" POST /api/v1/backups | sed -nE 's/.*"id":"([^"]+)".*/\1/p')
	check "one made by the server" test -n "$made"
	check "is found by a command" as_service cachewarden backup verify "$made" >/dev/null
}

# ---- using it ----

PASSWORD=violet-lantern-42

add_operator() {
	as_service cachewarden user add alice --email alice@example.com --superuser --password-file - \
		<<<"$PASSWORD" >/dev/null || die "user add failed"
}

sign_in() {
	curl -s "$BASE/auth/login" -H 'Content-Type: application/json' \
		-d "{\"username\":\"alice\",\"password\":\"$PASSWORD\"}" |
		sed -nE 's/.*"access_token":"([^"]+)".*/\1/p'
}

# call TOKEN METHOD PATH
call() {
	curl -s -X "$2" "$BASE$3" -H "Authorization: Bearer $1"
}
