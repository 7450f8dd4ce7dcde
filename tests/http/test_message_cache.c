/* The message cache, over HTTP and from the command line, line by line. */
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUTE "/api/v1/cache"
#define IN    "whatsapp:development:in"
#define OUT   "whatsapp:development:out"

static struct stand stand;
static char key[STAND_KEY_SIZE];

static void open_stand(void)
{
    stand_open(&stand, NULL);
    stand_key(&stand, key, "deploy", (const char *const[]){"--scope", "flush", NULL});
}

static void close_stand(void)
{
    stand_close(&stand);
}

static void fill(bool in, bool out)
{
    redis_server_do(stand.redis, "FLUSHDB");
    redis_server_do(stand.redis, "SET other %s", "kept");
    if (in)
        redis_server_do(stand.redis, "RPUSH " IN " a b c");
    if (out)
        redis_server_do(stand.redis, "SET " OUT " x");
}

static int64_t keys_left(void)
{
    return redis_server_ask_integer(stand.redis, "EXISTS " IN " " OUT);
}

START_TEST(flush_answers_how_many_went)
{
    static const char *const bodies[] = {
        "{\"flushed\":true,\"keysRemoved\":0}",
        "{\"flushed\":true,\"keysRemoved\":1}",
        "{\"flushed\":true,\"keysRemoved\":2}",
    };
    for (int removed = 2; removed >= 0; removed--) {
        fill(removed >= 1, removed == 2);
        /* As the document's request: a Content-Type, and no body. */
        const char *headers[] = {"Content-Type: application/json", key, NULL};
        expect_answer(http_send(stand.http, "DELETE", ROUTE, headers, NULL, 0), 200,
                      bodies[removed]);
        ck_assert_int_eq(keys_left(), 0);
        ck_assert_int_eq(redis_server_ask_integer(stand.redis, "EXISTS other"), 1);
    }
    fill(false, true);
    expect_answer(http_call(stand.http, "DELETE", ROUTE, key), 200, bodies[1]);
    expect_answer(http_call(stand.http, "DELETE", ROUTE, key), 200, bodies[0]);
}
END_TEST

START_TEST(an_admin_may_flush_too)
{
    fill(true, true);
    expect_answer(http_call(stand.http, "DELETE", ROUTE, stand.root.bearer), 200,
                  "{\"flushed\":true,\"keysRemoved\":2}");
    expect_answer(http_call(stand.http, "DELETE", ROUTE, stand.boss.bearer), 200,
                  "{\"flushed\":true,\"keysRemoved\":0}");
}
END_TEST

START_TEST(others_get_the_same_shape)
{
    const char *says_401 =
        "{\"success\":false,\"error\":\"Authentication credentials were not provided.\","
        "\"flushed\":false,\"keysRemoved\":0}";
    const char *says_403 =
        "{\"success\":false,\"error\":\"You do not have permission to perform this action.\","
        "\"flushed\":false,\"keysRemoved\":0}";
    char useless[STAND_KEY_SIZE];
    stand_key(&stand, useless, "useless", (const char *const[]){"--scope", "entries", NULL});
    fill(true, true);
    expect_answer(http_call(stand.http, "DELETE", ROUTE, NULL), 401, says_401);
    expect_answer(http_call(stand.http, "DELETE", ROUTE, "x-api-key: your-api-key"), 401, says_401);
    expect_answer(http_call(stand.http, "DELETE", ROUTE, "Authorization: Bearer x.y.z"), 401,
                  says_401);
    expect_answer(http_call(stand.http, "DELETE", ROUTE, useless), 403, says_403);
    expect_answer(http_call(stand.http, "DELETE", ROUTE, stand.alice.bearer), 403, says_403);
    ck_assert_int_eq(keys_left(), 2);
}
END_TEST

START_TEST(any_user_may_when_so_configured)
{
    struct stand open;
    stand_open(&open, &(struct stand_options){
                          .config = "auth: { flush_permission = \"authenticated\"; };\n"});
    expect_answer(http_call(open.http, "DELETE", ROUTE, open.alice.bearer), 200,
                  "{\"flushed\":true,\"keysRemoved\":0}");
    expect_status(http_call(open.http, "DELETE", ROUTE, NULL), 401);
    /* Only this route is opened by it. */
    expect_status(http_post(open.http, "/api/v1/caches/messages/flush", open.alice.bearer), 403);
    stand_close(&open);
}
END_TEST

/* Runs the command and compares all it prints to standard output. */
static void expect_printed(const char *const *arguments, const char *printed)
{
    struct cw_result result;
    stand_cli(&stand, NULL, arguments, &result);
    ck_assert_msg(result.status == 0, "status %d\n%s%s", result.status, result.out, result.err);
    ck_assert_str_eq(result.out, printed);
    cw_result_fini(&result);
}

#define PRINTED(count, keys)                                                                \
    "🔄 Initializing cache flush...\n✅ Connected to Redis\n🗑️  Flushing WhatsApp " \
    "cache...\n✅ "                                                                        \
    "Cache flushed successfully!\n"                                                         \
    "📊 Keys removed: " count "\n🔑 Deleted keys: " keys "\n🔌 Disconnected from Redis\n"

START_TEST(command_line)
{
    const char *flush[] = {"flush", NULL}, *named[] = {"flush", "messages", NULL};
    fill(true, true);
    expect_printed(flush, PRINTED("2", IN ", " OUT));
    ck_assert_int_eq(keys_left(), 0);
    ck_assert_int_eq(redis_server_ask_integer(stand.redis, "EXISTS other"), 1);
    expect_printed(flush, PRINTED("0", "none"));
    fill(false, true);
    expect_printed(named, PRINTED("1", OUT));
    fill(true, false);
    expect_printed(named, PRINTED("1", IN));
}
END_TEST

