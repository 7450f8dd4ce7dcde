#!/usr/bin/env bash
# The image, without a program that makes images: the steps of packaging/container/Containerfile in two bare
# Debian trees, as a builder takes them, then the node as a container runs it: as the image's user, on a read-only
# root, with the image's environment, entry point and health check.
#
#   test_container.sh
#
# It says nothing about layers, image formats and the networks of containers.
# shellcheck disable=SC2016 # words for the shell in the tree

set -euo pipefail
# shellcheck source=tests/packaging/tree.sh
. "$(dirname "${BASH_SOURCE[0]}")/tree.sh"

FILE=$ROOT/packaging/container/Containerfile
BUILD_TREE=$WORK/build-stage
STATE=$WORK/state
POSTGRES_PID=
ENVIRONMENT=() ENTRYPOINT=() COMMAND=() HEALTH=() SETTINGS=()
DIRECTORY=/
USER_IDS=0:0

# ---- the steps ----

# The release that an image of Debian has.
codename_of() {
	case $1 in
	debian:13-slim) printf trixie ;;
	debian:12-slim) printf bookworm ;;
	*) die "unknown image: $1" ;;
	esac
}

# With /proc and /dev, which a builder gives to each step.
run_step() {
	unshare --mount sh -euc '
		tree=$1 directory=$2 step=$3; shift 3
		mount -t proc proc "$tree/proc"
		mount --rbind /dev "$tree/dev"
		exec chroot "$tree" env -i --chdir="$directory" PATH=/usr/sbin:/usr/bin:/sbin:/bin \
			DEBIAN_FRONTEND=noninteractive "$@" sh -c "$step"' - "$TREE" "$DIRECTORY" "$1" "${ENVIRONMENT[@]}" \
		>"$WORK/step.log" 2>&1 || {
		tail -n 40 "$WORK/step.log" >&2
		die "the step failed: $1"
	}
}

copy_sources() {
	mkdir -p "$TREE$1"
	tar --create --directory "$ROOT" --anchored --exclude-from="$WORK/ignored" \
		--no-anchored --exclude-from="$WORK/ignored-anywhere" . | tar --extract --directory "$TREE$1" --no-same-owner
}

# take_step NAME WORDS…
take_step() {
	local name=$1 source target

	shift
	case $name in
	FROM)
		if [ -d "$TREE" ]; then
			[ ! -d "$BUILD_TREE" ] || die "more than two stages"
			mv "$TREE" "$BUILD_TREE"
		fi
		make_tree "$(codename_of "${1%% *}")"
		ENVIRONMENT=() DIRECTORY=/
		;;
	COPY)
		if [[ $1 == --from=build\ * ]]; then
			read -r _ source target <<<"$1"
			# shellcheck disable=SC2086 # a pattern
			cp "$BUILD_TREE"$source "$TREE$target"
		else
			read -r source target <<<"$1"
			[ "$source" = . ] || die "unknown COPY $1"
			copy_sources "$target"
		fi
		;;
	RUN) run_step "$1" ;;
	ENV) ENVIRONMENT+=("$1") ;;
	USER) USER_IDS=$1 ;;
	WORKDIR)
		DIRECTORY=$1
		mkdir -p "$TREE$1"
		;;
	VOLUME) equal "the volume" "$1" /var/lib/cachewarden ;;
	EXPOSE) equal "the port" "$1" 8000 ;;
	ENTRYPOINT) ENTRYPOINT=("$@") ;;
	CMD) COMMAND=("$@") ;;
	HEALTHCHECK) HEALTH=("$@") ;;
	esac
}

take_steps() {
	local -a words

	# What .dockerignore says, as tar reads it
	sed -n -e '/^\*\*/d' -e 's,^[^#],./&,p' "$ROOT/.dockerignore" >"$WORK/ignored"
	sed -n -e 's,^\*\*/,,p' "$ROOT/.dockerignore" >"$WORK/ignored-anywhere"
	python3 "$HERE/container_steps.py" "$FILE" >"$WORK/steps"
	while IFS=$'\t' read -r -a words <&3; do
		say "${words[*]:0:100}"
		take_step "${words[@]}"
	done 3<"$WORK/steps"
}

# ---- as a container runs it ----

