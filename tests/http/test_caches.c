/* The named caches of the configuration: listing, flushing, counting. */
#include "redis_snapshot.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <hiredis/hiredis.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLUSH(name) "/api/v1/caches/" name "/flush"

static struct redis_server *elsewhere;
static struct stand stand;
static char key[STAND_KEY_SIZE];

/* Targets of each kind, one of them on another Redis. */
static void open_stand(void)
{
    char config[1024];
    elsewhere = redis_server_start(NULL);
    snprintf(
        config, sizeof config,
        "environment = \"staging\";\n"
        "caches = (\n"
        "  { name = \"messages\"; keys = [ \"whatsapp:{env}:in\", \"whatsapp:{env}:out\" ]; },\n"
        "  { name = \"search\"; database = 7; },\n"
        "  { name = \"odd\"; keys = [ \"with blank\", \"q\\\"uote\", \"*\", \"{a}b\" ]; },\n"
        "  { name = \"far\"; keys = [ \"far:1\" ]; redis_url = \"redis://127.0.0.1:%d/2\"; }\n"
        ");\n",
        redis_server_port(elsewhere));
    stand_open(&stand, &(struct stand_options){.config = config});
    stand_key(&stand, key, "deploy", (const char *const[]){"--scope", "flush", NULL});
}

static void close_stand(void)
{
    stand_close(&stand);
    redis_server_stop(&elsewhere);
}

/* One command on another database than 0; an integer or nothing. */
__attribute__((format(printf, 3, 4))) static int64_t in_database(const struct redis_server *redis,
                                                                 int database, const char *format,
                                                                 ...)
{
    redisContext *context = redisConnect("127.0.0.1", redis_server_port(redis));
    ck_assert(context && context->err == 0);
    freeReplyObject(redisCommand(context, "SELECT %d", database));
    va_list args;
    va_start(args, format);
    redisReply *reply = redisvCommand(context, format, args);
    va_end(args);
    ck_assert(reply && reply->type != REDIS_REPLY_ERROR);
    int64_t number = reply->type == REDIS_REPLY_INTEGER ? reply->integer : -1;
    freeReplyObject(reply);
    redisFree(context);
    return number;
}

/* A flush of everything took along what the server puts back by itself. */
static bool is_settled(const void *with)
{
    (void)with;
    return redis_server_ask_integer(stand.redis, "HEXISTS cw:dataset term") == 1 &&
           redis_server_ask_integer(stand.redis, "EXISTS cw:ids") == 1;
}

static bool is_written(const void *with)
{
    (void)with;
    const struct http_reply *reply = http_get(stand.http, "/metrics", stand.root.bearer);
    return reply->status == 200 && strstr(reply->body, "\ncachewarden_audit_waiting 0\n");
}

/* Until nothing is on its way to the stream, and to the last flushes. */
static void await_audit(void)
{
    stand_wait(is_written, NULL, "the records are written");
}

/* The server notices within a moment, and puts back what it needs. */
static void empty_redis(void)
{
    await_audit();
    redis_server_do(stand.redis, "FLUSHALL");
    stand_wait(is_settled, NULL, "the control data is there again");
}

START_TEST(each_kind_is_flushed)
{
    empty_redis();
    redis_server_do(stand.redis, "MSET whatsapp:staging:in 1 whatsapp:staging:out 2 kept 3");
    expect_answer(http_post(stand.http, FLUSH("messages"), key), 200,
                  "{\"name\":\"messages\",\"flushed\":true,\"keysRemoved\":2}");
    expect_answer(http_post(stand.http, FLUSH("messages"), key), 200,
                  "{\"name\":\"messages\",\"flushed\":true,\"keysRemoved\":0}");
    ck_assert_int_eq(redis_server_ask_integer(stand.redis, "EXISTS kept"), 1);

    in_database(stand.redis, 7, "MSET a 1 b 2");
    expect_status(http_post(stand.http, FLUSH("search"), stand.root.bearer), 200);
    ck_assert_int_eq(in_database(stand.redis, 7, "DBSIZE"), 0);
    ck_assert_int_eq(redis_server_ask_integer(stand.redis, "EXISTS kept"), 1);

    redis_server_do(stand.redis, "SET %s 1", "with blank");
    redis_server_do(stand.redis, "SET %s 1", "q\"uote");
    redis_server_do(stand.redis, "SET %s 1", "{a}b");
    expect_answer(http_post(stand.http, FLUSH("odd"), key), 200,
                  "{\"name\":\"odd\",\"flushed\":true,\"keysRemoved\":3}");
    /* "*" is a key, not a pattern. */
    ck_assert_int_eq(redis_server_ask_integer(stand.redis, "EXISTS kept"), 1);
}
END_TEST

START_TEST(a_target_may_live_elsewhere)
{
    in_database(elsewhere, 2, "MSET far:1 1 near 2");
    redis_server_do(stand.redis, "SET far:1 x");
    expect_answer(http_post(stand.http, FLUSH("far"), key), 200,
                  "{\"name\":\"far\",\"flushed\":true,\"keysRemoved\":1}");
    ck_assert_int_eq(in_database(elsewhere, 2, "EXISTS far:1 near"), 1);
    ck_assert_int_eq(redis_server_ask_integer(stand.redis, "EXISTS far:1"), 1);
}
END_TEST

