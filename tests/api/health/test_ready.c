/* Readiness without the users database: a node that can tell nobody from another wants no requests. */
#include "loopback.h"
#include "redis_server.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>

static struct redis_server *redis;
static struct loopback loopback;

static void open_with(int64_t alone_ms)
{
    redis = redis_server_start(NULL);
    loopback_open(&loopback, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                        .alone_ms = alone_ms});
    atomic_store(&loopback.app->ready, true);
}

static void close_all(void)
{
    loopback_close(&loopback);
    redis_server_stop(&redis);
}

/* The file of SQLite goes, and comes back. */
static void move_users(const char *from, const char *to)
{
    char path[128], moved[128];
    snprintf(path, sizeof path, "%s/%s", loopback.directory, from);
    snprintf(moved, sizeof moved, "%s/%s", loopback.directory, to);
    ck_assert_int_eq(rename(path, moved), 0);
}

static void lose_users(void)
{
    struct error error = {0};
    move_users("users.db", "gone.db");
    ck_assert_int_eq(users_ping(loopback.app->users, &error), ERR_UPSTREAM_DOWN);
}

static enum err ask(const char *text)
{
    struct loopback_answer *answer = LOOPBACK(&loopback, "health.ready", loopback_nobody());
    enum err err = answer->err;
    if (text)
        ck_assert_msg(strstr(err == ERR_OK ? answer->body : answer->error.caller, text), "%s %s",
                      answer->body, answer->error.caller);
    loopback_free(&answer);
    return err;
}

START_TEST(for_a_while_it_knows_them_from_memory)
{
    open_with(0);
    ck_assert_int_eq(ask("\"users_database\":\"connected\""), ERR_OK);
    lose_users();
    ck_assert_int_eq(ask("\"users_database\":\"unavailable\""), ERR_OK);
    close_all();
}
END_TEST

START_TEST(then_it_wants_no_requests)
{
    open_with(2);
    lose_users();
    while (ask(NULL) == ERR_OK)
        continue;
    ck_assert_int_eq(ask("the users database is away"), ERR_BUSY);
    ck_assert_int_gt(atomic_load(&loopback.app->ready_refused_ns), 0);
    /* It tells them all the same: tokens of other issuers come here. */
    app_note_caller(loopback.app);
    ck_assert_int_eq(ask("\"status\":\"ready\""), ERR_OK);
    /* That has an end, if others go on coming. */
    while (ask(NULL) == ERR_OK)
        app_note_turned_away(loopback.app);
    app_note_caller(loopback.app);
    ck_assert_int_eq(ask("\"status\":\"ready\""), ERR_OK);
    close_all();
}
END_TEST

/* Nobody else may ask the database while no requests come. */
START_TEST(it_notices_that_the_database_is_back)
{
    open_with(2);
    lose_users();
    while (ask(NULL) == ERR_OK)
        continue;
    redis_server_kill(redis);
    move_users("gone.db", "users.db");
    while (ask(NULL) == ERR_BUSY)
        continue;
    ck_assert_int_eq(ask("\"users_database\":\"connected\""), ERR_OK);
    close_all();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/health/ready");
    TCase *tcase = tcase_create("ready");
    tcase_add_test(tcase, for_a_while_it_knows_them_from_memory);
    tcase_add_test(tcase, then_it_wants_no_requests);
    tcase_add_test(tcase, it_notices_that_the_database_is_back);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
