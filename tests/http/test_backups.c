/* Backups over HTTP: made, listed, checked, removed; and what an operator finds on the disk and in the audit. */
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define OLDEST "20200101T000000Z-00000001"
#define OLD    "20200102T000000Z-00000002"
#define FUTURE "20990101T000000Z-00000003" /* made while the clock was wrong */
#define CUT    "20200103T000000Z-00000004" /* OLD, cut */

static struct stand stand;

static void open_stand(void)
{
    stand_open(&stand, NULL);
}

static void close_stand(void)
{
    stand_close(&stand);
}

static const struct http_reply *call(const char *method, const char *target)
{
    return http_send(stand.http, method, target, (const char *const[]){stand.root.bearer, NULL},
                     NULL, 0);
}

static const char *path_of(const char *id)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/backups/%s.tar.zst", stand.directory, id);
    return path;
}

/* One of the archives that were made with the stand's secret; up to `limit` bytes of it. */
static void put_archive(const char *from, const char *id, size_t limit)
{
    char path[512], bytes[4096];

    snprintf(path, sizeof path, "%s/tests/http/backups/%s.tar.zst", CW_SOURCE_DIR, from);
    FILE *file = fopen(path, "rbe");
    ck_assert_msg(file != NULL, "%s", path);
    size_t size = fread(bytes, 1, limit, file);
    fclose(file);
    file = fopen(path_of(id), "wbe");
    ck_assert_msg(file != NULL, "%s", path_of(id));
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

static json_t *answer(const struct http_reply *reply, int status)
{
    expect_status(reply, status);
    json_t *body = json_loads(reply->body, 0, NULL);
    ck_assert_msg(body != NULL, "%s", reply->body);
    return body;
}

static long long number(const json_t *of, const char *name)
{
    const json_t *value = json_object_get(of, name);

    ck_assert_msg(json_is_integer(value), "%s", name);
    return json_integer_value(value);
}

/* The ids of a list, with a blank behind each. */
static const char *ids_of(const struct http_reply *reply, const char *name)
{
    static char ids[512];
    json_t *body = answer(reply, 200), *list = json_object_get(body, name), *each;
    size_t index;

    ck_assert_msg(json_is_array(list), "%s", reply->body);
    ids[0] = '\0';
    json_array_foreach(list, index, each)
    {
        snprintf(ids + strlen(ids), sizeof ids - strlen(ids), "%s ",
                 json_string_value(json_object_get(each, "id")));
    }
    json_decref(body);
    return ids;
}

/* Makes one; its id in a buffer that lasts until the next. */
static const char *make(json_t **body_out)
{
    static char id[64];
    const struct http_reply *reply = call("POST", "/api/v1/backups");
    json_t *body = answer(reply, 201);

    snprintf(id, sizeof id, "%s", json_string_value(json_object_get(body, "id")));
    if (body_out)
        *body_out = body;
    else
        json_decref(body);
    return id;
}

static int files_in_folder(void)
{
    char folder[512];
    int count = 0;

    snprintf(folder, sizeof folder, "%s/backups", stand.directory);
    DIR *listing = opendir(folder);
    ck_assert_ptr_nonnull(listing);
    for (const struct dirent *entry; (entry = readdir(listing));)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(listing);
    return count;
}

START_TEST(one_is_made_and_found)
{
    char target[128], said[65];
    struct stat status;
    json_t *body, *again;

    ck_assert_str_eq(ids_of(call("GET", "/api/v1/backups"), "backups"), "");
    expect_status(http_send(stand.http, "POST", "/api/cache/clear/",
                            (const char *const[]){stand.alice.bearer, NULL}, NULL, 0),
                  200);
    const char *id = make(&body);
    /* alice, bob, root, boss; what the clear left, and marks. */
    ck_assert_int_eq(number(body, "users"), 4);
    ck_assert_int_eq(number(body, "api_keys"), 0);
    ck_assert_int_ge(number(body, "control_keys"), 1);
    ck_assert_uint_eq(json_object_size(body), 7);

    ck_assert_int_eq(stat(path_of(id), &status), 0);
    ck_assert_int_eq(status.st_mode & 07777, 0600);
    ck_assert_int_eq(status.st_size, number(body, "size"));
    ck_assert_int_eq(files_in_folder(), 1);
    snprintf(said, sizeof said, "%s", json_string_value(json_object_get(body, "sha256")));
    ck_assert_uint_eq(strspn(said, "0123456789abcdef"), 64);

    snprintf(target, sizeof target, "/api/v1/backups/%s", id);
    again = answer(call("GET", target), 200);
    ck_assert(json_equal(body, again));
    json_decref(again);
    snprintf(target, sizeof target, "/api/v1/backups/%s/verify", id);
    again = answer(call("POST", target), 200);
    ck_assert(json_equal(body, again));
    json_decref(again);
    ck_assert_msg(strncmp(ids_of(call("GET", "/api/v1/backups"), "backups"), id, 25) == 0, "%s",
                  id);

    snprintf(target, sizeof target, "/api/v1/backups/%s", id);
    expect_status(call("DELETE", target), 204);
    expect_status(call("DELETE", target), 404);
    expect_status(call("GET", target), 404);
    ck_assert_int_eq(files_in_folder(), 0);
    json_decref(body);
}
END_TEST

/* Who made and who removed one, and no more: not the reads, nor what was refused. */
START_TEST(the_audit_tells_of_changes)
{
    char target[128], text[4096];
    const char *id = make(NULL);

    snprintf(target, sizeof target, "/api/v1/backups/%s", id);
    expect_status(call("GET", target), 200);
    expect_status(call("DELETE", target), 204);
    expect_status(call("DELETE", target), 404);
    const struct http_reply *reply = call("GET", "/api/v1/audit?part=changes&limit=100");
    expect_status(reply, 200);
    snprintf(text, sizeof text, "%s", reply->body);
    snprintf(target, sizeof target, "\"backup:%s\"", id);
    const char *deleted = strstr(text, target),
               *made = deleted ? strstr(deleted + 1, target) : NULL;
    ck_assert_msg(made != NULL && strstr(made + 1, target) == NULL, "%s", text);
    ck_assert_ptr_nonnull(strstr(text, "\"backups.create\""));
    ck_assert_ptr_nonnull(strstr(text, "\"backups.delete\""));
    ck_assert_ptr_null(strstr(text, "\"backups.show\""));
}
END_TEST

START_TEST(a_second_one_at_once_is_a_conflict)
{
    char folder[512];
    const char *id = make(NULL);

    snprintf(folder, sizeof folder, "%s/backups", stand.directory);
    int held = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_eq(flock(held, LOCK_EX | LOCK_NB), 0);
    expect_status(call("POST", "/api/v1/backups"), 409);
    ck_assert_msg(strncmp(ids_of(call("GET", "/api/v1/backups"), "backups"), id, 25) == 0, "%s",
                  id);
    close(held);
    make(NULL);
}
END_TEST

START_TEST(without_redis_there_is_none)
{
    make(NULL);
    redis_server_kill(stand.redis);
    expect_status(call("POST", "/api/v1/backups"), 503);
    ck_assert_int_eq(files_in_folder(), 1);
    /* Those that are there are found all the same. */
    expect_status(call("GET", "/api/v1/backups"), 200);
}
END_TEST

START_TEST(what_is_not_whole_is_not_listed_and_is_told_by_verify)
{
    make(NULL);
    put_archive(OLD, OLD, 4096);
    put_archive(OLD, CUT, 300);
    ck_assert_ptr_null(strstr(ids_of(call("GET", "/api/v1/backups"), "backups"), CUT));
    ck_assert_ptr_nonnull(strstr(ids_of(call("GET", "/api/v1/backups"), "backups"), OLD));
    expect_status(call("GET", "/api/v1/backups/" CUT), 404);
    const struct http_reply *reply = call("POST", "/api/v1/backups/" CUT "/verify");
    expect_status(reply, 422);
    ck_assert_ptr_nonnull(strstr(reply->body, "The archive is damaged"));
    expect_status(call("POST", "/api/v1/backups/" OLD "/verify"), 200);
    /* No path leads out of the folder. */
    expect_status(call("POST", "/api/v1/backups/users.db/verify"), 404);
    expect_status(call("GET", "/api/v1/backups/..%2fusers.db"), 404);
    expect_status(call("DELETE", "/api/v1/backups/..%2f..%2fetc%2fpasswd"), 404);
}
END_TEST

/* What is said of CUT, by the same cleanup that removed this. */
static const char *cleanup_of_cut(const char *removed)
{
    static char said[512];
    char body[4096];
    const struct http_reply *reply = call("POST", "/api/v1/backups/cleanup");

    snprintf(body, sizeof body, "%s", reply->body);
    ck_assert_str_eq(ids_of(reply, "removed"), removed);
    const char *broken = strstr(body, ",\"not_whole\":");
    ck_assert_msg(broken != NULL, "%s", body);
    snprintf(said, sizeof said, "%s", broken);
    return said;
}

#define SAYS_CUT                                                                            \
    ",\"not_whole\":[{\"id\":\"" CUT "\",\"reason\":\"The archive is damaged: it does not " \
    "end as a backup does.\",\"removed\":"

/* The newest that is whole stays whatever its age, and what is not whole and newer. */
START_TEST(a_cleanup_leaves_the_newest_that_is_whole)
{
    char left[512];
    const char *id = make(NULL);

    expect_status(call("DELETE", (snprintf(left, sizeof left, "/api/v1/backups/%s", id), left)),
                  204);
    put_archive(OLDEST, OLDEST, 4096);
    put_archive(OLD, OLD, 4096);
    put_archive(OLD, CUT, 300);
    ck_assert_str_eq(cleanup_of_cut(OLDEST " "), SAYS_CUT "false}]}");
    ck_assert_str_eq(cleanup_of_cut(""), SAYS_CUT "false}]}");
    ck_assert_int_eq(access(path_of(CUT), F_OK), 0);

    id = make(NULL);
    ck_assert_str_eq(cleanup_of_cut(OLD " "), SAYS_CUT "true}]}");
    ck_assert_str_eq(cleanup_of_cut(""), ",\"not_whole\":[]}");
    ck_assert_int_ne(access(path_of(CUT), F_OK), 0);
    /* A clock that was set back: what it made before is newer than now. */
    put_archive(FUTURE, FUTURE, 4096);
    ck_assert_str_eq(ids_of(call("POST", "/api/v1/backups/cleanup"), "removed"), "");
    snprintf(left, sizeof left, FUTURE " %s ", id);
    ck_assert_str_eq(ids_of(call("GET", "/api/v1/backups"), "backups"), left);
}
END_TEST

/* It keeps nothing else from being cleaned up. */
START_TEST(a_cleanup_leaves_a_folder_that_is_called_as_a_backup)
{
    make(NULL);
    ck_assert_int_eq(mkdir(path_of(OLDEST), 0700), 0);
    put_archive(OLD, CUT, 300);
    const struct http_reply *reply = call("POST", "/api/v1/backups/cleanup");
    expect_status(reply, 200);
    ck_assert_int_ne(access(path_of(CUT), F_OK), 0);
    ck_assert_int_eq(access(path_of(OLDEST), F_OK), 0);
    expect_status(call("DELETE", "/api/v1/backups/" OLDEST), 404);
    ck_assert_int_eq(rmdir(path_of(OLDEST)), 0);
}
END_TEST

/* Of who was killed; not of who writes at this moment. */
START_TEST(a_cleanup_removes_what_was_left_half_made)
{
    char folder[512];

    make(NULL);
    snprintf(folder, sizeof folder, "%s/backups", stand.directory);
    put_archive(OLD, "." OLD, 300);
    int held = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_eq(flock(held, LOCK_EX | LOCK_NB), 0);
    expect_status(call("POST", "/api/v1/backups/cleanup"), 200);
    ck_assert_int_eq(files_in_folder(), 2);
    close(held);
    expect_status(call("POST", "/api/v1/backups/cleanup"), 200);
    ck_assert_int_eq(files_in_folder(), 1);
}
END_TEST

/* Whoever sends a body wants something of it, such as a trial; nothing is done then. */
START_TEST(a_body_is_refused)
{
    static const char *const targets[] = {"/api/v1/backups", "/api/v1/backups/" OLD "/verify",
                                          "/api/v1/backups/" OLD "/restore",
                                          "/api/v1/backups/cleanup"};
    static const char *const bodies[] = {"{\"dryRun\":true}", "[1]", "x", "{\"dry_run\":true}"};
    const char *const headers[] = {stand.root.bearer, "Content-Type: application/json", NULL};

    make(NULL);
    put_archive(OLD, OLD, 4096);
    for (size_t i = 0; i < 4; i++)
        for (size_t b = 0; b < 4; b++) {
            const struct http_reply *reply =
                http_send(stand.http, "POST", targets[i], headers, bodies[b], strlen(bodies[b]));
            ck_assert_msg(reply->status == 400, "%s %s: %d", targets[i], bodies[b], reply->status);
        }
    ck_assert_int_eq(files_in_folder(), 2);
    expect_status(
        http_send(stand.http, "POST", "/api/v1/backups/" OLD "/verify", headers, " {}\n", 4), 200);
}
END_TEST

/* Nobody below an admin, and nothing but what the row takes. */
START_TEST(others_are_refused)
{
    static const struct {
        const char *method, *target;
    } calls[] = {
        {"POST", "/api/v1/backups"},        {"GET", "/api/v1/backups"},
        {"GET", "/api/v1/backups/" OLD},    {"POST", "/api/v1/backups/" OLD "/verify"},
        {"DELETE", "/api/v1/backups/" OLD}, {"POST", "/api/v1/backups/cleanup"},
    };

    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        expect_status(http_send(stand.http, calls[i].method, calls[i].target,
                                (const char *const[]){stand.alice.bearer, NULL}, NULL, 0),
                      403);
        expect_status(http_send(stand.http, calls[i].method, calls[i].target, NULL, NULL, 0), 401);
    }
    expect_status(call("POST", "/api/v1/backups?fast=1"), 400);
    expect_status(call("PUT", "/api/v1/backups"), 405);
}
END_TEST

