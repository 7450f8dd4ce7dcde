#!/usr/bin/env bash
# Sees the rules fail: every line marked "bad" in a made-up tree must be complained of, and no other.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/{include/cachewarden,base,pool/protocol,auth/{tokens,users/sqlite},api/{control,jobs,limits,things},server/http,tests/base}
cd "$tree"

cat >include/cachewarden/error.h <<'EOF'
#include <stdbool.h>
#include "cachewarden/redis.h" /* bad */
EOF
echo '#include "cachewarden/error.h"' >include/cachewarden/redis.h
echo '/* bad: nobody knows this header */' >include/cachewarden/novelty.h
cat >base/json.c <<'EOF'
#include "cachewarden/json.h"
#include <jansson.h>
#include <sqlite3.h>            /* bad */
#include "cachewarden/value.h"  /* bad */
/* strcpy(a, b) in a comment
 * sprintf(a, b) and over lines
 */
const char *text = "strcpy(a, b) /* in a string";
char quote = '"'; int x = atoi(s); /* bad */
// system("x")
EOF
cat >base/lock.c <<'EOF'
void f(void) { pthread_mutex_lock(&m); }
EOF
cat >pool/protocol/reply.c <<'EOF'
#include "protocol/resp.h"
#include "pool_private.h"        /* bad */
#include "transport/transport.h" /* bad */
#include <hiredis/hiredis.h>
EOF
cat >auth/users/sqlite/driver.c <<'EOF'
#include "users/sqlite/sqlite.h"
#include "users/driver.h"
#include "users/postgres/postgres.h" /* bad */
#include "ttl_cache.h"                    /* bad */
#include <sqlite3.h>
#define TEXT_OF(column) "value ->> '" column "'" /* bad */
EOF
cat >auth/tokens/token.c <<'EOF'
#include "tokens/jws.h"
#include "ttl_cache.h"
#include "users/driver.h" /* bad */
#include "api_key.h"      /* bad */
EOF
cat >pool/pool.c <<'EOF'
#include "cachewarden/token.h"   /* bad */
#include "cachewarden/missing.h" /* bad */
#include "../auth/jws.h"         /* bad */
#include <hiredis/hiredis.h>   /* bad */
#include <openssl/ssl.h>         /* bad */
#include <magic.h>               /* bad */
#include <stdlib.h>
void g(void)
{
    pthread_mutex_lock(&m);      /* bad */
    pthread_create(&t, 0, f, 0); /* bad */
    clock_gettime(0, &t);        /* bad */
    add("GET"), add("SCAN");     /* bad */
    PIPELINE_ADD(p, E, STR("GET"), key_str(&k)); /* bad */
    strcat (a, b);               /* bad */
    my_strcat(a, b), x->system(1), table.random(2);
    time_t time;
}
EOF
echo 'typedef struct thing thing; /* bad */' >auth/jws.h
echo 'typedef int (*call_fn)(int);' >auth/token.c
cat >api/control/clear.c <<'EOF'
#include "cachewarden/token.h"
#include "cachewarden/redis.h"
#include <civetweb.h> /* bad */
/* bad: TODO */
EOF
cat >server/http/http.c <<'EOF'
#include <civetweb.h>
#include "civetweb_extra.h"
#include <libconfig.h> /* bad */
#include "http/guard.h"
#include "config/config.h" /* bad */
EOF
cat >api/app.c <<'EOF'
#include "control/clear.h"
#include "control/control_private.h" /* bad */
EOF
cat >api/limits/count.c <<'EOF'
#include "keyspace.h"
#include "limits/window.h"
#include "audit/calls.h" /* bad */
EOF
cat >api/jobs/jobs.c <<'EOF'
#include "caches/targets.h"
#include "entries/lease.h" /* bad */
EOF
cat >api/things/things.c <<'EOF'
#include "things/things.h" /* bad: a folder without a row */
EOF
cat >api/control/pools.c <<'EOF'
struct pool *pool;              /* bad */
struct pool_options *options;
int x = pool_run(pool);         /* bad */
bool y = address->unix_path;    /* bad */
EOF
cat >api/control/look.c <<'EOF'
#include "control/control_private.h"
EOF
cat >tests/base/test_json.c <<'EOF'
#include <check.h>
#include <jansson.h>
char *f(void) { add("SCAN"); return strtok(a, b); } /* bad */
void g(void) { tcase_set_timeout(tcase, 5); } /* bad */
EOF
printf '/* %s…%s */\n' "$(printf 'x%.0s' {1..100})" "$(printf 'y%.0s' {1..13})" >base/wide.h
printf '/* %s…%s bad */\n' "$(printf 'x%.0s' {1..100})" "$(printf 'y%.0s' {1..10})" >>base/wide.h
seq -f 'int line_%g;' 601 >base/long.c
sed -i '601s,$, /* bad */,' base/long.c

wanted=$(grep -rn 'bad' . | sed -E 's,^\./,,; s,^([^:]*:[0-9]+):.*,\1,' | sort)
if output=$("$here/rules.sh" "$tree"); then
	echo "the rules found nothing in a tree full of faults" >&2
	exit 1
fi
found=$(printf '%s\n' "$output" | sed -E 's,^([^:]*:[0-9]+):.*,\1,' | sort)
diff <(printf '%s\n' "$wanted") <(printf '%s\n' "$found") >&2 || {
	echo "left: faults that are there; right: complaints" >&2
	exit 1
}
echo "$(printf '%s\n' "$wanted" | wc -l) faults, all of them seen and nothing else"
