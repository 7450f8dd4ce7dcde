/* A node that faces the control data of another installation writes nothing there, whatever is asked. */
#include "session.h" /* before two_nodes.h, whose names its own would shadow */

#include "two_nodes.h"

#include "cachewarden/audit.h"
#include "cachewarden/control.h"
#include "health/probe.h"
#include "redis_snapshot.h"
#include "suite.h"

#include <sqlite3.h>

/* Node 0 and 1 are ours; the stranger has a users database of its own. */
static struct loopback stranger;
static struct session session; /* the stranger's, from when Redis was its own */

static void open_all(void)
{
    static const char *const persistent[] = {"--appendonly", "no", "--dbfilename", "kept.rdb",
                                             NULL};
    redis = redis_server_start(&(struct redis_server_options){.args = persistent});
    arena = arena_new(4096, 0);
    loopback_open(&stranger, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                        .is_unwatched = true,
                                                        .is_registration_open = true,
                                                        .limits = {.enabled = true,
                                                                   .status_per_minute = 1000,
                                                                   .toggle_per_minute = 1000,
                                                                   .clear_per_minute = 1000,
                                                                   .flush_per_minute = 1000,
                                                                   .password_per_minute = 1000,
                                                                   .logout_per_minute = 1000,
                                                                   .refresh_per_minute = 1000,
                                                                   .job_per_minute = 1000,
                                                                   .login_per_minute = 1000,
                                                                   .register_per_minute = 1000,
                                                                   .login_failures = 1000}});
    session_register(&stranger, "eve");
    session_open(&stranger, "eve", &session);
    ck_assert_int_eq(audit_drain(stranger.app, soon()), ERR_OK);
    redis_server_do(redis, "FLUSHALL");
    open_node(&nodes[0], NULL, false);
    open_node(&nodes[1], &nodes[0], false);
    clear_on(0, 7);
    switch_on(0, 8, false);
    redis_server_do(redis, "SET whatsapp:development:in theirs");
}

static void close_all(void)
{
    session_free(&session);
    loopback_close(&stranger);
    close_two();
}

/* As the node does by itself, four times a second. */
static void notice(void)
{
    struct error error = {0};
    ck_assert_int_eq(version_guard_reconcile(stranger.app->guard, VERSION_GUARD_REPAIRS,
                                             (struct work){.deadline_ns = soon(), .error = &error}),
                     ERR_UPSTREAM_REFUSED);
}

static char *everything(void)
{
    char *text, *keys = redis_snapshot(redis, NULL);
    redisReply *id = redis_server_ask(redis, "HGET cw:dataset id");
    redisReply *term = redis_server_ask(redis, "HGET cw:dataset term");
    ck_assert_int_gt(asprintf(&text, "%s%s %s", keys, id->str, term->str), 0);
    freeReplyObject(id);
    freeReplyObject(term);
    free(keys);
    return text;
}

static size_t switches_kept(void)
{
    struct users_ids kept;
    struct error error = {0};
    ck_assert_int_eq(users_switches_off(stranger.app->users, arena, 0, 9, &kept, &error), ERR_OK);
    return kept.count;
}

static void expect_err(struct loopback_answer *answer, enum err err)
{
    ck_assert_msg(answer->err == err, "%s: %s %s", err_name(answer->err), answer->error.caller,
                  answer->error.detail);
    loopback_free(&answer);
}

/* Nothing is emptied, and nobody is shown what the others did. */
static void try_caches(void)
{
    static const char *const of_admins[] = {"search.clear", "caches.list", "audit.list"};
    const struct principal key = loopback_key(SCOPE_FLUSH, 0);
    struct health_tests tests;
    health_test(stranger.app, arena, soon(), &tests);
    ck_assert(!tests.basic_set_get && !tests.pipeline && tests.latency_ms >= 0);
    struct health_report report;
    health_probe(stranger.app, arena, soon(), &report);
    ck_assert(report.connected && !report.read_write);
    ck_assert_str_eq(report.message, "redis holds the control data of another installation");
    for (size_t i = 0; i < sizeof of_admins / sizeof *of_admins; i++)
        expect_err(LOOPBACK(&stranger, of_admins[i], loopback_admin()), ERR_UPSTREAM_REFUSED);
    expect_err(LOOPBACK(&stranger, "messages.flush", key), ERR_UPSTREAM_REFUSED);
    expect_err(LOOPBACK(&stranger, "caches.flush", key, .name = "messages"), ERR_UPSTREAM_REFUSED);
    expect_err(
        LOOPBACK(&stranger, "caches.flush", key, .name = "messages", .query = "dry_run=true"),
        ERR_UPSTREAM_REFUSED);
}

