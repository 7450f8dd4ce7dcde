# The house rules that can be read off the text of the C files. Run by rules.sh, from the root of
# the tree, with every .c and .h file as arguments. Prints "file:line: what is wrong".

BEGIN {
	# Which rooms a room may use. tests/ may use everything.
	uses["base"] = "base"
	uses["pool"] = "pool base"
	uses["auth"] = "auth base"
	uses["api"] = "api auth pool base"
	uses["server"] = "server api auth pool base"

	# Folders that may not look up: which folders and files of their room they may use.
	below["auth/issuers"] = "issuers tokens ttl_cache.h"
	below["auth/passwords"] = "passwords"
	below["auth/tokens"] = "tokens ttl_cache.h"
	below["auth/users"] = "users"
	below["auth/users/postgres"] = "users/postgres users"
	below["auth/users/sqlite"] = "users/sqlite users"
	# Inside api/, every folder has a row. "top" are the headers at the top of api/: names of keys, operations.
	# Three pairs use each other:
	# - control writes a record when a cache is cleared, and the list of audit asks whose control data it reads:
	#   that header of control alone.
	# - caches and entries start a job to scan for them, and a job asks each of them which Redis it works on:
	#   that header of each alone.
	top = "keyspace.h ops.h redis_reply.h etag.h scan.h shard.h"
	below["api/audit"] = top " audit control/installation.h"
	below["api/backup"] = top " backup audit control entries identity jobs/pace.h"
	below["api/caches"] = top " caches audit control jobs/service.h"
	below["api/compat"] = top " compat audit caches control identity"
	below["api/control"] = top " control audit/calls.h limits"
	below["api/entries"] = top " entries audit control jobs/service.h"
	below["api/gateway"] = top " gateway gateway/rules entries control audit"
	below["api/gateway/rules"] = "gateway/rules"
	below["api/health"] = top " health audit backup caches entries gateway jobs"
	below["api/identity"] = top " identity audit control limits"
	below["api/jobs"] = top " jobs audit control caches/targets.h entries/service.h"
	below["api/limits"] = top " limits"
	below["pool/protocol"] = "protocol"
	below["pool/transport"] = "transport protocol"
	below["server/http"] = "http"
	below["server/config"] = "config http"
	below["server/demo"] = "demo config http"
	below["server/reference"] = "reference config http"
	below["server/process"] = "process reference demo config http"

	# The shared headers (include/cachewarden/) and whose they are.
	own("base", "arena body_source clock cron die error exposition http_client http_field json key_ring lock log owner random resolver secret sink str thread work zone")
	own("pool", "pipeline redis redis_error tls_summary value")
	own("auth", "api_keys cipher digest identity issuer mac password permit principal revocations token users users_copy users_move xsrf")
	own("api", "app audit audit_search backup_restore backup_result backup caches call control entries examples gateway gateway_explain health jobs limits namespace params routes session tally")
	owner["limits.def"] = "api"
	owner["redis_commands.def"] = "api"

	# Foreign headers have one home: a folder, a file, or (with *) a file and its parts.
	home["archive.h"] = "api/backup/writer.c api/backup/reader.c"
	home["archive_entry.h"] = "api/backup/writer.c api/backup/reader.c"
	home["argon2.h"] = "auth/passwords/password.c"
	home["civetweb.h"] = "server/http/"
	home["civetweb_extra.h"] = "server/http/"
	home["curl/"] = "base/http_connection.c"
	home["hiredis/"] = "pool/protocol/"
	home["jansson.h"] = "base/json.c"
	home["libconfig.h"] = "server/config/"
	home["libpq-fe.h"] = "auth/users/postgres/"
	home["openssl/"] = "auth/cipher.c auth/digest.c auth/tokens/ pool/transport/ server/http/tls.c"
	home["sqlite3.h"] = "auth/users/sqlite/"

	# Everything else in angle brackets is C11, POSIX or Linux.
	n = split("arpa/inet.h assert.h ctype.h dirent.h errno.h fcntl.h float.h ifaddrs.h " \
		"inttypes.h limits.h linux/futex.h locale.h math.h net/if.h netdb.h netinet/in.h " \
		"malloc.h netinet/tcp.h poll.h pthread.h pwd.h sanitizer/asan_interface.h sched.h semaphore.h setjmp.h signal.h " \
		"spawn.h stdalign.h stdarg.h stdatomic.h stdbool.h stddef.h stdint.h stdio.h stdlib.h " \
		"stdnoreturn.h string.h strings.h sys/epoll.h sys/eventfd.h sys/file.h sys/mman.h " \
		"sys/prctl.h sys/random.h sys/resource.h sys/socket.h sys/stat.h sys/statvfs.h sys/syscall.h " \
		"sys/time.h sys/types.h sys/un.h sys/wait.h syslog.h termios.h time.h unistd.h", names, " ")
	for (i = 1; i <= n; i++)
		is_system[names[i]] = 1

	ban("strcpy stpcpy strcat strncpy strncat sprintf vsprintf gets", "it does not know the size: snprintf or strbuf")
	ban("strtok", "it has hidden state: str_split or a loop")
	ban("atoi atol atoll atof", "it cannot tell an error: the parsers of str.h")
	ban("system popen", "no shell")
	ban("rand srand random srandom drand48", "random.h")
	ban("asctime asctime_r ctime ctime_r localtime gmtime", "it is not thread-safe or not sized: gmtime_r")
	ban("tmpnam tempnam mktemp", "mkstemp or mkdtemp")
	ban("alloca", "the stacks are small")
	ban("mg_handle_form_request", "it can be made to loop for ever")
	ban("tcase_set_timeout", "a slow machine would fail: CW_CHECK_TIMEOUT_S ends a test that hangs")

	# Words for Redis whose cost grows with the data, or that run scripts.
	slow_commands = "\"(KEYS|SSCAN|HSCAN|ZSCAN|SMEMBERS|FLUSHALL|EVAL|EVALSHA|SCRIPT)\""

	# A job scans, little by little, and the pool knows that this changes nothing.
	scanning_files = "^(\\./)?(api/backup/(control_data|entries_read)\\.c|api/jobs/step\\.c|pool/pipeline\\.c)$"

	# Whoever runs pipelines holds a struct redis. Which servers stand behind it, with a pool of connections
	# each, is the pool's own affair; where they are is read from the settings, and compared by these.
	address_readers = "^(\\./)?(server/config/|api/caches/caches_open\\.c$)"

	max_lines = 600
	max_columns = 120
}

