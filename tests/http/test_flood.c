/* More sign-ins at once than there are workers: everybody else is served all the same. */
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>

enum { WORKERS = 8, FOR_ALL = 1, SIGN_INS = 2 * WORKERS, OTHERS = 20 };

static struct stand stand;
static atomic_int refused, checked;

/* A hash that takes seconds of any machine: 128 MiB, the most passes that are taken. */
static void make_slow(const char *name)
{
    char path[512];
    sqlite3 *database;
    sqlite3_stmt *update;
    snprintf(path, sizeof path, "%s/users.db", stand.directory);
    ck_assert_int_eq(sqlite3_open(path, &database), SQLITE_OK);
    sqlite3_busy_timeout(database, 5000);
    ck_assert_int_eq(
        sqlite3_prepare_v2(database,
                           "UPDATE accounts SET password_hash = "
                           "'$argon2id$v=19$m=131072,t=64,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
                           "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' WHERE username = ?1",
                           -1, &update, NULL),
        SQLITE_OK);
    sqlite3_bind_text(update, 1, name, -1, SQLITE_STATIC);
    ck_assert_int_eq(sqlite3_step(update), SQLITE_DONE);
    ck_assert_int_eq(sqlite3_changes(database), 1);
    sqlite3_finalize(update);
    sqlite3_close(database);
}

static void *sign_in(void *unused)
{
    (void)unused;
    struct http_client *http = http_client_new(stand.server.base_url);
    int status = http_post_json(http, "/auth/login", NULL,
                                "{\"username\":\"bob\",\"password\":\"whatever it is\"}")
                     ->status;
    if (status == 503)
        atomic_fetch_add(&refused, 1);
    else if (status != 0)
        atomic_fetch_add(&checked, 1);
    http_client_free(&http);
    return NULL;
}

/* Every place is taken, to hash and to wait, once all others have been turned away. */
static bool are_all_places_taken(const void *unused)
{
    (void)unused;
    ck_assert_msg(checked == 0, "a password was checked before all others were turned away");
    return refused == SIGN_INS - (WORKERS - FOR_ALL);
}

START_TEST(others_are_served)
{
    pthread_t threads[SIGN_INS];
    /* Who waits for a place waits for long. */
    stand_open(&stand, &(struct stand_options){.environment = (const char *const[]){
                                                   "CACHEWARDEN_LIMITS_ENABLED=false",
                                                   "CACHEWARDEN_REDIS_COMMAND_TIMEOUT_MS=60000",
                                                   "CACHEWARDEN_SERVER_THREADS=8", NULL}});
    make_slow("bob");
    for (int i = 0; i < SIGN_INS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, sign_in, NULL), 0);
    stand_wait(are_all_places_taken, NULL, "all places are taken");
    http_client_keep_alive(stand.http, false);
    for (int i = 0; i < OTHERS; i++)
        expect_status(http_get(stand.http, "/api/cache/status/", stand.alice.bearer), 200);
    ck_assert_msg(checked == 0, "the others had to wait for a password to be checked");
    /* Hashes cannot be stopped, and the rest of them would take a minute. */
    cw_server_signal(&stand.server, SIGKILL);
    ck_assert_int_eq(cw_server_wait(&stand.server), -SIGKILL);
    for (int i = 0; i < SIGN_INS; i++)
        pthread_join(threads[i], NULL);
    stand_close(&stand);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("flood");
    TCase *tcase = tcase_create("flood");
    tcase_add_test(tcase, others_are_served);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
