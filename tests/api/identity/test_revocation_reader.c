/* What a look leaves behind when it fails in the middle. The rest of the reader is in test_revocation_sync.c. */
#include "identity/revocation_reader.h"

#include "cachewarden/app.h"
#include "cachewarden/control.h"
#include "loopback.h"
#include "patience.h"
#include "redis_server.h"
#include "suite.h"

#include "cachewarden/clock.h"

#include <errno.h>
#include <stdlib.h>

/* How often the list may grow still, in the place of the C library's. */
static int growths = INT32_MAX;

void *reallocarray(void *memory, size_t count, size_t size)
{
    if (growths-- > 0)
        return realloc(memory, count * size);
    errno = ENOMEM;
    return NULL;
}

static struct redis_server *redis;
static struct loopback node;
static struct revocation_reader reader;

static void open_all(void)
{
    redis = redis_server_start(NULL);
    loopback_open(&node, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                    .is_unwatched = true});
    reader = (struct revocation_reader){.control = node.app->control,
                                        .guard = node.app->guard,
                                        .arena = arena_new(4096, 0),
                                        .budget_ms = PATIENCE_MS};
    ck_assert_int_eq(revocations_new(&reader.list), ERR_OK);
    /* The first who looks makes the record of the control data. */
    struct cache_state state;
    struct error error = {0};
    ck_assert_int_eq(
        control_status(node.app,
                       (struct work){reader.arena, clock_deadline_ns(PATIENCE_MS), &error}, 1, NULL,
                       &state),
        ERR_OK);
}

static void close_all(void)
{
    revocations_free(&reader.list);
    arena_free(&reader.arena);
    loopback_close(&node);
    redis_server_stop(&redis);
}

enum { MEMBERS = 100 };

static void revoke_all_of_them(void)
{
    redis_server_do(
        redis, "EVAL %s 0 %lld %d",
        "for i = 1, ARGV[2] do redis.call('ZADD', 'cw:revoked', ARGV[1], 't:token-' .. i) "
        "end redis.call('ZADD', 'cw:revoked', ARGV[1] + 9, 'nobody reads that') return 1",
        (long long)clock_wall_s() + 1000, MEMBERS);
}

/* What was not learnt is read again, and what nobody can read is counted once. */
START_TEST(no_memory_in_the_middle_of_a_page)
{
    struct error error = {0};
    revoke_all_of_them();
    growths = 1;
    ck_assert_int_eq(revocation_reader_look(&reader, &error), ERR_NO_MEMORY);
    ck_assert_uint_gt(revocations_count(reader.list), 0);
    ck_assert_uint_lt(revocations_count(reader.list), MEMBERS);
    ck_assert(reader.has_answer && !reader.is_whole);
    growths = INT32_MAX;
    ck_assert_int_eq(revocation_reader_look(&reader, &error), ERR_OK);
    ck_assert_uint_eq(revocations_count(reader.list), MEMBERS);
    ck_assert_uint_eq(reader.unreadable, 1);
    ck_assert(reader.is_whole && !reader.is_proven && reader.has_more);
    ck_assert_int_eq(revocation_reader_look(&reader, &error), ERR_OK);
    ck_assert(reader.is_proven && !reader.has_more);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/identity/revocation_reader");
    TCase *tcase = tcase_create("revocation_reader");
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, no_memory_in_the_middle_of_a_page);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
