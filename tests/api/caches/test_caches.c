/* Flushing, counting and the rules for what may be configured, on a real Redis. */
#include "cachewarden/app.h"

#include "cachewarden/audit.h"
#include "cachewarden/caches.h"
#include "cachewarden/clock.h"
#include "loopback.h"
#include "patience.h"
#include "redis_server.h"
#include "redis_snapshot.h"
#include "suite.h"

#include <hiredis.h>
#include <stdio.h>
#include <stdlib.h>

static struct redis_server *redis;
static struct loopback loopback;
static struct arena *arena;

static void open_all(void)
{
    redis = redis_server_start(NULL);
    loopback_open(&loopback, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                        .has_no_users = true});
    arena = arena_new(4096, 0);
}

static void close_all(void)
{
    arena_free(&arena);
    loopback_close(&loopback);
    redis_server_stop(&redis);
}

static enum err flush(const char *name, bool dry_run, struct flush_result *result_out,
                      struct error *error)
{
    error_clear(error);
    return caches_flush(loopback.app, (struct work){arena, clock_deadline_ns(PATIENCE_MS), error},
                        str_from(name), dry_run, result_out);
}

static struct flush_result flush_ok(const char *name, bool dry_run)
{
    struct flush_result result;
    struct error error;
    enum err err = flush(name, dry_run, &result, &error);
    ck_assert_msg(err == ERR_OK, "%s: %s", err_name(err), error.detail);
    return result;
}

/* Runs a command in database `number`. */
static void in_database(int number, const char *command)
{
    redisContext *context = redisConnect("127.0.0.1", redis_server_port(redis));
    ck_assert(context && context->err == 0);
    freeReplyObject(redisCommand(context, "SELECT %d", number));
    redisReply *reply = redisCommand(context, command);
    ck_assert_msg(reply && reply->type != REDIS_REPLY_ERROR, "%s",
                  reply ? reply->str : context->errstr);
    freeReplyObject(reply);
    redisFree(context);
}

static int64_t size_of_database(int number)
{
    redisContext *context = redisConnect("127.0.0.1", redis_server_port(redis));
    ck_assert(context && context->err == 0);
    freeReplyObject(redisCommand(context, "SELECT %d", number));
    redisReply *reply = redisCommand(context, "DBSIZE");
    int64_t size = reply->integer;
    freeReplyObject(reply);
    redisFree(context);
    return size;
}

START_TEST(keys_that_are_there_go)
{
    redis_server_do(redis, "RPUSH whatsapp:development:in a b c");
    redis_server_do(redis, "SET whatsapp:development:out x");
    redis_server_do(redis, "SET whatsapp:production:in x");

    struct flush_result result = flush_ok("messages", true);
    ck_assert_int_eq(result.removed, 2);
    ck_assert_int_eq(redis_server_ask_integer(redis, "DBSIZE"), 3);
    result = flush_ok("messages", false);
    ck_assert_int_eq(result.kind, CACHE_KEYS);
    ck_assert_int_eq(result.removed, 2);
    ck_assert_uint_eq(result.key_count, 2);
    ck_assert(str_eq(result.keys[0], STR("whatsapp:development:in")));
    ck_assert(str_eq(result.keys[1], STR("whatsapp:development:out")));
    ck_assert_int_eq(redis_server_ask_integer(redis, "DBSIZE"), 1);

    redis_server_do(redis, "SET whatsapp:development:out x");
    result = flush_ok("messages", false);
    ck_assert_int_eq(result.removed, 1);
    ck_assert(str_eq(result.keys[0], STR("whatsapp:development:out")));
    result = flush_ok("messages", false);
    ck_assert_int_eq(result.removed, 0);
    ck_assert_uint_eq(result.key_count, 0);
}
END_TEST

