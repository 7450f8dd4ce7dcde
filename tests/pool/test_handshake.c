/* How connections are made: sockets, sign-in, database, name; with a real Redis and a rude one. */
#include "conn.h"
#include "pool_case.h"

#include "fake_redis.h"
#include "redis_server.h"
#include "slowness.h"
#include "suite.h"

#include <stdio.h>

static struct redis_server *server;
static struct fake_redis *fake;
static struct arena *arena;
static struct error error;

static void start_server(void)
{
    static const char *const args[] = {"--requirepass", "swordfish", "--databases", "4", NULL};

    server = redis_server_start(&(struct redis_server_options){.unix_socket = true, .args = args});
    arena = arena_new(0, 0);
}

static void stop_server(void)
{
    redis_server_stop(&server);
    arena_free(&arena);
}

static void start_fake(void)
{
    fake = fake_redis_start();
    arena = arena_new(0, 0);
}

static void stop_fake(void)
{
    fake_redis_stop(&fake);
    arena_free(&arena);
}

/* redis_server_ask signs in nowhere, so this does it over a pool. */
static void admin(struct redis *redis, size_t argc, const struct str *argv)
{
    case_err(case_run(redis, arena, PIPELINE_WRITE, EXPECT_ANY, argc, argv, NULL, &error), ERR_OK);
}
#define ADMIN(redis, ...)                                                        \
    admin(redis, sizeof((const struct str[]){__VA_ARGS__}) / sizeof(struct str), \
          (const struct str[]){__VA_ARGS__})

static char *url_with(const char *userinfo, const char *rest)
{
    static char url[256];

    snprintf(url, sizeof url, "redis://%s127.0.0.1:%d%s", userinfo, redis_server_port(server),
             rest);
    return url;
}

/* What a pool of this URL gets for GET k. */
static enum err try_get(const char *url)
{
    struct redis *redis = case_pool(url);
    enum err err = CASE_RUN(redis, arena, PIPELINE_READ, EXPECT_STRING_OR_NIL, NULL, &error,
                            STR("GET"), STR("k"));

    redis_close(&redis);
    return err;
}

START_TEST(a_password_and_a_user_open_the_door)
{
    case_err(try_get(url_with(":swordfish@", "/0")), ERR_OK);
    case_err(try_get(url_with("default:swordfish@", "/0")), ERR_OK);
    struct redis *redis = case_pool(url_with(":swordfish@", "/0"));
    ADMIN(redis, STR("ACL"), STR("SETUSER"), STR("app"), STR("on"), STR(">p@ss:w/rd %"), STR("~*"),
          STR("+get"), STR("+echo"));
    redis_close(&redis);
    case_err(try_get(url_with("app:p%40ss%3Aw%2Frd%20%25@", "/0")), ERR_OK);
}
END_TEST

static const struct {
    const char *userinfo, *rest, *cause;
} closed_doors[] = {
    {":tuna@", "/0", "redis authentication failed"},
    {"nobody:swordfish@", "/0", "redis authentication failed"},
    {"", "/0", "redis authentication failed"},
    {":swordfish@", "/4", "redis refused the command"},
};

START_TEST(a_refusal_to_sign_in_has_its_cause_and_no_secret)
{
    case_err(try_get(url_with(closed_doors[_i].userinfo, closed_doors[_i].rest)),
             ERR_UPSTREAM_DOWN);
    ck_assert_str_eq(error.caller, closed_doors[_i].cause);
    ck_assert_ptr_null(strstr(error.detail, "swordfish"));
    ck_assert_ptr_null(strstr(error.detail, "tuna"));
}
END_TEST

START_TEST(while_the_password_is_wrong_others_fail_at_once_for_the_same_cause)
{
    struct redis *redis = case_pool(url_with(":tuna@", "/0"));

    for (int i = 0; i < 5; i++) {
        case_err(
            CASE_RUN(redis, arena, PIPELINE_READ, EXPECT_ANY, NULL, &error, STR("GET"), STR("k")),
            ERR_UPSTREAM_DOWN);
        ck_assert_str_eq(error.caller, "redis authentication failed");
    }
    ck_assert(redis_is_down(redis));
    ck_assert_uint_eq(case_stats(redis).breaker_refusals, 4);
    redis_close(&redis);
}
END_TEST

START_TEST(an_acl_user_without_echo_is_told_so)
{
    struct redis *redis = case_pool(url_with(":swordfish@", "/0"));

    ADMIN(redis, STR("ACL"), STR("SETUSER"), STR("mute"), STR("on"), STR(">pw"), STR("~*"),
          STR("+get"));
    redis_close(&redis);
    case_err(try_get(url_with("mute:pw@", "/0")), ERR_UPSTREAM_DOWN);
    ck_assert_ptr_nonnull(strstr(error.detail, "ECHO"));
    ck_assert_ptr_nonnull(strstr(error.detail, "NOPERM"));
}
END_TEST

