/*
 * Every route of `cachewarden routes --json` with its permission and its limit × every kind of caller,
 * status only, against tests/api/permissions.golden. A new route, a changed permission or limit is a visible
 * difference there.
 *
 * After a change that is meant, write the file anew and read the difference before committing it:
 *
 *     CW_UPDATE_GOLDEN=1 build-dev/tests/http/test_permissions && git diff tests/api/permissions.golden
 */
#include "browser.h"
#include "golden.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct stand stand;
static struct stand_account asleep, gone, owner;

#define JOB "5f1c0e7a93b24d6f8a1e2c3d4b5a6978"

enum { CREDENTIAL_SIZE = MINT_SIZE };

/* One kind of caller; `write` makes its credential (fresh each time: a route may spend it), NULL: none.
 * A browser's is several lines. */
struct caller {
    const char *name;
    char *(*write)(char *out);
    const char *const *key_arguments; /* of `key create`; then `write` is not used */
    bool is_nobody;                   /* not, or no longer, a good credential */
    char key[STAND_KEY_SIZE];
};

static char *invalid_token(char *out)
{
    return mint_bearer(out, "a-secret-of-somebody-else-of-enough-bytes",
                       "{\"token_type\":\"access\",\"exp\":4102444800,\"user_id\":1}");
}

static char *as_user(char *out)
{
    return stand_bearer(out, &stand.alice);
}

static char *as_superuser(char *out)
{
    return stand_bearer(out, &stand.root);
}

static char *as_group_member(char *out)
{
    return stand_bearer(out, &stand.boss);
}

/* Somebody else's user, who has the number of our superuser. */
static char *as_same_number(char *out)
{
    return stand_stranger(out, stand.root.id);
}

static char *as_unknown_id(char *out)
{
    return stand_stranger(out, 987654321);
}

static char *as_inactive(char *out)
{
    return stand_bearer(out, &asleep);
}

static char *as_deleted(char *out)
{
    /* A name that is nobody's any more; beside it a number would be a stranger's. */
    return mint_bearer(out, STAND_SECRET, "{\"exp\":4102444800,\"sub\":\"%s\"}", gone.name);
}

static char *with_refresh_token(char *out)
{
    return mint_bearer(
        out, STAND_SECRET,
        "{\"token_type\":\"refresh\",\"exp\":4102444800,\"jti\":\"r\",\"user_id\":%lld}",
        (long long)stand.root.id);
}

/* A page of ours, signed in with a session. */
static char *in_session(char *out, const char *username)
{
    struct browser browser;
    browser_open(&browser, stand.http, stand.server.base_url);
    browser_sign_in(&browser, username, STAND_PASSWORD);
    return browser_lines(&browser, out, CREDENTIAL_SIZE);
}

static char *in_session_as_user(char *out)
{
    return in_session(out, "alice");
}

static char *in_session_as_superuser(char *out)
{
    return in_session(out, "root");
}

/* What a page elsewhere can make a browser send. */
static char *in_session_without_xsrf(char *out)
{
    in_session(out, "root");
    *strstr(out, "\nX-XSRF-TOKEN") = '\0';
    return out;
}

static const char *const no_scope[] = {NULL}, *const scope_flush[] = {"--scope", "flush", NULL},
                         *const scope_entries[] = {"--scope", "entries", "--namespace", "shop",
                                                   NULL},
                         *const scope_metrics[] = {"--scope", "metrics", NULL},
                         *const scope_admin[] = {"--scope", "admin", NULL},
                         *const scope_user[] = {"--scope", "user", "--user", "owner", NULL},
                         *const owned_no_scope[] = {"--user", "owner", NULL};