START_TEST(a_database_goes_as_a_whole)
{
    in_database(1, "MSET a 1 b 2 c 3 d 4 e 5 f 6 g 7 h 8 i 9 j 10");
    in_database(2, "SET other 1");
    redis_server_do(redis, "HSET cw:{u:1} clears 5");
    struct flush_result result = flush_ok("search", true);
    ck_assert_int_eq(result.kind, CACHE_DATABASE);
    ck_assert_int_eq(result.removed, 10);
    ck_assert_int_eq(size_of_database(1), 10);
    ck_assert_int_eq(flush_ok("search", false).removed, 10);
    ck_assert_int_eq(size_of_database(1), 0);
    ck_assert_int_eq(size_of_database(2), 1);
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:{u:1}"), 1);
    ck_assert_int_eq(flush_ok("search", false).removed, 0);
}
END_TEST

START_TEST(no_such_cache)
{
    struct flush_result result;
    struct error error;
    ck_assert_int_eq(flush("nothing", false, &result, &error), ERR_NOT_FOUND);
    ck_assert_str_eq(error.caller, "There is no cache named nothing.");
    ck_assert_int_eq(flush("", false, &result, &error), ERR_NOT_FOUND);
    ck_assert_int_eq(flush("messages2", false, &result, &error), ERR_NOT_FOUND);
}
END_TEST

/* Database 1 is somebody's control data after all: another installation's, or ours by another way. */
START_TEST(control_data_is_left_alone)
{
    static const char *const ours[] = {"HSET cw:dataset epoch 3", "XADD cw:audit:changes * a b",
                                       "XADD cw:audit:clears * a b"};
    struct flush_result result;
    struct error error;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        in_database(1, "FLUSHDB");
        in_database(1, "SET other 1");
        in_database(1, ours[i]);
        ck_assert_int_eq(flush("search", false, &result, &error), ERR_CONFLICT);
        ck_assert_ptr_nonnull(
            strstr(error.caller, "The database of cache search holds control data"));
        ck_assert_int_eq(result.removed, 0);
        ck_assert_int_eq(flush("search", true, &result, &error), ERR_CONFLICT);
        ck_assert_int_eq(size_of_database(1), 2);
    }
}
END_TEST

/* The same server by its Unix socket: no configuration shows that it is the control database. */
START_TEST(one_server_by_two_roads)
{
    struct redis_server *both =
        redis_server_start(&(struct redis_server_options){.unix_socket = true});
    const struct cache_spec spec = {.name = STR("all"),
                                    .kind = CACHE_DATABASE,
                                    .redis_url = str_from(redis_server_unix_url(both))};
    struct loopback by_socket;
    loopback_open(&by_socket, &(struct loopback_options){.redis_url = redis_server_url(both),
                                                         .is_unwatched = true,
                                                         .caches = &spec,
                                                         .cache_count = 1});
    struct loopback_answer *answer = LOOPBACK(&by_socket, "cache.clear", loopback_user(7));
    loopback_expect(answer, "{\"version\":2,\"cleared\":true,\"message\":\"Cache cleared "
                            "successfully (new version: 2)\"}");
    ck_assert_int_eq(audit_drain(by_socket.app, clock_deadline_ns(PATIENCE_MS)), ERR_OK);

    struct flush_result result;
    struct error error = {0};
    ck_assert_int_eq(caches_flush(by_socket.app,
                                  (struct work){arena, clock_deadline_ns(PATIENCE_MS), &error},
                                  STR("all"), false, &result),
                     ERR_CONFLICT);
    ck_assert_int_eq(redis_server_ask_integer(both, "HINCRBY cw:{u:7} clears 0"), 1);
    loopback_close(&by_socket);
    redis_server_stop(&both);
}
END_TEST

/* ---- trouble ---- */

