/* Trying a Redis, and what is said of one that refuses. */
#include "cachewarden/control.h"

#include "cachewarden/clock.h"
#include "loopback.h"
#include "patience.h"
#include "redis_server.h"
#include "suite.h"

#include <string.h>

static struct redis_server *redis;
static struct loopback loopback;
static struct arena *arena;
static struct error error;

static void open_all(void)
{
    redis = redis_server_start(NULL);
    loopback_open(&loopback, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                        .is_unwatched = true});
    arena = arena_new(4096, 0);
}

static void close_all(void)
{
    arena_free(&arena);
    loopback_close(&loopback);
    redis_server_stop(&redis);
}

static enum err try_write(void)
{
    error_clear(&error);
    return control_try_write(loopback.app->control,
                             (struct work){arena, clock_deadline_ns(PATIENCE_MS), &error});
}

START_TEST(all_is_well_and_nothing_is_left_behind)
{
    ck_assert_int_eq(try_write(), ERR_OK);
    ck_assert_int_eq(redis_server_ask_integer(redis, "DBSIZE"), 0);
}
END_TEST

/* The command, in the caller's text; in the log's, what Redis said: printable, whatever came. */
START_TEST(a_refusal_names_the_command)
{
    redis_server_do(redis, "ACL SETUSER default -multi");
    ck_assert_int_eq(try_write(), ERR_UPSTREAM_REFUSED);
    ck_assert_str_eq(error.caller, "redis refused MULTI (NOPERM)");
    ck_assert_msg(strncmp(error.detail, "NOPERM ", 7) == 0 && strstr(error.detail, "'multi'"), "%s",
                  error.detail);
    redis_server_do(redis, "ACL SETUSER default +multi -hmget");
    ck_assert_int_eq(try_write(), ERR_UPSTREAM_REFUSED);
    ck_assert_str_eq(error.caller, "redis refused HMGET (NOPERM)");
    redis_server_do(redis, "ACL SETUSER default +hmget");
    ck_assert_int_eq(redis_server_ask_integer(redis, "DBSIZE"), 0);
}
END_TEST

/* In the place of the usual one. */
static void open_with(const char *const *args)
{
    close_all();
    redis = redis_server_start(&(struct redis_server_options){.args = args});
    loopback_open(&loopback, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                        .is_unwatched = true});
    arena = arena_new(4096, 0);
}

/* A node of a cluster: first it has no slots, then all of them, and takes no transaction of several keys. */
START_TEST(a_cluster_cannot_be_cleared)
{
    open_with((const char *const[]){"--cluster-enabled", "yes", NULL});
    ck_assert_int_eq(try_write(), ERR_UPSTREAM_REFUSED);
    ck_assert_str_eq(error.caller, "redis refused SET (CLUSTERDOWN)");
    ck_assert_str_eq(error.detail, "CLUSTERDOWN Hash slot not served");
    redis_server_do(redis, "CLUSTER ADDSLOTSRANGE 0 16383");
    while (try_write() == ERR_UPSTREAM_REFUSED && strstr(error.caller, "CLUSTERDOWN"))
        continue; /* it looks at its slots now and then */
    ck_assert_str_eq(error.caller, "redis refused EXEC (CROSSSLOT)");
    ck_assert_str_eq(error.detail, "CROSSSLOT Keys in request don't hash to the same slot");
}
END_TEST

/* What a proxy says, too; Redis repeats the arguments behind it. */
START_TEST(a_command_that_is_not_known)
{
    open_with((const char *const[]){"--rename-command", "HMGET", "hidden", NULL});
    ck_assert_int_eq(try_write(), ERR_UPSTREAM_REFUSED);
    ck_assert_str_eq(error.caller, "redis refused HMGET (ERR)");
    ck_assert_str_eq(error.detail, "ERR unknown command 'HMGET'");
}
END_TEST

/* A cause that has words of its own keeps them. */
START_TEST(a_full_redis_is_full)
{
    redis_server_do(redis, "CONFIG SET maxmemory 1");
    ck_assert_int_eq(try_write(), ERR_UPSTREAM_REFUSED);
    ck_assert_str_eq(error.caller, "redis out of memory");
    ck_assert_msg(strncmp(error.detail, "OOM ", 4) == 0, "%s", error.detail);
}
END_TEST

/* Without it a transaction never ends, and no answer can be believed. */
START_TEST(without_exec_nothing_is_believed)
{
    redis_server_do(redis, "ACL SETUSER default -exec");
    ck_assert_int_ne(try_write(), ERR_OK);
    redis_server_do(redis, "ACL SETUSER default +exec");
    ck_assert_int_eq(try_write(), ERR_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/control/trial");
    TCase *tcase = tcase_create("trial");
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, all_is_well_and_nothing_is_left_behind);
    tcase_add_test(tcase, a_refusal_names_the_command);
    tcase_add_test(tcase, a_cluster_cannot_be_cleared);
    tcase_add_test(tcase, a_command_that_is_not_known);
    tcase_add_test(tcase, a_full_redis_is_full);
    tcase_add_test(tcase, without_exec_nothing_is_believed);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