/* Who has to mend it learns what it is; nobody else. */
START_TEST(an_admin_is_told_why_it_failed)
{
    struct rlimit none;

    make(NULL);
    ck_assert_int_eq(prlimit(stand.server.pid, RLIMIT_FSIZE, NULL, &none), 0);
    none.rlim_cur = 0;
    ck_assert_int_eq(prlimit(stand.server.pid, RLIMIT_FSIZE, &none, NULL), 0);
    const struct http_reply *reply = call("POST", "/api/v1/backups");
    expect_status(reply, 503);
    ck_assert_msg(strstr(reply->body,
                         "\"Service temporarily unavailable. The backup could not be written into "
                         "backup.directory: File too large.\""),
                  "%s", reply->body);
    expect_status(http_post(stand.http, "/api/v1/backups", stand.alice.bearer), 403);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http/backups");
    TCase *tcase = tcase_create("backups");

    tcase_add_checked_fixture(tcase, open_stand, close_stand);
    tcase_add_test(tcase, one_is_made_and_found);
    tcase_add_test(tcase, the_audit_tells_of_changes);
    tcase_add_test(tcase, a_second_one_at_once_is_a_conflict);
    tcase_add_test(tcase, without_redis_there_is_none);
    tcase_add_test(tcase, what_is_not_whole_is_not_listed_and_is_told_by_verify);
    tcase_add_test(tcase, a_cleanup_leaves_the_newest_that_is_whole);
    tcase_add_test(tcase, a_cleanup_leaves_a_folder_that_is_called_as_a_backup);
    tcase_add_test(tcase, a_cleanup_removes_what_was_left_half_made);
    tcase_add_test(tcase, an_admin_is_told_why_it_failed);
    tcase_add_test(tcase, a_body_is_refused);
    tcase_add_test(tcase, others_are_refused);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