START_TEST(command_line_as_json)
{
    fill(true, true);
    expect_printed((const char *const[]){"flush", "--json", NULL},
                   "{\"target\":\"messages\",\"flushed\":true,\"keysRemoved\":2,\"keys\":[\"" IN
                   "\",\"" OUT "\"]}\n");
    expect_printed((const char *const[]){"flush", "messages", "--json", NULL},
                   "{\"target\":\"messages\",\"flushed\":true,\"keysRemoved\":0,\"keys\":[]}\n");
}
END_TEST

START_TEST(dry_run_changes_nothing)
{
    struct cw_result result;
    fill(true, true);
    stand_cli(&stand, NULL, (const char *const[]){"flush", "--dry-run", NULL}, &result);
    ck_assert_msg(result.status == 0, "%s", result.err);
    ck_assert_msg(strstr(result.out, "2") != NULL, "%s", result.out);
    ck_assert_msg(strstr(result.out, "flushed successfully") == NULL, "%s", result.out);
    cw_result_fini(&result);
    ck_assert_int_eq(keys_left(), 2);
}
END_TEST

START_TEST(another_target_has_its_own_line)
{
    struct cw_result result;
    stand_cli(&stand, NULL, (const char *const[]){"flush", "search", NULL}, &result);
    ck_assert_msg(result.status == 0, "%s%s", result.out, result.err);
    ck_assert_msg(strstr(result.out, "🗑️  Flushing search cache...\n") != NULL, "%s",
                  result.out);
    cw_result_fini(&result);

    stand_cli(&stand, NULL, (const char *const[]){"flush", "no-such-target", NULL}, &result);
    ck_assert_msg(result.status != 0, "%s%s", result.out, result.err);
    ck_assert_msg(strstr(result.err, "no-such-target") != NULL, "%s%s", result.out, result.err);
    cw_result_fini(&result);
}
END_TEST

/* The document's variables, and no configuration file. */
START_TEST(command_line_from_the_environment)
{
    static const char *const secure[] = {"--requirepass", "your-redis-password", NULL};
    struct redis_server *redis = redis_server_start(&(struct redis_server_options){.args = secure});
    char port[32];
    snprintf(port, sizeof port, "REDIS_PORT=%d", redis_server_port(redis));
    const struct cw_command command = {
        .arguments = (const char *const[]){"flush", NULL},
        .environment = (const char *const[]){"REDIS_URL=", "REDIS_HOST=localhost", port,
                                             "REDIS_PASSWORD=your-redis-password", "REDIS_DB=3",
                                             "REDIS_TLS=false", "NODE_ENV=production",
                                             CW_PATIENT_WITH_REDIS, NULL},
    };
    redisContext *three = redisConnect("127.0.0.1", redis_server_port(redis));
    ck_assert(three && three->err == 0);
    freeReplyObject(redisCommand(three, "AUTH your-redis-password"));
    freeReplyObject(redisCommand(three, "SELECT 3"));
    freeReplyObject(redisCommand(three, "SET whatsapp:production:out 1"));
    redisFree(three);

    static const char *const printed[] = {PRINTED("1", "whatsapp:production:out"),
                                          PRINTED("0", "none")};
    for (size_t i = 0; i < 2; i++) {
        struct cw_result result;
        cw_run(&command, &result);
        ck_assert_msg(result.status == 0, "%s%s", result.out, result.err);
        ck_assert_str_eq(result.out, printed[i]);
        cw_result_fini(&result);
    }
    redis_server_stop(&redis);
}
END_TEST

START_TEST(redis_unavailable)
{
    struct stand down;
    struct cw_result result;
    char own[STAND_KEY_SIZE];
    stand_open(&down, NULL);
    stand_key(&down, own, "deploy", (const char *const[]){"--scope", "flush", NULL});
    redis_server_kill(down.redis);
    expect_answer(http_call(down.http, "DELETE", ROUTE, own), 500,
                  "{\"success\":false,\"error\":\"Failed to flush "
                  "cache\",\"flushed\":false,\"keysRemoved\":0}");

    stand_cli(&down, NULL, (const char *const[]){"flush", NULL}, &result);
    ck_assert_int_eq(result.status, 1);
    ck_assert_msg(strstr(result.out, "successfully") == NULL &&
                      strstr(result.out, "Connected") == NULL,
                  "%s", result.out);
    ck_assert_str_eq(result.err,
                     "❌ Error flushing cache: Redis connection failed\n"
                     "💡 Make sure Redis is running and environment variables are set correctly\n");
    cw_result_fini(&result);
    stand_cli(&down, NULL, (const char *const[]){"flush", "--json", NULL}, &result);
    ck_assert_int_eq(result.status, 1);
    ck_assert_msg(strstr(result.out, "true") == NULL, "%s", result.out);
    cw_result_fini(&result);
    stand_close(&down);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("message cache");
    TCase *shared = tcase_create("with Redis");
    tcase_add_unchecked_fixture(shared, open_stand, close_stand);
    tcase_add_test(shared, flush_answers_how_many_went);
    tcase_add_test(shared, an_admin_may_flush_too);
    tcase_add_test(shared, others_get_the_same_shape);
    tcase_add_test(shared, command_line);
    tcase_add_test(shared, command_line_as_json);
    tcase_add_test(shared, dry_run_changes_nothing);
    tcase_add_test(shared, another_target_has_its_own_line);
    suite_add_tcase(suite, shared);
    TCase *own = tcase_create("with a stand of their own");
    tcase_add_test(own, any_user_may_when_so_configured);
    tcase_add_test(own, command_line_from_the_environment);
    tcase_add_test(own, redis_unavailable);
    suite_add_tcase(suite, own);
    return suite_run(suite);
}
