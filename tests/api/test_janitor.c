/* What the janitor looks after may take as long as the users database likes: revocations do not wait. */
#include "janitor.h"

#include "patience.h"
#include "postgres_server.h"
#include "session.h"
#include "slowness.h"
#include "suite.h"

#include <string.h>

static struct redis_server *redis;
static struct postgres_server *postgres;
static struct loopback node;

static void open_all(void)
{
    char url[POSTGRES_URL_SIZE];

    redis = redis_server_start(NULL);
    postgres = postgres_server_start(NULL);
    postgres_server_hasty_url(postgres, POSTGRES_DATABASE, url);
    loopback_open(
        &node, &(struct loopback_options){.redis_url = redis_server_url(redis), .users_url = url});
}

static void close_all(void)
{
    loopback_close(&node);
    postgres_server_stop(&postgres);
    redis_server_stop(&redis);
}

/* As another node would. How long this one takes to know, in ms. */
static int64_t revoke(int number)
{
    struct revocations *known = identity_revocations(node.app->identity);
    long long expires_at_s = (long long)clock_wall_s() + 1000;
    int64_t began_ns = clock_mono_ns();
    char name[32];

    snprintf(name, sizeof name, "token-%d", number);
    const struct revocation_subject subject = {.is_own = true, .token_id = str_from(name)};
    redis_server_do(redis, "ZADD cw:revoked %lld t:%s", expires_at_s, name);
    redis_server_do(redis, "XADD cw:events * revoked t:%s expires %lld", name, expires_at_s);
    while (!revocations_cover(known, &subject) &&
           clock_mono_ns() - began_ns < PATIENCE_MS * NS_PER_MS)
        nanosleep(&(struct timespec){.tv_nsec = 5 * NS_PER_MS}, NULL);
    ck_assert(revocations_cover(known, &subject));
    return (clock_mono_ns() - began_ns) / NS_PER_MS;
}

enum { HIGH_WATER_GETS = 2, ROUNDS_A_LOOK = 4 };

/*
 * It takes connections and bytes, and nobody answers. Each time the janitor looks at the numbers of accounts
 * it waits for the database then, for seconds (or not at all, where it is known to be away). Were it the same
 * thread, there would never be more than four looks at the news between two of these.
 */
START_TEST(a_silent_users_database_delays_no_revocation)
{
    (void)revoke(0);
    postgres_server_pause(postgres);
    redis_server_wait_calls(redis, "get", redis_server_calls(redis, "get") + HIGH_WATER_GETS);
    int64_t looked, read;
    int i = 1;
    do {
        looked = redis_server_calls(redis, "get");
        read = redis_server_calls(redis, "xrange");
        while (redis_server_calls(redis, "get") == looked &&
               redis_server_calls(redis, "xrange") <= read + ROUNDS_A_LOOK + 1)
            expect_within_ms(revoke(i++), 1000);
    } while (redis_server_calls(redis, "get") != looked);
    postgres_server_resume(postgres);
}
END_TEST

static void wait_for(const char *command, int64_t wanted)
{
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);

    while (redis_server_ask_integer(redis, command) != wanted && clock_mono_ns() < deadline_ns)
        nanosleep(&(struct timespec){.tv_nsec = 10 * NS_PER_MS}, NULL);
    ck_assert_int_eq(redis_server_ask_integer(redis, command), wanted);
}

/* Nobody calls: the record of the control data and the highest number are put back all the same. */
START_TEST(looks_after_control_data)
{
    struct user user;
    struct error error = {0};
    struct arena *arena = arena_new(4096, 0);

    ck_assert_int_eq(identity_register(node.app->identity,
                                       (struct work){arena, clock_deadline_ns(PATIENCE_MS), &error},
                                       STR("alice"), STR("alice@example.org"),
                                       STR(LOOPBACK_PASSWORD), &user),
                     ERR_OK);
    wait_for("EXISTS cw:dataset cw:ids", 2);
    redis_server_do(redis, "FLUSHALL");
    wait_for("EXISTS cw:dataset cw:ids", 2);
    arena_free(&arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/janitor");
    TCase *tcase = tcase_create("janitor");
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, a_silent_users_database_delays_no_revocation);
    tcase_add_test(tcase, looks_after_control_data);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