START_TEST(the_database_is_the_one_of_the_url)
{
    const struct value *reply;
    struct redis *zero = case_pool(url_with(":swordfish@", "/0")),
                 *three = case_pool(url_with(":swordfish@", "/3"));

    ADMIN(zero, STR("SET"), STR("k"), STR("zero"));
    ADMIN(three, STR("SET"), STR("k"), STR("three"));
    case_err(
        CASE_RUN(zero, arena, PIPELINE_READ, EXPECT_STRING, &reply, &error, STR("GET"), STR("k")),
        ERR_OK);
    ck_assert(str_eq(reply->text, STR("zero")));
    ADMIN(zero, STR("FLUSHDB"));
    case_err(
        CASE_RUN(three, arena, PIPELINE_READ, EXPECT_STRING, &reply, &error, STR("GET"), STR("k")),
        ERR_OK);
    ck_assert(str_eq(reply->text, STR("three")));
    redis_close(&zero);
    redis_close(&three);
}
END_TEST

START_TEST(the_name_shows_in_client_list)
{
    const struct value *reply;
    struct redis *redis = case_pool_with(url_with(":swordfish@", "/0"),
                                         (struct redis_options){.client_name = "warden-7"});

    case_err(CASE_RUN(redis, arena, PIPELINE_READ, EXPECT_STRING, &reply, &error, STR("CLIENT"),
                      STR("LIST")),
             ERR_OK);
    ck_assert_ptr_nonnull(strstr(reply->text.ptr, "name=warden-7 "));
    redis_close(&redis);
}
END_TEST

START_TEST(a_unix_socket_does_as_well)
{
    char url[256];

    snprintf(url, sizeof url, "unix://:swordfish@%s?db=1", redis_server_socket(server));
    case_err(try_get(url), ERR_OK);
    case_err(try_get("unix:///nowhere/redis.sock"), ERR_UPSTREAM_DOWN);
    ck_assert_str_eq(error.caller, "redis unavailable");
}
END_TEST

START_TEST(a_name_is_looked_up_and_each_of_its_addresses_tried)
{
    char url[128];

    /* localhost is ::1 first on many systems, where this server does not listen. */
    snprintf(url, sizeof url, "redis://:swordfish@localhost:%d", redis_server_port(server));
    case_err(try_get(url), ERR_OK);
    case_err(try_get("redis://does-not-exist.invalid"), ERR_UPSTREAM_DOWN);
    ck_assert_str_eq(error.caller, "redis unavailable");
}
END_TEST

START_TEST(ipv6_works)
{
    static const char *const args[] = {"--bind", "127.0.0.1", "::1", NULL};
    struct redis_server *six = redis_server_start(&(struct redis_server_options){.args = args});
    char url[128];

    snprintf(url, sizeof url, "redis://[::1]:%d/0", redis_server_port(six));
    case_err(try_get(url), ERR_OK);
    redis_server_stop(&six);
}
END_TEST

START_TEST(a_server_full_of_clients_is_busy_not_down_while_others_work)
{
    struct redis *redis = case_pool(url_with(":swordfish@", "/0"));
    struct redis *other;

    ADMIN(redis, STR("CONFIG"), STR("SET"), STR("maxclients"), STR("1"));
    other = case_pool(url_with(":swordfish@", "/0"));
    case_err(CASE_RUN(other, arena, PIPELINE_READ, EXPECT_ANY, NULL, &error, STR("GET"), STR("k")),
             ERR_UPSTREAM_DOWN);
    ck_assert_str_eq(error.caller, "redis busy");
    redis_close(&other);
    redis_close(&redis);
}
END_TEST

/* ---- against the fake ---- */

static enum err open_conn(int64_t timeout_ms)
{
    struct redis_address address;
    struct conn *conn = NULL;

    case_err(redis_address_parse(str_from(fake_redis_url(fake)), &address, &error), ERR_OK);
    const struct conn_target target = {.address = &address, .client_name = "test"};
    enum err err = conn_open(&target, clock_deadline_ns(timeout_ms), &conn, &error);
    if (!err) {
        ck_assert_int_eq(conn->state, CONN_READY);
        conn_close(&conn);
    }
    ck_assert_ptr_null(conn);
    redis_address_fini(&address);
    return err;
}

START_TEST(a_refused_name_is_no_failure)
{
    fake_redis_override(fake, "CLIENT", "-NOPERM no permission for client|setname\r\n");
    case_err(open_conn(CASE_PATIENCE_MS), ERR_OK);
}
END_TEST

START_TEST(who_tells_no_role_is_as_good)
{
    fake_redis_override(fake, "HELLO", "-ERR unknown command 'HELLO'\r\n");
    case_err(open_conn(CASE_PATIENCE_MS), ERR_OK);
}
END_TEST

