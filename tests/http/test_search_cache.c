/* The search cache is a Redis database of its own, emptied by administrators. */
#include "patience.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

#define ROUTE "/api/v1/analytics/cache/clear"

static struct stand stand;

static void open_stand(void)
{
    stand_open(&stand, NULL);
}

static void close_stand(void)
{
    stand_close(&stand);
}

/* How many keys database `number` of the stand's Redis has. */
static int64_t size_of(int number)
{
    redisContext *redis = redisConnect("127.0.0.1", redis_server_port(stand.redis));
    ck_assert(redis && redis->err == 0);
    freeReplyObject(redisCommand(redis, "SELECT %d", number));
    redisReply *size = redisCommand(redis, "DBSIZE");
    ck_assert(size && size->type == REDIS_REPLY_INTEGER);
    int64_t count = size->integer;
    freeReplyObject(size);
    redisFree(redis);
    return count;
}

static void fill_search(void)
{
    redisContext *redis = redisConnect("127.0.0.1", redis_server_port(stand.redis));
    ck_assert(redis && redis->err == 0);
    freeReplyObject(redisCommand(redis, "SELECT 1"));
    for (int i = 0; i < 50; i++)
        freeReplyObject(redisCommand(redis, "SET search:%d result", i));
    redisFree(redis);
    ck_assert_int_ge(size_of(1), 50);
}

START_TEST(clear_empties_database_1_and_no_other)
{
    static const char *const credentials[] = {"root", "boss"};
    for (size_t i = 0; i < 2; i++) {
        fill_search();
        redis_server_do(stand.redis, "SET kept 1");
        int64_t others = size_of(0);
        expect_answer(http_post(stand.http, ROUTE, i == 0 ? stand.root.bearer : stand.boss.bearer),
                      200, "{\"message\":\"Search cache cleared\"}");
        ck_assert_msg(size_of(1) == 0, "as %s", credentials[i]);
        ck_assert_int_ge(size_of(0), others);
    }
    /* Idempotent. */
    expect_answer(http_post(stand.http, ROUTE, stand.root.bearer), 200,
                  "{\"message\":\"Search cache cleared\"}");
}
END_TEST

/* The document's example token has only `sub` and `exp`, and its header says alg first. */
START_TEST(the_tokens_of_the_document_work)
{
    char bearer[MINT_SIZE];
    fill_search();
    mint_forged(bearer, sizeof bearer, "{\"alg\":\"HS256\",\"typ\":\"JWT\"}",
                "{\"sub\":\"root\",\"exp\":4102444800}", STAND_SECRET, strlen(STAND_SECRET));
    ck_assert_ptr_eq(strstr(mint_token(bearer), "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ"),
                     mint_token(bearer));
    expect_answer(http_post(stand.http, ROUTE, bearer), 200,
                  "{\"message\":\"Search cache cleared\"}");
    ck_assert_int_eq(size_of(1), 0);

    mint_bearer(bearer, STAND_SECRET, "{\"sub\":\"alice\",\"exp\":4102444800}");
    expect_answer(http_post(stand.http, ROUTE, bearer), 403, "{\"detail\":\"Not authorized\"}");
    mint_bearer(bearer, STAND_SECRET, "{\"sub\":\"nobody-of-that-name\",\"exp\":4102444800}");
    expect_answer(http_post(stand.http, ROUTE, bearer), 401, SAYS_401);
    mint_bearer(bearer, STAND_SECRET, "{\"sub\":\"root\",\"exp\":1758870788}");
    expect_answer(http_post(stand.http, ROUTE, bearer), 401, SAYS_401);
}
END_TEST

START_TEST(others_are_refused)
{
    fill_search();
    int64_t before = size_of(1);
    char flush[STAND_KEY_SIZE];
    stand_key(&stand, flush, "flush", (const char *const[]){"--scope", "flush", NULL});
    expect_answer(http_post(stand.http, ROUTE, stand.alice.bearer), 403,
                  "{\"detail\":\"Not authorized\"}");
    expect_answer(http_post(stand.http, ROUTE, flush), 403, "{\"detail\":\"Not authorized\"}");
    expect_answer(http_post(stand.http, ROUTE, NULL), 401, SAYS_401);
    ck_assert_int_eq(size_of(1), before);
}
END_TEST

START_TEST(only_post)
{
    fill_search();
    int64_t before = size_of(1);
    const struct http_reply *reply = http_get(stand.http, ROUTE, stand.root.bearer);
    expect_status(reply, 405);
    ck_assert_msg(http_header(reply, "Allow") && strstr(http_header(reply, "Allow"), "POST"), "%s",
                  reply->head);
    expect_status(http_call(stand.http, "DELETE", ROUTE, stand.root.bearer), 405);
    expect_status(http_post(stand.http, ROUTE "/", stand.root.bearer), 404);
    ck_assert_int_eq(size_of(1), before);
}
END_TEST

static bool clears(const void *unused)
{
    (void)unused;
    return http_post(stand.http, ROUTE, stand.root.bearer)->status == 200;
}

/* The document's own error would print the exception; here the cause comes from a fixed list. */
START_TEST(failures_name_a_cause_from_the_list)
{
    stand_open(&stand, NULL);
    redis_server_do(stand.redis, "CONFIG SET slave-read-only yes");
    redis_server_do(stand.redis, "REPLICAOF 127.0.0.1 1");
    expect_answer(http_post(stand.http, ROUTE, stand.root.bearer), 500,
                  "{\"detail\":\"Failed to clear cache: redis is read-only\"}");
    redis_server_kill(stand.redis);
    expect_answer(http_post(stand.http, ROUTE, stand.root.bearer), 500,
                  "{\"detail\":\"Failed to clear cache: redis unavailable\"}");
    stand_close(&stand);
}
END_TEST

/* Where the machine itself was as late before as Redis is now, Redis is known to be away: once more then. */
START_TEST(a_silence_is_a_timeout)
{
    static const char unavailable[] = "{\"detail\":\"Failed to clear cache: redis unavailable\"}";
    const int64_t give_up_ms = stand_now_ms() + PATIENCE_MS;
    const struct http_reply *reply;
    stand_open(&stand, &(struct stand_options){
                           .environment = (const char *const[]){STAND_DEFAULT_TIMEOUTS, NULL}});
    do {
        ck_assert_int_lt(stand_now_ms(), give_up_ms);
        redis_server_resume(stand.redis);
        stand_wait(clears, NULL, "Redis answers");
        redis_server_pause(stand.redis);
        reply = http_post(stand.http, ROUTE, stand.root.bearer);
    } while (strcmp(reply->body, unavailable) == 0);
    expect_answer(reply, 500, "{\"detail\":\"Failed to clear cache: redis timeout\"}");
    redis_server_resume(stand.redis);
    stand_close(&stand);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("search cache");
    TCase *shared = tcase_create("with Redis");
    tcase_add_unchecked_fixture(shared, open_stand, close_stand);
    tcase_add_test(shared, clear_empties_database_1_and_no_other);
    tcase_add_test(shared, the_tokens_of_the_document_work);
    tcase_add_test(shared, others_are_refused);
    tcase_add_test(shared, only_post);
    suite_add_tcase(suite, shared);
    TCase *own = tcase_create("with a stand of their own");
    tcase_add_test(own, failures_name_a_cause_from_the_list);
    tcase_add_test(own, a_silence_is_a_timeout);
    suite_add_tcase(suite, own);
    return suite_run(suite);
}