static struct caller callers[] = {
    {.name = "anonymous", .is_nobody = true},
    {.name = "bad-token", .write = invalid_token, .is_nobody = true},
    {.name = "refresh-token", .write = with_refresh_token, .is_nobody = true},
    {.name = "user", .write = as_user},
    {.name = "superuser", .write = as_superuser},
    {.name = "group-admin", .write = as_group_member},
    {.name = "unknown-id", .write = as_unknown_id},
    {.name = "number-of-superuser", .write = as_same_number},
    {.name = "session", .write = in_session_as_user},
    {.name = "session-superuser", .write = in_session_as_superuser},
    {.name = "session-without-xsrf", .write = in_session_without_xsrf},
    {.name = "inactive", .write = as_inactive, .is_nobody = true},
    {.name = "deleted", .write = as_deleted, .is_nobody = true},
    {.name = "key", .key_arguments = no_scope},
    {.name = "key-flush", .key_arguments = scope_flush},
    {.name = "key-entries", .key_arguments = scope_entries},
    {.name = "key-metrics", .key_arguments = scope_metrics},
    {.name = "key-admin", .key_arguments = scope_admin},
    {.name = "key-user", .key_arguments = scope_user},
    {.name = "key-owned", .key_arguments = owned_no_scope},
    {.name = "key-expired", .key_arguments = scope_admin, .is_nobody = true},
    {.name = "key-revoked", .key_arguments = scope_admin, .is_nobody = true},
};
#define CALLERS (sizeof callers / sizeof *callers)

static void expire_key(const char *name)
{
    char path[512];
    sqlite3 *database;
    sqlite3_stmt *update;
    snprintf(path, sizeof path, "%s/users.db", stand.directory);
    ck_assert_int_eq(sqlite3_open(path, &database), SQLITE_OK);
    sqlite3_busy_timeout(database, 5000);
    ck_assert_int_eq(sqlite3_prepare_v2(database,
                                        "UPDATE api_keys SET expires_at_s = 1 WHERE name = ?1", -1,
                                        &update, NULL),
                     SQLITE_OK);
    sqlite3_bind_text(update, 1, name, -1, SQLITE_STATIC);
    ck_assert_int_eq(sqlite3_step(update), SQLITE_DONE);
    ck_assert_int_eq(sqlite3_changes(database), 1);
    sqlite3_finalize(update);
    sqlite3_close(database);
}

static void open_stand(void)
{
    stand_open(&stand, &(struct stand_options){.environment = (const char *const[]){
                                                   "CACHEWARDEN_LIMITS_ENABLED=false", NULL}});
    stand_account(&stand, &asleep, "asleep", NULL);
    stand_account(&stand, &gone, "gone", NULL);
    stand_account(&stand, &owner, "owner", NULL);
    stand_cli_do(&stand, NULL, (const char *const[]){"user", "deactivate", "asleep", NULL});
    stand_cli_do(&stand, NULL, (const char *const[]){"user", "delete", "gone", NULL});
    for (size_t i = 0; i < CALLERS; i++)
        if (callers[i].key_arguments)
            stand_key(&stand, callers[i].key, callers[i].name, callers[i].key_arguments);
    expire_key("key-expired");
    redis_server_do(stand.redis,
                    "HSET cw:jobs:" JOB
                    " goes_on 1 target cache:sessions starter user:%lld: by_id 0 with 2 "
                    "part 1 started 1769860800000 size 1000 scanned 420 found 12 removed 12 "
                    "progress 420000 cursor 1 replication_id 1",
                    (long long)stand.alice.id);
    stand_cli_do(&stand, NULL, (const char *const[]){"key", "revoke", "key-revoked", NULL});
}

static void close_stand(void)
{
    stand_close(&stand);
}

/* "/api/v1/caches/{name}/flush" with something that exists for {name}; labels and models are as one likes, a
 * job is the user's. */
static void fill_in(char *out, size_t out_size, const char *path)
{
    const char *open = strchr(path, '{'), *close = strchr(path, '}');
    bool is_job = open && strncmp(open, "{id}", 4) == 0;
    bool is_known = open && (is_job || strncmp(open, "{name}", 6) == 0 ||
                             strncmp(open, "{label}", 7) == 0 || strncmp(open, "{model}", 7) == 0);
    ck_assert_msg(!open || is_known, "what stands for the segment of %s? Say it here.", path);
    if (open)
        snprintf(out, out_size, "%.*s%s%s", (int)(open - path), path, is_job ? JOB : "messages",
                 close + 1);
    else
        snprintf(out, out_size, "%s", path);
}