START_TEST(counting_changes_nothing)
{
    redis_server_do(stand.redis, "MSET whatsapp:staging:in 1 whatsapp:staging:out 2");
    await_audit();
    char *before = redis_snapshot(stand.redis, "cw:audit");
    const struct http_reply *reply = http_post(stand.http, FLUSH("messages") "?dry_run=true", key);
    expect_body_has(reply, 200, "\"flushed\":false");
    expect_body_has(reply, 200, "2");
    char *after = redis_snapshot(stand.redis, "cw:audit");
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
    expect_body_has(http_post(stand.http, FLUSH("messages") "?dry_run=false", key), 200,
                    "\"keysRemoved\":2}");
}
END_TEST

/* A dry run that is misspelt must not become a flush. */
START_TEST(bad_queries_flush_nothing)
{
    static const char *const bad[] = {
        "?dry_run=",     "?dry_run",       "?dry_run=1",
        "?dry_run=TRUE", "?dry_run=yes",   "?dry-run=true",
        "?dryrun=true",  "?DRY_RUN=true",  "?dry_run=true&dry_run=false",
        "?x=1",          "?dry_run=true&", "?dry_run=%74rue%00"};
    char target[128];
    redis_server_do(stand.redis, "MSET whatsapp:staging:in 1 whatsapp:staging:out 2");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(target, sizeof target, FLUSH("messages") "%s", bad[i]);
        const struct http_reply *reply = http_post(stand.http, target, key);
        ck_assert_msg(reply->status == 400, "%s: %d %s", bad[i], reply->status, reply->body);
        expect_header(reply, "Content-Type", "application/problem+json");
    }
    /* Where it would not be looked for. */
    static const char *const bodies[] = {"{\"dry_run\":true}", "{\"dryRun\":true}", "dry_run=true"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        const char *headers[] = {key, "Content-Type: application/json", NULL};
        const struct http_reply *reply =
            http_send(stand.http, "POST", FLUSH("messages"), headers, bodies[i], strlen(bodies[i]));
        ck_assert_msg(reply->status == 400, "%s: %d %s", bodies[i], reply->status, reply->body);
    }
    ck_assert_int_eq(
        redis_server_ask_integer(stand.redis, "EXISTS whatsapp:staging:in whatsapp:staging:out"),
        2);
}
END_TEST

START_TEST(the_list_tells_what_there_is)
{
    empty_redis();
    in_database(elsewhere, 2, "FLUSHDB");
    redis_server_do(stand.redis, "SET whatsapp:staging:in 1");
    in_database(stand.redis, 7, "MSET a 1 b 2 c 3");
    const char *body = "{\"caches\":["
                       "{\"name\":\"messages\",\"kind\":\"keys\",\"keys\":1,\"last_flush\":null},"
                       "{\"name\":\"search\",\"kind\":\"database\",\"size\":3,\"last_flush\":null},"
                       "{\"name\":\"odd\",\"kind\":\"keys\",\"keys\":0,\"last_flush\":null},"
                       "{\"name\":\"far\",\"kind\":\"keys\",\"keys\":0,\"last_flush\":null}]}";
    expect_answer(http_get(stand.http, "/api/v1/caches", stand.root.bearer), 200, body);
}
END_TEST

START_TEST(an_unknown_target_is_not_found)
{
    static const char *const targets[] = {FLUSH("nosuch"), FLUSH("MESSAGES"), FLUSH("message"),
                                          FLUSH("messages2")};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        const struct http_reply *reply = http_post(stand.http, targets[i], key);
        expect_status(reply, 404);
        expect_body_has(reply, 404, "\"detail\":\"");
    }
}
END_TEST

/* Flushing must not be a way to lose versions, switches and revocations. */
START_TEST(control_data_cannot_be_a_target)
{
    static const char *const bad[][2] = {
        {"caches = ( { name = \"a\"; database = 0; } );\n", "a"},
        {"caches = ( { name = \"a\"; keys = [ \"cw:dataset\" ]; } );\n", "cw:"},
        {"caches = ( { name = \"a\"; database = 1; keys = [ \"x\" ]; } );\n", "a"},
        {"caches = ( { name = \"a\"; } );\n", "a"},
        {"caches = ( { name = \"a\"; keys = [ \"x\" ]; }, { name = \"a\"; keys = [ \"y\" ]; } );\n",
         "a"},
        {"caches = ( { name = \"a b\"; keys = [ \"x\" ]; } );\n", "name"},
    };
    char *directory = cw_directory_new();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct cw_result result;
        cw_file_write(directory, "bad.conf", bad[i][0], 0600);
        cw_run(
            &(struct cw_command){.arguments = (const char *const[]){"serve", "--check-config",
                                                                    "--config", "bad.conf", NULL},
                                 .directory = directory},
            &result);
        ck_assert_msg(result.status == 1, "%s: status %d\n%s%s", bad[i][0], result.status,
                      result.out, result.err);
        ck_assert_msg(strstr(result.err, bad[i][1]) || strstr(result.out, bad[i][1]), "%s: %s%s",
                      bad[i][0], result.out, result.err);
        cw_result_fini(&result);
    }
    cw_directory_remove(&directory);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("named caches");
    TCase *shared = tcase_create("all");
    tcase_add_unchecked_fixture(shared, open_stand, close_stand);
    tcase_add_test(shared, each_kind_is_flushed);
    tcase_add_test(shared, a_target_may_live_elsewhere);
    tcase_add_test(shared, counting_changes_nothing);
    tcase_add_test(shared, bad_queries_flush_nothing);
    tcase_add_test(shared, the_list_tells_what_there_is);
    tcase_add_test(shared, an_unknown_target_is_not_found);
    suite_add_tcase(suite, shared);
    TCase *own = tcase_create("configuration");
    tcase_add_test(own, control_data_cannot_be_a_target);
    suite_add_tcase(suite, own);
    return suite_run(suite);
}