static void try_everything(void)
{
    static const char *const refused[] = {"cache.status", "cache.enable", "cache.disable",
                                          "cache.clear"};
    char body[4096];
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        expect_err(SESSION_CALL(&stranger, &session, refused[i]), ERR_UPSTREAM_REFUSED);
    expect_err(LOOPBACK(&stranger, "cache.admin_clear", loopback_admin(), .query = "user_id=7"),
               ERR_UPSTREAM_REFUSED);
    expect_err(LOOPBACK(&stranger, "cache.admin_clear", loopback_admin()), ERR_UPSTREAM_REFUSED);
    /* Signing in needs no Redis: the tokens say that they are not recorded. */
    expect_err(LOOPBACK(&stranger, "auth.login", loopback_nobody(),
                        .body = "{\"username\":\"eve\",\"password\":\"" LOOPBACK_PASSWORD "\"}"),
               ERR_OK);
    expect_err(LOOPBACK(&stranger, "auth.login", loopback_nobody(),
                        .body = "{\"username\":\"eve\",\"password\":\"wrong\"}"),
               ERR_UNAUTHENTICATED);
    snprintf(body, sizeof body, "{\"refresh_token\":\"%s\"}", session.refresh);
    expect_err(LOOPBACK(&stranger, "auth.refresh", loopback_nobody(), .body = body),
               ERR_UPSTREAM_REFUSED);
    expect_err(SESSION_CALL(&stranger, &session, "auth.logout", .query = "all=true"),
               ERR_UPSTREAM_REFUSED);
    expect_err(SESSION_CALL(&stranger, &session, "auth.logout"), ERR_UPSTREAM_REFUSED);
    try_caches();
    ck_assert_int_eq(audit_drain(stranger.app, soon()), ERR_OK);
}

static void expect_untouched(void)
{
    char *before = everything();
    try_everything();
    char *after = everything();
    ck_assert_str_eq(before, after);
    ck_assert_uint_eq(switches_kept(), 0);
    /* The session was not ended here, either: what was refused did not happen. */
    ck_assert_int_eq(session_try_access(&stranger, session.access), ERR_OK);
    free(before);
    free(after);
}

/* It had agreed to its own data before. */
START_TEST(behind_the_same_address)
{
    notice();
    expect_untouched();
    expect_untouched();
    ck_assert_int_eq(version_on(1, 7), 2);
}
END_TEST

/* How often others have written to the stranger's users database. */
static int64_t writes_seen(sqlite3 *database)
{
    sqlite3_stmt *statement;
    ck_assert_int_eq(sqlite3_prepare_v2(database, "PRAGMA data_version", -1, &statement, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    int64_t version = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return version;
}

/* A switch that was kept and taken back would stay, if the node died in between. */
START_TEST(a_refused_switch_is_never_kept)
{
    char path[128];
    sqlite3 *database;
    struct cache_state state;
    struct error error = {0};
    notice();
    snprintf(path, sizeof path, "%s/users.db", stranger.directory);
    ck_assert_int_eq(sqlite3_open(path, &database), SQLITE_OK);
    int64_t before = writes_seen(database);
    ck_assert_int_eq(
        control_switch(stranger.app, (struct work){arena, soon(), &error}, 7, false, &state),
        ERR_UPSTREAM_REFUSED);
    ck_assert_int_eq(writes_seen(database), before);
    ck_assert_int_eq(users_switch_set(stranger.app->users, 7, true, &error), ERR_OK);
    ck_assert_int_ne(writes_seen(database), before);
    sqlite3_close(database);
}
END_TEST

/* Redis came back with the other's data, and the first to ask is whoever writes. */
START_TEST(after_a_restart)
{
    redis_server_do(redis, "SAVE");
    redis_server_do(redis, "FLUSHALL");
    struct loopback_answer *answer = SESSION_CALL(&stranger, &session, "cache.clear");
    ck_assert_int_eq(answer->err, ERR_OK);
    loopback_free(&answer);
    ck_assert_int_eq(audit_drain(stranger.app, soon()), ERR_OK);
    redis_server_restart(redis);
    expect_untouched();
}
END_TEST

static enum err write_through(enum pipeline_effect effect)
{
    struct error error = {0};
    struct pipeline *pipeline = pipeline_new(arena, effect);
    PIPELINE_ADD(pipeline, EXPECT_INTEGER, STR("INCR"), STR("cw:written"));
    return redis_run(stranger.app->control, pipeline,
                     (struct work){.deadline_ns = soon(), .error = &error});
}

/* Whoever writes with the node's pool: the gate alone is between them and the others' data. */
START_TEST(the_gate_itself)
{
    notice();
    ck_assert_int_eq(write_through(PIPELINE_WRITE), ERR_UPSTREAM_REFUSED);
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:written"), 0);
    ck_assert_int_eq(write_through(PIPELINE_WRITE_FREE), ERR_OK);
    redis_server_do(redis, "FLUSHALL");
    ck_assert_int_eq(write_through(PIPELINE_WRITE), ERR_OK);
    ck_assert_int_eq(redis_server_ask_integer(redis, "INCRBY cw:written 0"), 1);
}
END_TEST

/* What is not known to be another's may be emptied: a full Redis takes no record of control data, and the
 * users database may be away. */
START_TEST(a_redis_that_takes_no_control_data)
{
    redis_server_do(redis, "FLUSHALL");
    redis_server_do(redis, "SET whatsapp:development:in ours");
    redis_server_do(redis, "CONFIG SET maxmemory 1");
    loopback_expect(LOOPBACK(&stranger, "messages.flush", loopback_key(SCOPE_FLUSH, 0)),
                    "{\"flushed\":true,\"keysRemoved\":1}");
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:dataset"), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/control/gate");
    TCase *tcase = tcase_create("gate");
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, behind_the_same_address);
    tcase_add_test(tcase, a_refused_switch_is_never_kept);
    tcase_add_test(tcase, after_a_restart);
    tcase_add_test(tcase, the_gate_itself);
    tcase_add_test(tcase, a_redis_that_takes_no_control_data);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
