/* Backups by themselves, as a server makes them: a tick that was missed is there at the start, so nobody waits. */
#include "patience.h"
#include "stand.h"
#include "suite.h"

#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct stand stand;

/* ---- the stand ---- */

static void run_sql(const char *format, ...)
{
    char path[512], sql[512];
    sqlite3 *database;
    va_list args;

    va_start(args, format);
    vsnprintf(sql, sizeof sql, format, args);
    va_end(args);
    snprintf(path, sizeof path, "%s/users.db", stand.directory);
    ck_assert_int_eq(sqlite3_open(path, &database), SQLITE_OK);
    sqlite3_busy_timeout(database, PATIENCE_MS);
    ck_assert_int_eq(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(database);
}

/* As if the last tick had been long ago. */
static void forget_ticks(void)
{
    run_sql("INSERT OR REPLACE INTO facts (name, value) VALUES ('backup_tick', "
            "'1000000000 done 1 1 node @yearly UTC')");
}

static void start(struct cw_server *server)
{
    cw_server_start(
        server, &(struct cw_server_options){.environment = (const char *const *)stand.environment,
                                            .directory = stand.directory});
}

static void restart(void)
{
    cw_server_stop(&stand.server);
    forget_ticks();
    start(&stand.server);
    http_client_free(&stand.http);
    stand.http = http_client_new(stand.server.base_url);
}

static void open_stand(const char *folder)
{
    const struct stand_options options = {
        .environment = (const char *const[]){"BACKUP_SCHEDULE=@yearly", folder, NULL}};

    stand_open(&stand, &options);
}

/* ---- what is told ---- */

static bool says(const void *with)
{
    const struct http_reply *reply = http_get(stand.http, "/health", stand.root.bearer);

    return strstr(reply->body, with) != NULL;
}

static int count_archives(void)
{
    char path[512];
    int count = 0;

    snprintf(path, sizeof path, "%s/kept", stand.directory);
    DIR *folder = opendir(path);
    ck_assert_ptr_nonnull(folder);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += strstr(entry->d_name, ".tar.zst") != NULL;
    closedir(folder);
    return count;
}

static bool has_record(const void *with)
{
    const struct http_reply *reply =
        http_get(stand.http, "/api/v1/audit?limit=20", stand.root.bearer);

    return strstr(reply->body, with) != NULL;
}

START_TEST(a_missed_tick_is_done_once)
{
    struct cw_server other;

    open_stand("BACKUP_DIR=kept");
    /* The first start misses nothing. */
    ck_assert(says("\"schedule\":\"@yearly\""));
    ck_assert(says("-01-01T00:00:00.000Z\",\"overdue\":false,\"last\":null,\"last_good\":null}"));
    restart();
    stand_wait(says, "\"result\":\"ok\",\"id\":\"20", "a backup was made");
    cw_server_wait_log(&stand.server, "event=backup.missed tick=20");
    cw_server_wait_log(&stand.server, "event=backup.made id=20");
    start(&other); /* it finds that all is done */
    stand_wait(has_record, "\"principal\":\"schedule\"", "the audit has it");
    const struct http_reply *reply = http_get(stand.http, "/metrics", stand.root.bearer);
    ck_assert_ptr_nonnull(strstr(reply->body, "cachewarden_backups_total{result=\"good\"} 1\n"));
    ck_assert_ptr_null(
        strstr(reply->body, "cachewarden_backup_last_success_timestamp_seconds 0\n"));
    cw_server_stop(&other);
    ck_assert_int_eq(count_archives(), 1);
    /* A disk that is not mounted. */
    ck_assert(says("\"in_folder\":true"));
    char from[512], to[512];
    snprintf(from, sizeof from, "%s/kept", stand.directory);
    snprintf(to, sizeof to, "%s/away", stand.directory);
    ck_assert_int_eq(rename(from, to), 0);
    ck_assert(says("\"in_folder\":false"));
    stand_close(&stand);
}
END_TEST

/* Both wake for the same tick; what one has, the other leaves. */
START_TEST(of_two_servers_one_does_it)
{
    struct cw_server others[2];

    open_stand("BACKUP_DIR=kept");
    cw_server_stop(&stand.server);
    forget_ticks();
    for (int i = 0; i < 2; i++)
        start(&others[i]);
    start(&stand.server);
    http_client_free(&stand.http);
    stand.http = http_client_new(stand.server.base_url);
    stand_wait(says, "\"result\":\"ok\",\"id\":\"20", "a backup was made");
    for (int i = 0; i < 2; i++)
        cw_server_stop(&others[i]);
    ck_assert_int_eq(count_archives(), 1);
    stand_close(&stand);
}
END_TEST

/* Where the folder is to be there is a file. */
START_TEST(a_failure_is_told)
{
    struct cw_result result;

    open_stand("BACKUP_DIR=users.db");
    restart();
    stand_wait(says, "\"last\":{\"at\":\"20", "a backup was tried");
    ck_assert(says("\"result\":\"failed\",\"reason\":\""));
    ck_assert(says("\"last_good\":null"));
    cw_server_wait_log(&stand.server, "event=backup.failed");
    const struct http_reply *reply = http_get(stand.http, "/metrics", stand.root.bearer);
    ck_assert_ptr_nonnull(strstr(reply->body, "cachewarden_backups_total{result=\"failed\"} 1\n"));
    stand_cli(&stand, NULL, (const char *const[]){"doctor", NULL}, &result);
    ck_assert_ptr_nonnull(strstr(result.out, "FAILED   backups: none can be made: "));
    ck_assert_ptr_nonnull(strstr(result.out, "warning  backups: the last one failed on "));
    cw_result_fini(&result);
    stand_close(&stand);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("backup_schedule");
    TCase *all = tcase_create("all");

    tcase_add_test(all, a_missed_tick_is_done_once);
    tcase_add_test(all, of_two_servers_one_does_it);
    tcase_add_test(all, a_failure_is_told);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