/*
 * The file would hide a hole that was there from the start, so three rules
 * are also said as rules: whoever is not signed in gets 401 everywhere but on the routes open to
 * all, so does a credential that is no longer good, and a session changes nothing without its proof.
 */
static void check_rules(const char *method, const char *path, const int *statuses)
{
    for (size_t i = 0; i < CALLERS; i++) {
        bool must_fail = callers[i].write == in_session_without_xsrf && strcmp(method, "GET") != 0;
        ck_assert_msg(!must_fail || statuses[i] == 403, "%s %s without XSRF-TOKEN: %d", method,
                      path, statuses[i]);
        ck_assert_msg(!callers[i].is_nobody || statuses[i] == 401, "%s %s as %s: %d, not 401",
                      method, path, callers[i].name, statuses[i]);
    }
}

/* `credential`: header lines with '\n' between them, or NULL. */
static const struct http_reply *call(const char *method, const char *target, const char *credential)
{
    static char lines[CREDENTIAL_SIZE];
    const char *headers[BROWSER_HEADERS];
    snprintf(lines, sizeof lines, "%s", credential ? credential : "");
    browser_split(lines, headers, NULL);
    return http_send(stand.http, method, target, headers, NULL, 0);
}

/* "GET /api/cache/status/ (user; limit status)", and a line for each status with those who get it. */
static void print_route(FILE *out, const json_t *row)
{
    const char *method = json_string_value(json_object_get(row, "method"));
    const char *path = json_string_value(json_object_get(row, "path"));
    const char *permission = json_string_value(json_object_get(row, "permission"));
    const char *limit = json_string_value(json_object_get(row, "limit"));
    char target[256], credential[CREDENTIAL_SIZE];
    int statuses[CALLERS];
    ck_assert_msg(method && path && permission, "a row without method, path or permission");
    fill_in(target, sizeof target, path);
    for (size_t i = 0; i < CALLERS; i++) {
        const char *line = callers[i].write           ? callers[i].write(credential)
                           : callers[i].key_arguments ? callers[i].key
                                                      : NULL;
        const struct http_reply *reply = call(method, target, line);
        ck_assert_msg(reply->status != 0, "%s %s as %s: %s", method, path, callers[i].name,
                      reply->failure);
        statuses[i] = reply->status;
    }
    if (strcmp(permission, "public") != 0)
        check_rules(method, path, statuses);
    fprintf(out, "%s %s (%s; limit %s)\n", method, path, permission, limit ? limit : "none");
    for (int status = 200; status < 600; status++) {
        const char *before = NULL;
        for (size_t i = 0; i < CALLERS; i++)
            if (statuses[i] == status) {
                if (!before)
                    fprintf(out, "    %d", status);
                fprintf(out, " %s", before = callers[i].name);
            }
        fputs(before ? "\n" : "", out);
    }
}

static json_t *route_list(void)
{
    struct cw_result result;
    json_error_t error;
    stand_cli(&stand, NULL, (const char *const[]){"routes", "--json", NULL}, &result);
    ck_assert_msg(result.status == 0, "%s", result.err);
    json_t *root = json_loads(result.out, 0, &error);
    ck_assert_msg(root != NULL, "%s: %s", error.text, result.out);
    cw_result_fini(&result);
    return root;
}

static char *matrix(void)
{
    char *text;
    size_t size, index;
    FILE *out = open_memstream(&text, &size);
    json_t *root = route_list(), *row;
    json_t *routes = json_is_object(root) ? json_object_get(root, "routes") : root;
    ck_assert_uint_ge(json_array_size(routes), 15);
    json_array_foreach(routes, index, row) print_route(out, row);
    json_decref(root);
    fclose(out);
    return text;
}

START_TEST(every_route_for_every_caller)
{
    char *now = matrix();
    golden_expect("tests/api/permissions.golden", now);
    free(now);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("permissions");
    TCase *shared = tcase_create("matrix");
    tcase_add_unchecked_fixture(shared, open_stand, close_stand);
    tcase_add_test(shared, every_route_for_every_caller);
    suite_add_tcase(suite, shared);
    return suite_run(suite);
}