/* The user may unlink one of the keys only: what is gone is told, though the flush failed. */
START_TEST(half_a_flush)
{
    struct flush_result result;
    struct error error;
    redis_server_do(redis, "MSET whatsapp:development:in x whatsapp:development:out x");
    redis_server_do(redis, "ACL SETUSER default resetkeys ~whatsapp:development:in ~cw:*");
    ck_assert_int_eq(flush("messages", false, &result, &error), ERR_UPSTREAM_REFUSED);
    ck_assert_str_eq(error.caller, "redis refused the command");
    ck_assert_int_eq(result.removed, 1);
    ck_assert(str_eq(result.keys[0], STR("whatsapp:development:in")));
    redis_server_do(redis, "ACL SETUSER default allkeys");
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS whatsapp:development:out"), 1);
}
END_TEST

START_TEST(a_flush_that_is_not_allowed)
{
    struct flush_result result;
    struct error error;
    in_database(1, "SET a 1");
    redis_server_do(redis, "ACL SETUSER default -flushdb");
    ck_assert_int_eq(flush("search", false, &result, &error), ERR_UPSTREAM_REFUSED);
    ck_assert_int_eq(result.removed, 0);
    ck_assert_int_eq(size_of_database(1), 1);
}
END_TEST

START_TEST(a_replica_flushes_nothing)
{
    struct flush_result result;
    struct error error;
    in_database(1, "SET a 1");
    redis_server_do(redis, "SET whatsapp:development:in x");
    redis_server_do(redis, "REPLICAOF 127.0.0.1 1");
    ck_assert_int_eq(flush("search", false, &result, &error), ERR_UPSTREAM_REFUSED);
    ck_assert_str_eq(error.caller, "redis is read-only");
    ck_assert_int_eq(flush("messages", false, &result, &error), ERR_UPSTREAM_REFUSED);
    ck_assert_int_eq(result.removed, 0);
    ck_assert_int_eq(flush_ok("messages", true).removed, 1);
    redis_server_do(redis, "REPLICAOF NO ONE");
    /* Over a connection that led to a replica when it was made, it is not known that a primary took it. Within a second
     * there is another one. */
    int64_t give_up_ns = clock_deadline_ns(PATIENCE_MS);
    enum err err;
    do {
        err = flush("messages", false, &result, &error);
        ck_assert(err == ERR_OK || err == ERR_UNCERTAIN);
        ck_assert_int_lt(clock_mono_ns(), give_up_ns);
    } while (err != ERR_OK);
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS whatsapp:development:in"), 0);
}
END_TEST

START_TEST(no_redis_no_flush)
{
    struct flush_result result;
    struct error error;
    redis_server_kill(redis);
    static const char *const names[] = {"messages", "search"};
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(flush(names[i], false, &result, &error), ERR_UPSTREAM_DOWN);
        ck_assert_str_eq(error.caller, "redis unavailable");
        ck_assert_int_eq(flush(names[i], true, &result, &error), ERR_UPSTREAM_DOWN);
        ck_assert_int_eq(result.removed, 0);
    }
}
END_TEST

/* ---- what may be configured ---- */

static void expect_open(const struct cache_spec *specs, size_t count, enum err expected,
                        const char *says)
{
    struct loopback tried;
    struct error error = {0};
    enum err err =
        loopback_try_open(&tried,
                          &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                     .has_no_users = true,
                                                     .caches = specs,
                                                     .cache_count = count},
                          &error);
    ck_assert_msg(err == expected, "%s: %s", err_name(err), error.caller);
    if (says)
        ck_assert_msg(strstr(error.caller, says) != NULL, "\"%s\" does not say \"%s\"",
                      error.caller, says);
    loopback_close(&tried);
}

static void expect_refused(struct cache_spec spec, const char *says)
{
    expect_open(&spec, 1, ERR_BAD_INPUT, says);
}

static const struct str one_key[] = {{"a", 1}};

static struct cache_spec keys_named(const char *name)
{
    return (struct cache_spec){
        .name = str_from(name), .kind = CACHE_KEYS, .keys = one_key, .key_count = 1};
}