# in_container STATE-FOLDER|none NAME=VALUE… COMMAND…: the root cannot be written; the folder is the volume. With EXEC
# it takes the place of the shell, so that a signal for that is for the command.
in_container() {
	local state=$1

	shift
	${EXEC:+exec} unshare --mount sh -euc '
		tree=$1 state=$2 ids=$3 directory=$4; shift 4
		mount --bind "$tree" "$tree"
		mount -t proc proc "$tree/proc"
		mount --rbind /dev "$tree/dev"
		[ "$state" = none ] || mount --bind "$state" "$tree/var/lib/cachewarden"
		mount -o remount,ro,bind "$tree"
		exec chroot "$tree" setpriv --reuid="${ids%:*}" --regid="${ids#*:}" --clear-groups --no-new-privs \
			--bounding-set=-all --inh-caps=-all \
			env -i --chdir="$directory" PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"' - \
		"$TREE" "$state" "$USER_IDS" "$DIRECTORY" "${ENVIRONMENT[@]}" "$@"
}

# start_node STATE-FOLDER|none NAME=VALUE…
start_node() {
	HTTP_PORT=$(free_port)
	BASE=http://127.0.0.1:$HTTP_PORT
	SETTINGS=("CACHEWARDEN_LISTEN=0.0.0.0:$HTTP_PORT" "REDIS_URL=redis://127.0.0.1:$REDIS_PORT/0" "${@:2}")
	: >"$WORK/server.log"
	EXEC=yes in_container "$1" "${SETTINGS[@]}" "${ENTRYPOINT[@]}" "${COMMAND[@]}" >"$WORK/server.log" 2>&1 &
	SERVER_PID=$!
	wait_until is_ready
}

is_unwritable() {
	! in_container none sh -c ': >/var/lib/cachewarden/x' 2>/dev/null
}

start_postgres() {
	local bin

	bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | tail -n 1)
	POSTGRES_PORT=$(free_port)
	install -d -o postgres "$WORK/postgres"
	chmod 0755 "$WORK"
	setpriv --reuid=postgres --regid=postgres --clear-groups "$bin/initdb" --auth=trust --username=cachewarden \
		--pgdata="$WORK/postgres/data" >"$WORK/initdb.log"
	setpriv --reuid=postgres --regid=postgres --clear-groups "$bin/postgres" -D "$WORK/postgres/data" -F \
		-c listen_addresses=127.0.0.1 -c port="$POSTGRES_PORT" -c unix_socket_directories= \
		>"$WORK/postgres.log" 2>&1 &
	POSTGRES_PID=$!
	wait_until "$bin/pg_isready" -q -h 127.0.0.1 -p "$POSTGRES_PORT"
}

stop_postgres() {
	[ -z "$POSTGRES_PID" ] || stop_pid "$POSTGRES_PID"
	clean_up
}

# ---- the test ----

trap stop_postgres EXIT
take_steps
start_redis
equal "the user" "$USER_IDS" 10001:10001
equal "the folder of the state" "$(owner_of /var/lib/cachewarden)" "700 cachewarden:cachewarden"
check "a root that cannot be written" is_unwritable

say "with a volume: SQLite"
install -d -m 0700 -o 10001 -g 10001 "$STATE"
start_node "$STATE"
check "the health check" in_container "$STATE" "${SETTINGS[@]}" "${HEALTH[@]}"
in_container "$STATE" "${SETTINGS[@]}" "${ENTRYPOINT[@]}" user add alice --email alice@example.com --superuser \
	--password-file - <<<"$PASSWORD" >/dev/null || die "user add failed"
token=$(sign_in)
check "a clear" grep -q '"version": *[0-9]' <(call "$token" POST /api/cache/clear/)
stop_server
if in_container "$STATE" "${SETTINGS[@]}" "${HEALTH[@]}" 2>/dev/null; then
	die "the health check of a node that has ended says it is well"
fi

say "without a volume: PostgreSQL"
start_postgres
redis-cli -p "$REDIS_PORT" flushall >/dev/null
openssl rand -hex 32 >"$TREE/run/jwt_secret"
printf 'postgresql://cachewarden@127.0.0.1:%s/postgres\n' "$POSTGRES_PORT" >"$TREE/run/database_url"
start_node none JWT_SECRET_FILE=/run/jwt_secret DATABASE_URL_FILE=/run/database_url
check "the health check" in_container none "${SETTINGS[@]}" "${HEALTH[@]}"
stop_server
equal "what was written" "$(ls -A "$TREE/var/lib/cachewarden")" ""
say "$CHECKS checks passed"
