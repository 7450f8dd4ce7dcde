/* Answers that are late: who is told, and who is not. */
#include "pool_case.h"

#include "fake_redis.h"
#include "suite.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static struct fake_redis *fake;
static struct arena *arena;
static struct redis *redis;
static struct error error;

static void set_up(void)
{
    fake = fake_redis_start();
    arena = arena_new(0, 0);
    redis = case_pool_with(fake_redis_url(fake), (struct redis_options){.command_timeout_ms = 200});
}

static void tear_down(void)
{
    redis_close(&redis);
    fake_redis_stop(&fake);
    arena_free(&arena);
}

static void *ask_slowly(void *with)
{
    struct arena *own = arena_new(0, 0);
    struct error ignored;

    *(enum err *)with = CASE_RUN(redis, own, PIPELINE_READ, EXPECT_INTEGER, NULL, &ignored,
                                 STR("HGETALL"), STR("large"));
    arena_free(&own);
    return NULL;
}

/* One command is slow; Redis answers others meanwhile. */
START_TEST(a_slow_answer_does_not_accuse_redis_while_others_come)
{
    pthread_t thread;
    enum err slow = ERR_INTERNAL;

    FAKE_SCRIPT(fake, {.is_held = true});
    ck_assert_int_eq(pthread_create(&thread, NULL, ask_slowly, &slow), 0);
    ck_assert(fake_redis_wait_seen(fake, "HGETALL", 1));
    case_err(CASE_RUN(redis, arena, PIPELINE_READ, EXPECT_OK, NULL, &error, STR("GET"), STR("k")),
             ERR_OK);
    pthread_join(thread, NULL);
    case_err(slow, ERR_TIMEOUT);
    ck_assert(!redis_is_down(redis));
    case_err(CASE_RUN(redis, arena, PIPELINE_READ, EXPECT_OK, NULL, &error, STR("GET"), STR("k")),
             ERR_OK);
    ck_assert_uint_eq(fake_redis_accepted(fake), 2); /* no probe was needed */
}
END_TEST

/* It is long, and its bytes come slowly. */
START_TEST(an_answer_that_is_coming_does_not_accuse_redis)
{
    FAKE_SCRIPT(fake, {.bytes = "$40\r\n0123456789012345678901234567890123456789\r\n",
                       .is_drip = true,
                       .delay_ms = 20});
    case_err(
        CASE_RUN(redis, arena, PIPELINE_READ, EXPECT_STRING, NULL, &error, STR("GET"), STR("k")),
        ERR_TIMEOUT);
    ck_assert(!redis_is_down(redis));
}
END_TEST

/* A server whose answer to the handshake is as it should be, and then one that has no end, as fast as can be read. */
static int flood_listener;
static atomic_bool is_flood_over;

/* The word of the ECHO that ends the handshake, once it is there. */
static const char *guard_in(const char *heard)
{
    static const char echo[] = "ECHO\r\n$16\r\n";
    const char *at = strstr(heard, echo);

    return at && strlen(at) >= sizeof echo - 1 + 18 ? at + sizeof echo - 1 : NULL;
}

static void *flood(void *unused)
{
    static char bytes[65536];
    int fd = accept(flood_listener, NULL, NULL);
    char heard[4096] = "", said[512];
    size_t size = 0;

    memset(bytes, 'x', sizeof bytes);
    do
        size += (size_t)recv(fd, heard + size, sizeof heard - 1 - size, 0);
    while (!guard_in(heard));
    int said_size = snprintf(said, sizeof said, "+OK\r\n*0\r\n$16\r\n%.16s\r\n", guard_in(heard));
    (void)!send(fd, said, (size_t)said_size, MSG_NOSIGNAL);
    (void)!recv(fd, heard, sizeof heard, 0);
    (void)!send(fd, "$500000000\r\n", 12, MSG_NOSIGNAL);
    while (!atomic_load(&is_flood_over) && send(fd, bytes, sizeof bytes, MSG_NOSIGNAL) > 0)
        ;
    close(fd);
    return unused;
}

START_TEST(an_answer_that_has_no_end_is_given_up_in_time)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    pthread_t thread;
    char url[64];

    flood_listener = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(flood_listener, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(flood_listener, 1), 0);
    ck_assert_int_eq(getsockname(flood_listener, (struct sockaddr *)&address, &size), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, flood, NULL), 0);
    snprintf(url, sizeof url, "redis://127.0.0.1:%d", ntohs(address.sin_port));
    struct redis *flooded = case_pool(url);
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_READ);
    PIPELINE_ADD(pipeline, EXPECT_STRING, STR("GET"), STR("k"));
    case_err(redis_run(flooded, pipeline,
                       (struct work){.deadline_ns = clock_deadline_ns(50), .error = &error}),
             ERR_TIMEOUT);
    atomic_store(&is_flood_over, true);
    redis_close(&flooded);
    pthread_join(thread, NULL);
    close(flood_listener);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("deadlines");
    TCase *tcase = tcase_create("deadlines");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_slow_answer_does_not_accuse_redis_while_others_come);
    tcase_add_test(tcase, an_answer_that_is_coming_does_not_accuse_redis);
    tcase_add_test(tcase, an_answer_that_has_no_end_is_given_up_in_time);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