function own(room, names,   list, n, i)
{
	n = split(names, list, " ")
	for (i = 1; i <= n; i++)
		owner[list[i] ".h"] = room
}

function ban(names, instead,   list, n, i)
{
	n = split(names, list, " ")
	for (i = 1; i <= n; i++)
		banned[list[i]] = instead
}

function complain(what)
{
	printf "%s:%d: %s\n", FILENAME, FNR, what
	failed = 1
}

# The line with comments and the insides of strings gone; in_comment lives across lines.
function code_of(line,   out, c, i, len, quote)
{
	out = ""
	len = length(line)
	for (i = 1; i <= len; i++) {
		c = substr(line, i, 1)
		if (in_comment) {
			if (c == "*" && substr(line, i + 1, 1) == "/") {
				in_comment = 0
				i++
			}
		} else if (quote != "") {
			if (c == "\\")
				i++
			else if (c == quote) {
				quote = ""
				out = out c
			}
		} else if (c == "/" && substr(line, i + 1, 1) == "*") {
			in_comment = 1
			i++
		} else if (c == "/" && substr(line, i + 1, 1) == "/")
			break
		else {
			if (c == "\"" || c == "'")
				quote = c
			out = out c
		}
	}
	return out
}

function is_home(homes, file,   list, n, i)
{
	n = split(homes, list, " ")
	for (i = 1; i <= n; i++) {
		if (list[i] == file)
			return 1
		if (sub(/[*]$|[/]$/, "", list[i]) && index(file, list[i]) == 1)
			return 1
	}
	return 0
}

function check_shared_header(name)
{
	if (!(name in owner))
		complain("cachewarden/" name " is not in the table of shared headers in tests/tidy/rules.awk")
	else if (room in uses && index(" " uses[room] " ", " " owner[name] " ") == 0)
		complain(room " must not use " owner[name] " (cachewarden/" name ")")
}

function check_foreign_header(name,   prefix)
{
	for (prefix in home)
		if (index(name, prefix) == 1) {
			if (room != "tests" && !is_home(home[prefix], FILENAME))
				complain("<" name "> has its home in " home[prefix])
			return
		}
	if (room != "tests" && !(name in is_system))
		complain("<" name "> is neither a system header nor one with a home in tests/tidy/rules.awk")
}