START_TEST(names_of_caches)
{
    expect_refused(keys_named(""), "\"\" is no name");
    expect_refused(keys_named("a b"), "\"a b\" is no name");
    expect_refused(keys_named("a/b"), "is no name");
    expect_refused(keys_named("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
                   "is no name");
    expect_open((const struct cache_spec[]){keys_named("a"), keys_named("b"), keys_named("a")}, 3,
                ERR_BAD_INPUT, "caches: a: there are two of this name");
    expect_open(
        (const struct cache_spec[]){keys_named("a"), keys_named("A"), keys_named("a-b_c.9")}, 3,
        ERR_OK, NULL);
    expect_open(&(const struct cache_spec){.kind = CACHE_KEYS}, 0, ERR_OK, NULL); /* none at all */
}
END_TEST

START_TEST(keys_of_caches)
{
    struct cache_spec spec = keys_named("a");
    spec.key_count = 0;
    expect_refused(spec, "caches: a: lists no keys");
    spec.key_count = 257;
    expect_refused(spec, "more than 256 keys");
    static const struct str bad[] = {STR(""), STR("cw:dataset"), STR("cw:{u:1}"), STR("cw:")};
    static const char *const says[] = {"1 to 1024 bytes",
                                       "start with cw:", "start with cw:", "start with cw:"};
    for (size_t i = 0; i < 4; i++) {
        spec = keys_named("a");
        spec.keys = &bad[i];
        expect_refused(spec, says[i]);
    }
    char text[1025];
    memset(text, 'x', sizeof text);
    struct str longest = {text, 1024}, longer = {text, 1025};
    spec.keys = &longer;
    expect_refused(spec, "1 to 1024 bytes");
    spec.keys = &longest;
    expect_open(&spec, 1, ERR_OK, NULL);
}
END_TEST

static struct cache_spec prefix_named(const char *name, struct str prefix)
{
    return (struct cache_spec){.name = str_from(name), .kind = CACHE_PREFIX, .prefix = prefix};
}

START_TEST(prefixes_of_caches)
{
    static const struct str reaching[] = {STR("c"), STR("cw"), STR("cw:"), STR("cw:{u:1}:e:")};
    char text[1025];
    struct cache_spec far = prefix_named("s", STR("cw"));
    for (size_t i = 0; i < sizeof reaching / sizeof *reaching; i++)
        expect_refused(prefix_named("s", reaching[i]),
                       "caches: s: keys that start with cw: are control data");
    /* One server may have two names. */
    far.redis_url = STR("redis://elsewhere.example:6379");
    expect_refused(far, "keys that start with cw:");
    memset(text, 'x', sizeof text);
    expect_refused(prefix_named("s", STR("")), "1 to 1024 bytes");
    expect_refused(prefix_named("s", (struct str){text, 1025}), "1 to 1024 bytes");
    expect_refused(prefix_named("messages", STR("s:")), "caches: messages: the route that empties");
    expect_refused(prefix_named("search", STR("s:")), "caches: search: the route that empties");
    struct cache_spec good[] = {prefix_named("a", STR("s:")), prefix_named("b", STR("ca")),
                                prefix_named("d", STR("*")), prefix_named("e", STR("{env}:")),
                                prefix_named("f", (struct str){text, 1024})};
    expect_open(good, sizeof good / sizeof *good, ERR_OK, NULL);
}
END_TEST

static void expect_control_database(const char *url, int database)
{
    struct cache_spec spec = {.name = STR("search"),
                              .kind = CACHE_DATABASE,
                              .database = database,
                              .redis_url = str_from(url)};
    expect_refused(spec, "caches: search: its database holds the control data");
}

START_TEST(databases_that_hold_control_data)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost", "[::1]", "127.0.0.2",
                                        "user:secret@127.0.0.1"};
    char url[128];
    expect_control_database(NULL, 0);
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        snprintf(url, sizeof url, "redis://%s:%d", hosts[i], redis_server_port(redis));
        expect_control_database(url, 0);
        snprintf(url, sizeof url, "redis://%s:%d/0", hosts[i], redis_server_port(redis));
        expect_control_database(url, 0);
    }
}
END_TEST

