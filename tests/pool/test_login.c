/* Another user and password, while connections are used. */
#include "login.h"

#include "log_capture.h"
#include "pool_case.h"
#include "redis_server.h"
#include "suite.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

static struct redis_server *server;
static struct redis *front;
static struct arena *arena;
static struct error error;

static void set_up(void)
{
    char url[64];

    server = redis_server_start(NULL);
    redis_server_do(server, "ACL SETUSER app on >one ~* +@all");
    snprintf(url, sizeof url, "redis://app:one@127.0.0.1:%d/0", redis_server_port(server));
    front = case_pool(url);
    arena = arena_new(0, 0);
    log_capture_start();
}

static void tear_down(void)
{
    free(log_capture_end());
    redis_close(&front);
    arena_free(&arena);
    redis_server_stop(&server);
}

/* Over which connection the answer came. */
static int64_t ask(void)
{
    const struct value *reply;

    case_err(CASE_RUN(front, arena, PIPELINE_WRITE, EXPECT_INTEGER, &reply, &error, STR("CLIENT"),
                      STR("ID")),
             ERR_OK);
    return reply->integer;
}

static bool renew(const char *username, const char *password)
{
    char user[16], word[16];
    const struct redis_address address = {.username = user, .password = word};
    bool changed;

    snprintf(user, sizeof user, "%s", username);
    snprintf(word, sizeof word, "%s", password);
    case_err(redis_renew_login(front, &address, &changed, &error), ERR_OK);
    return changed;
}

START_TEST(new_connections_use_the_new_password)
{
    int64_t old = ask();

    redis_server_do(server, "ACL SETUSER app >two");
    ck_assert(renew("app", "two"));
    redis_server_do(server, "ACL SETUSER app <one");
    int64_t new = ask();
    ck_assert_int_ne(new, old);
    ck_assert_int_eq(ask(), new);
    ck_assert_uint_eq(case_stats(front).connect_failures, 0);
}
END_TEST

START_TEST(the_same_password_changes_nothing)
{
    int64_t old = ask();

    ck_assert(!renew("app", "one"));
    ck_assert_int_eq(ask(), old);
}
END_TEST

/* It may be right in a moment, and then it is taken. */
START_TEST(a_wrong_password_leaves_the_old_connections)
{
    int64_t old = ask();

    ck_assert(renew("app", "wrong"));
    ck_assert_int_eq(ask(), old);
    ck_assert_int_eq(ask(), old);
    ck_assert_uint_eq(case_stats(front).connect_failures, 1);
    ck_assert(!redis_is_down(front));
    ck_assert(renew("default", "any"));
    ck_assert(renew("app", "one"));
    ck_assert_int_eq(ask(), old);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool/login");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_add_test(all, new_connections_use_the_new_password);
    tcase_add_test(all, the_same_password_changes_nothing);
    tcase_add_test(all, a_wrong_password_leaves_the_old_connections);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
