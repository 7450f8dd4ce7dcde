/* What is told of backups that were not made. */
#include "backup/backups_private.h"
#include "cachewarden/backup.h"
#include "loopback.h"
#include "redis_server.h"
#include "suite.h"
#include "temp_folder.h"

static struct redis_server *redis;
static struct temp_folder folder;
static struct loopback at;
static struct error error;

static void open_at(const char *directory)
{
    loopback_open(&at, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                  .backup_directory = directory,
                                                  .is_unwatched = true});
}

static void set_up(void)
{
    temp_folder_init(&folder);
    redis = redis_server_start(NULL);
}

static void tear_down(void)
{
    loopback_close(&at);
    redis_server_stop(&redis);
    temp_folder_fini(&folder);
}

static struct backup_results results(void)
{
    struct backup_results copy;

    backup_results_get(&at.app->backups->results, &copy);
    return copy;
}

static enum err create(const _Atomic bool *is_stopping)
{
    const struct backup_watch watch = {.is_stopping = is_stopping};
    struct backup backup;

    return backup_create(at.app, &watch, &backup, &error);
}

/* A pool without a free connection is busy, and so is who is told to stop: only the watch knows which it is. */
START_TEST(what_is_busy_has_failed)
{
    static const _Atomic bool is_stopping = true;
    const struct backup_watch stopping = {.is_stopping = &is_stopping}, waiting = {.with = NULL};

    ck_assert(backup_has_failed(ERR_BUSY, &waiting));
    ck_assert(backup_has_failed(ERR_UPSTREAM_DOWN, &waiting));
    ck_assert(!backup_has_failed(ERR_BUSY, &stopping));
    ck_assert(!backup_has_failed(ERR_CONFLICT, &waiting));
    ck_assert(!backup_has_failed(ERR_OK, &stopping));
    open_at(folder.path);
}
END_TEST

START_TEST(a_failure_is_counted_whatever_it_is)
{
    open_at("/proc/self/fd");
    ck_assert_int_eq(create(NULL), ERR_UPSTREAM_DOWN);
    ck_assert_int_eq(results().failed, 1);
    ck_assert(!results().last.is_good);
    ck_assert_ptr_nonnull(strstr(results().last.reason, "backup.directory"));
}
END_TEST

START_TEST(one_that_nobody_wants_any_more_is_no_failure)
{
    static const _Atomic bool is_stopping = true;

    open_at(folder.path);
    ck_assert_int_ne(create(&is_stopping), ERR_OK);
    ck_assert_int_eq(results().failed, 0);
}
END_TEST

/* Each reads all of the archive, which may take longer than a server has to stop. */
START_TEST(what_reads_one_is_given_up_when_the_server_stops)
{
    static const char *const routes[] = {"backups.verify", "backups.restore"};
    const struct backup_watch watch = {.with = NULL};
    struct backup backup;

    open_at(folder.path);
    ck_assert_int_eq(backup_create(at.app, &watch, &backup, &error), ERR_OK);
    atomic_store(&at.app->is_ending, true);
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        struct loopback_answer *answer =
            LOOPBACK(&at, routes[i], loopback_admin(), .name = backup.id);
        ck_assert_msg(answer->err == ERR_BUSY, "%s: %s", routes[i], err_name(answer->err));
        ck_assert_ptr_nonnull(strstr(answer->error.caller, "it is stopping"));
        loopback_free(&answer);
    }
    atomic_store(&at.app->is_ending, false);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/backup/create");
    TCase *tcase = tcase_create("create");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, what_is_busy_has_failed);
    tcase_add_test(tcase, a_failure_is_counted_whatever_it_is);
    tcase_add_test(tcase, one_that_nobody_wants_any_more_is_no_failure);
    tcase_add_test(tcase, what_reads_one_is_given_up_when_the_server_stops);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