START_TEST(which_database_it_is)
{
    char url[128];
    snprintf(url, sizeof url, "redis://127.0.0.1:%d/3", redis_server_port(redis));
    struct cache_spec spec = {
        .name = STR("search"), .kind = CACHE_DATABASE, .redis_url = str_from(url)};
    struct loopback other;
    struct error error = {0};
    struct flush_result result;

    spec.database = 4;
    expect_refused(spec, "database and redis_url name two databases");
    spec.database = -1;
    expect_refused(spec, "a database has a number from 0 up");
    in_database(3, "MSET a 1 b 2");
    for (int database = 0; database <= 3; database += 3) { /* unstated, and stated the same */
        spec.database = database;
        loopback_open(&other, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                         .is_unwatched = true,
                                                         .caches = &spec,
                                                         .cache_count = 1});
        ck_assert_int_eq(caches_flush(other.app,
                                      (struct work){arena, clock_deadline_ns(PATIENCE_MS), &error},
                                      STR("search"), true, &result),
                         ERR_OK);
        ck_assert_int_eq(result.removed, 2);
        loopback_close(&other);
    }
}
END_TEST

START_TEST(urls_that_are_none)
{
    struct cache_spec spec = keys_named("a");
    spec.redis_url = STR("http://localhost");
    expect_refused(spec, "caches: a: redis_url: ");
    spec.redis_url = STR("redis://user:s3cret@localhost:99999");
    expect_refused(spec, "caches: a: redis_url: ");
    struct loopback tried;
    struct error error = {0};
    struct loopback_options options = {.redis_url = redis_server_url(redis),
                                       .has_no_users = true,
                                       .caches = &spec,
                                       .cache_count = 1};
    ck_assert_int_eq(loopback_try_open(&tried, &options, &error), ERR_BAD_INPUT);
    ck_assert_ptr_null(strstr(error.caller, "s3cret"));
    ck_assert_ptr_null(strstr(error.detail, "s3cret"));
    loopback_close(&tried);
}
END_TEST

/* Keys on a server of their own. */
START_TEST(another_server)
{
    struct redis_server *second = redis_server_start(NULL);
    struct cache_spec spec = keys_named("far");
    struct loopback other;
    struct flush_result result;
    struct error error = {0};
    spec.redis_url = str_from(redis_server_url(second));
    redis_server_do(redis, "SET a 1");
    redis_server_do(second, "SET a 1");
    loopback_open(&other, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                     .has_no_users = true,
                                                     .caches = &spec,
                                                     .cache_count = 1});
    ck_assert_int_eq(caches_flush(other.app,
                                  (struct work){arena, clock_deadline_ns(PATIENCE_MS), &error},
                                  STR("far"), false, &result),
                     ERR_OK);
    ck_assert_int_eq(result.removed, 1);
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS a"), 1);
    ck_assert_int_eq(redis_server_ask_integer(second, "EXISTS a"), 0);
    loopback_close(&other);
    redis_server_stop(&second);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/caches");
    TCase *tcase = tcase_create("flush");
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, keys_that_are_there_go);
    tcase_add_test(tcase, a_database_goes_as_a_whole);
    tcase_add_test(tcase, no_such_cache);
    tcase_add_test(tcase, control_data_is_left_alone);
    tcase_add_test(tcase, one_server_by_two_roads);
    tcase_add_test(tcase, half_a_flush);
    tcase_add_test(tcase, a_flush_that_is_not_allowed);
    tcase_add_test(tcase, a_replica_flushes_nothing);
    tcase_add_test(tcase, no_redis_no_flush);
    tcase_add_test(tcase, another_server);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("configuration");
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, names_of_caches);
    tcase_add_test(tcase, keys_of_caches);
    tcase_add_test(tcase, prefixes_of_caches);
    tcase_add_test(tcase, databases_that_hold_control_data);
    tcase_add_test(tcase, which_database_it_is);
    tcase_add_test(tcase, urls_that_are_none);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