# A header of the room itself, named from its root. What a folder keeps to itself is its <name>_private.h.
function check_own_header(name,   folder, here, of)
{
	folder = FILENAME
	sub(/\/[^\/]*$/, "", folder)
	here = folder
	if (!sub(/^[^\/]*\//, "", here))
		here = ""
	of = name
	if (!sub(/\/[^\/]*$/, "", of))
		of = ""
	if (folder ~ /^api\// && !(folder in below))
		complain("give " folder " a row in tests/tidy/rules.awk: which folders of api/ it may use")
	if (folder in below && index(" " below[folder] " ", " " of " ") == 0 &&
	    index(" " below[folder] " ", " " name " ") == 0)
		complain(folder " may include only " below[folder])
	else if (name ~ /_private\.h$/ && of != here && room != "tests")
		complain(name " is for the files beside it: what others need goes into a header of its own")
}

function check_include(line,   name)
{
	name = line
	sub(/^[^<"]*[<"]/, "", name)
	sub(/[>"].*$/, "", name)
	if (name ~ /\.\.\//)
		complain("an include must not climb out of its room")
	if (name ~ /^cachewarden\//)
		check_shared_header(substr(name, length("cachewarden/") + 1))
	else if (line ~ /</ || name ~ /^civetweb/)
		check_foreign_header(name)
	else
		check_own_header(name)
}

function check_calls(code,   rest, name)
{
	rest = code
	while (match(rest, /[A-Za-z_][A-Za-z0-9_]*[ \t]*\(/)) {
		name = substr(rest, RSTART, RLENGTH - 1)
		sub(/[ \t]+$/, "", name)
		if (name in banned && substr(rest, RSTART - 1, 1) !~ /[.>]/)
			complain(name "(): " banned[name])
		if (room != "tests" && FILENAME != "base/lock.c" && name ~ /^pthread_(mutex|cond|rwlock|spin)_/)
			complain(name "(): locks are those of lock.h, with their ranks")
		if (room != "tests" && FILENAME !~ /^(base\/thread|server\/http\/capacity)\.c$/ &&
		    name == "pthread_create")
			complain(name "(): threads are started by thread.h")
		if (room !~ /^(tests|pool)$/ && name ~ /^pool_/)
			complain(name "(): what runs pipelines is struct redis (redis.h); the pools are behind it")
		if (room != "tests" && FILENAME != "base/clock.c" && name ~ /^(clock_gettime|gettimeofday|time)$/)
			complain(name "(): the time is that of clock.h")
		rest = substr(rest, RSTART + RLENGTH)
	}
}

FNR == 1 {
	in_comment = 0
	room = FILENAME
	sub(/\/.*/, "", room)
	# A shared header obeys the rules of the room that owns it.
	if (room == "include") {
		base_name = FILENAME
		sub(/.*\//, "", base_name)
		room = (base_name in owner) ? owner[base_name] : "unknown"
		if (room == "unknown")
			complain("add this header to the table in tests/tidy/rules.awk")
	}
}

FNR == max_lines + 1 { complain("longer than " max_lines " lines: what are the two things in it?") }

# clang-format leaves comments as wide as they are. Bytes are counted but those that go on a character (UTF-8).
{
	wide = $0
	gsub(/[\200-\277]/, "", wide)
	if (length(wide) > max_columns)
		complain("wider than " max_columns " columns")
}

/TODO|FIXME|(^|[^X])XXX([^X]|$)/ { complain("do it, or open an issue") }

FILENAME ~ /auth\/users\/sqlite\// && /->>/ { complain("SQLite has this only from 3.38 on: json_extract") }
room != "tests" && /"SCAN"/ && FILENAME !~ scanning_files { complain("only a job and a backup scan: api/jobs/step.c") }
room != "tests" && /PIPELINE_ADD\(.*key_str\(/ { complain("a command that names a key: PIPELINE_KEY") }
room != "tests" && $0 ~ slow_commands { complain("this command's cost grows with the data, or it runs scripts") }

{
	was_in_comment = in_comment
	code = code_of($0)
	if (!was_in_comment && /^[ \t]*#[ \t]*include/)
		check_include($0)
	else {
		check_calls(code)
		if (room !~ /^(tests|pool)$/ && code ~ /struct pool([^_A-Za-z0-9]|$)/)
			complain("struct pool is behind struct redis (redis.h)")
		if (room !~ /^(tests|pool)$/ && code ~ /(->|\.)unix_path/ && FILENAME !~ address_readers)
			complain("where a server is, is for the pool and the settings to know")
		if (code ~ /typedef[ \t]+(struct|union|enum)/)
			complain("structs, unions and enums are written out")
	}
}

END { exit failed }