static const struct {
    const char *command, *bytes;
    enum err err;
} rude[] = {
    {"ECHO", "$16\r\n0123456789abcdef\r\n", ERR_UPSTREAM_DOWN},
    {"ECHO", "$-1\r\n", ERR_UPSTREAM_DOWN},
    {"ECHO", "-NOPERM no\r\n", ERR_UPSTREAM_REFUSED},
    {"CLIENT", "+OK\r\n+OK\r\n", ERR_UPSTREAM_DOWN},
    {"CLIENT", "SSH-2.0-OpenSSH_9.2\r\n", ERR_UPSTREAM_DOWN},
    {"CLIENT", "", ERR_TIMEOUT},
};

START_TEST(a_handshake_answered_wrongly_is_no_connection)
{
    fake_redis_override(fake, rude[_i].command, rude[_i].bytes);
    case_err(open_conn(rude[_i].err == ERR_TIMEOUT ? 100 : CASE_PATIENCE_MS), rude[_i].err);
}
END_TEST

START_TEST(a_server_that_hangs_up_is_no_connection)
{
    fake_redis_slam(fake, "");
    case_err(open_conn(CASE_PATIENCE_MS), ERR_UPSTREAM_DOWN);
    ck_assert_str_eq(error.caller, "redis unavailable");
}
END_TEST

START_TEST(the_last_words_of_a_server_that_is_full_are_heard)
{
    fake_redis_slam(fake, "-ERR max number of clients reached\r\n");
    case_err(open_conn(CASE_PATIENCE_MS), ERR_UPSTREAM_REFUSED);
    ck_assert_str_eq(error.caller, "redis busy");
}
END_TEST

START_TEST(a_server_that_says_nothing_is_given_up_in_time)
{
    int64_t begin_ns = clock_mono_ns();

    fake_redis_deafen(fake, true);
    case_err(open_conn(100), ERR_TIMEOUT);
    ck_assert_int_ge(clock_mono_ns() - begin_ns, 90 * NS_PER_MS);
    expect_within_ms((clock_mono_ns() - begin_ns) / NS_PER_MS, 5 * 1000);
}
END_TEST

START_TEST(options_that_make_no_sense_are_refused)
{
    struct redis_options options = {
        .size = 1, .borrow_timeout_ms = 1, .connect_timeout_ms = 1, .command_timeout_ms = 1};
    struct redis *redis = NULL;

    case_err(redis_address_parse(STR("unix:///x"), &options.address, &error), ERR_OK);
    options.address.tls = true;
    case_err(redis_open(&options, &redis, &error), ERR_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.caller, "TLS"));
    options.address.tls = false;
    options.size = 0;
    case_err(redis_open(&options, &redis, &error), ERR_BAD_INPUT);
    options.size = 1;
    options.command_timeout_ms = 0;
    case_err(redis_open(&options, &redis, &error), ERR_BAD_INPUT);
    options.command_timeout_ms = 1;
    options.client_name = "two words";
    case_err(redis_open(&options, &redis, &error), ERR_BAD_INPUT);
    options.client_name = "";
    case_err(redis_open(&options, &redis, &error), ERR_BAD_INPUT);
    options.client_name = NULL;
    case_err(redis_open(&options, &redis, &error), ERR_OK);
    redis_close(&redis);
    ck_assert_ptr_null(redis);
    redis_close(&redis);
    redis_address_fini(&options.address);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("handshake");
    TCase *real = tcase_create("real"), *bad = tcase_create("fake");

    tcase_add_checked_fixture(real, start_server, stop_server);
    tcase_add_test(real, a_password_and_a_user_open_the_door);
    tcase_add_loop_test(real, a_refusal_to_sign_in_has_its_cause_and_no_secret, 0,
                        sizeof closed_doors / sizeof *closed_doors);
    tcase_add_test(real, while_the_password_is_wrong_others_fail_at_once_for_the_same_cause);
    tcase_add_test(real, an_acl_user_without_echo_is_told_so);
    tcase_add_test(real, the_database_is_the_one_of_the_url);
    tcase_add_test(real, the_name_shows_in_client_list);
    tcase_add_test(real, a_unix_socket_does_as_well);
    tcase_add_test(real, a_name_is_looked_up_and_each_of_its_addresses_tried);
    tcase_add_test(real, ipv6_works);
    tcase_add_test(real, a_server_full_of_clients_is_busy_not_down_while_others_work);
    suite_add_tcase(suite, real);

    tcase_add_checked_fixture(bad, start_fake, stop_fake);
    tcase_add_test(bad, a_refused_name_is_no_failure);
    tcase_add_test(bad, who_tells_no_role_is_as_good);
    tcase_add_loop_test(bad, a_handshake_answered_wrongly_is_no_connection, 0,
                        sizeof rude / sizeof *rude);
    tcase_add_test(bad, a_server_that_hangs_up_is_no_connection);
    tcase_add_test(bad, the_last_words_of_a_server_that_is_full_are_heard);
    tcase_add_test(bad, a_server_that_says_nothing_is_given_up_in_time);
    tcase_add_test(bad, options_that_make_no_sense_are_refused);
    suite_add_tcase(suite, bad);
    return suite_run(suite);
}
