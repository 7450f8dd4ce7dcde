/*
 * The program on a PostgreSQL users database, from outside: one server from sign-in to flush, two
 * servers that share accounts, and a database that is away.
 */
#include "pooler.h"
#include "postgres_server.h"
#include "slowness.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATUS      "/api/cache/status/"
#define ADMIN_CLEAR "/api/server-management/clear-cache/"

/* A second is promised; and time for two busy cores. */
enum { FELT_WITHIN_MS = 5000 };

static struct postgres_server *postgres;
static struct stand stand;
static char database_variable[POSTGRES_URL_SIZE + 16];

static void open_by(const char *url)
{
    snprintf(database_variable, sizeof database_variable, "DATABASE_URL=%s", url);
    stand_open(&stand,
               &(struct stand_options){.environment = (const char *const[]){
                                           database_variable, "CACHEWARDEN_USERS_REGISTRATION=open",
                                           "CACHEWARDEN_LIMITS_ENABLED=false", NULL}});
}

static void open_stand(void)
{
    char url[POSTGRES_URL_SIZE];
    postgres = postgres_server_start(NULL);
    postgres_server_url(postgres, POSTGRES_DATABASE, url);
    open_by(url);
}

static void open_hasty(void)
{
    char url[POSTGRES_URL_SIZE];
    postgres = postgres_server_start(NULL);
    postgres_server_hasty_url(postgres, POSTGRES_DATABASE, url);
    open_by(url);
}

/* Sessions that other programs have, too: few enough that everybody meets all of them. */
enum { SESSIONS = 3 };
static struct pooler *pooler;

static void open_pooled(void)
{
    char url[POSTGRES_URL_SIZE];
    postgres = postgres_server_start(NULL);
    pooler = pooler_start(postgres, "transaction", SESSIONS);
    pooler_url(pooler, POSTGRES_DATABASE, url);
    open_by(url);
}

static void expect_no_secret(const struct cw_server *server)
{
    char *log = cw_server_log(server);
    ck_assert_msg(strstr(log, POSTGRES_PASSWORD) == NULL, "%s", log);
    free(log);
}

static void close_stand(void)
{
    expect_no_secret(&stand.server);
    stand_close(&stand);
    pooler_stop(&pooler);
    postgres_server_stop(&postgres);
}

static const struct http_reply *log_in(struct http_client *http, const char *name,
                                       const char *password)
{
    char json[256];
    snprintf(json, sizeof json, "{\"username\":\"%s\",\"password\":\"%s\"}", name, password);
    return http_post_json(http, "/auth/login", NULL, json);
}

/* "Authorization: Bearer …" with the access token of a sign-in. */
static void bearer_of(char out[MINT_SIZE], const struct http_reply *reply)
{
    static const char mark[] = "\"access_token\":\"";
    const char *token = strstr(reply->body, mark);
    ck_assert_msg(token != NULL, "%s", reply->body);
    token += strlen(mark);
    snprintf(out, MINT_SIZE, "Authorization: Bearer %.*s", (int)strcspn(token, "\""), token);
}

static void do_as_operator(const char *const *arguments)
{
    stand_cli_do(&stand, NULL, arguments);
}

/* ---- one server ---- */

START_TEST(from_sign_in_to_flush)
{
    char bearer[MINT_SIZE], key[STAND_KEY_SIZE], path[512];

    expect_status(log_in(stand.http, "alice", "wrong-password"), 401);
    const struct http_reply *reply = log_in(stand.http, "ALICE", STAND_PASSWORD);
    expect_status(reply, 200);
    bearer_of(bearer, reply);
    expect_body_has(http_get(stand.http, "/auth/me", bearer), 200, "\"username\":\"alice\"");
    expect_body_has(http_post(stand.http, "/api/cache/clear/", bearer), 200, "\"version\":2");
    expect_body_has(http_get(stand.http, STATUS, bearer), 200, "\"version\":2");
    expect_status(http_post(stand.http, ADMIN_CLEAR, bearer), 403);
    reply = log_in(stand.http, "boss", STAND_PASSWORD);
    bearer_of(bearer, reply);
    expect_body_has(http_post(stand.http, ADMIN_CLEAR, bearer), 200, "\"ok\":true");

    stand_key(&stand, key, "deploy", (const char *const[]){"--scope", "flush", NULL});
    redis_server_do(stand.redis, "SET whatsapp:development:in x");
    expect_body(http_call(stand.http, "DELETE", "/api/v1/cache", key), 200,
                "{\"flushed\":true,\"keysRemoved\":1}");
    do_as_operator((const char *const[]){"key", "revoke", "deploy", NULL});

    reply = http_post_json(
        stand.http, "/auth/register", NULL,
        "{\"username\":\"carol\",\"email\":\"c@example.org\",\"password\":\"violet-lantern-42\"}");
    expect_status(reply, 201);
    reply = http_post_json(
        stand.http, "/auth/register", NULL,
        "{\"username\":\"Carol\",\"email\":\"d@example.org\",\"password\":\"violet-lantern-42\"}");
    expect_body_has(reply, 409, "A user with that username already exists.");

    /* All of it is in PostgreSQL, and nothing beside it. */
    snprintf(path, sizeof path, "%s/users.db", stand.directory);
    ck_assert_int_ne(access(path, F_OK), 0);
    snprintf(path, sizeof path, "%s/users.db.secret", stand.directory);
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

/* ---- two servers ---- */

struct felt {
    struct http_client *http;
    const char *method, *target, *credential;
    int status;
};

static bool has_status(const void *with)
{
    const struct felt *felt = with;
    return http_call(felt->http, felt->method, felt->target, felt->credential)->status ==
           felt->status;
}

/* Both servers come to answer so, and soon. */
static void expect_soon(struct http_client *other, struct felt felt, const char *what)
{
    struct http_client *const clients[] = {stand.http, other};
    int64_t before = stand_now_ms();
    for (size_t i = 0; i < 2; i++) {
        felt.http = clients[i];
        stand_wait(has_status, &felt, what);
    }
    expect_within_ms(stand_now_ms() - before, FELT_WITHIN_MS);
}

START_TEST(two_servers_share_accounts)
{
    struct cw_server second;
    char key[STAND_KEY_SIZE], carol[MINT_SIZE];
    cw_server_start(&second, &(struct cw_server_options){
                                 .environment = (const char *const *)stand.environment});
    struct http_client *other = http_client_new(second.base_url);

    /* Who registers at one is known to the other, token and all. */
    const struct http_reply *reply = http_post_json(
        stand.http, "/auth/register", NULL,
        "{\"username\":\"carol\",\"email\":\"c@example.org\",\"password\":\"violet-lantern-42\"}");
    expect_status(reply, 201);
    bearer_of(carol, reply);
    expect_body_has(http_get(other, "/auth/me", carol), 200, "\"username\":\"carol\"");
    expect_status(log_in(other, "carol", "violet-lantern-42"), 200);

    /* Each has seen them as they were. */
    stand_key(&stand, key, "deploy", (const char *const[]){"--scope", "flush", NULL});
    for (int i = 0; i < 2; i++) {
        struct http_client *http = i == 0 ? stand.http : other;
        expect_status(http_post(http, ADMIN_CLEAR, stand.root.bearer), 200);
        expect_status(http_post(http, ADMIN_CLEAR, stand.boss.bearer), 200);
        expect_status(http_get(http, STATUS, stand.alice.bearer), 200);
        expect_status(http_call(http, "DELETE", "/api/v1/cache", key), 200);
    }

    do_as_operator((const char *const[]){"user", "revoke", "root", "--superuser", NULL});
    expect_soon(other, (struct felt){NULL, "POST", ADMIN_CLEAR, stand.root.bearer, 403},
                "a superuser is one no more");
    do_as_operator((const char *const[]){"user", "revoke", "boss", "--group", "Admin", NULL});
    expect_soon(other, (struct felt){NULL, "POST", ADMIN_CLEAR, stand.boss.bearer, 403},
                "an admin has left the group");
    do_as_operator((const char *const[]){"user", "grant", "root", "--superuser", NULL});
    expect_soon(other, (struct felt){NULL, "POST", ADMIN_CLEAR, stand.root.bearer, 200},
                "a superuser is one again");
    do_as_operator((const char *const[]){"user", "deactivate", "alice", NULL});
    expect_soon(other, (struct felt){NULL, "GET", STATUS, stand.alice.bearer, 401},
                "an account is deactivated");
    do_as_operator((const char *const[]){"key", "revoke", "deploy", NULL});
    expect_soon(other, (struct felt){NULL, "DELETE", "/api/v1/cache", key, 401},
                "a key is revoked");
    do_as_operator((const char *const[]){"user", "delete", "carol", NULL});
    expect_soon(other, (struct felt){NULL, "GET", STATUS, carol, 401}, "an account is deleted");

    expect_no_secret(&second);
    http_client_free(&other);
    cw_server_stop(&second);
}
END_TEST

/* ---- a database that is away ---- */

static bool can_log_in(const void *with)
{
    return log_in(stand.http, with, STAND_PASSWORD)->status == 200;
}

static void expect_told(const char *key, const char *sample)
{
    expect_body_has(http_get(stand.http, "/metrics", key), 200, sample);
}

static void expect_health(const char *status, const char *users, const char *message)
{
    char text[160];
    snprintf(text, sizeof text,
             "\"users_database\":{\"status\":\"%s\",\"message\":\"%s\"},\"timestamp\"", users,
             message);
    const struct http_reply *reply = http_get(stand.http, "/health", NULL);
    expect_body_has(reply, 200, text);
    snprintf(text, sizeof text, "{\"status\":\"%s\",", status);
    expect_body_has(reply, 200, text);
}

START_TEST(the_database_goes_and_comes)
{
    char key[STAND_KEY_SIZE];
    stand_key(&stand, key, "scraper", (const char *const[]){"--scope", "metrics", NULL});
    expect_told(key, "\ncachewarden_users_database_up 1\n");
    expect_status(http_get(stand.http, STATUS, stand.alice.bearer), 200);
    postgres_server_kill(postgres);
    expect_status(log_in(stand.http, "alice", STAND_PASSWORD), 503);
    expect_told(key, "\ncachewarden_users_database_up 0\n");
    expect_health("degraded", "unavailable", "users database unavailable");
    expect_body_has(http_get(stand.http, "/health/ready", NULL), 200,
                    "\"users_database\":\"unavailable\"");
    /* Whom it has just seen it still knows. */
    expect_status(http_get(stand.http, STATUS, stand.alice.bearer), 200);
    expect_status(http_get(stand.http, STATUS, stand.bob.bearer), 503);

    postgres_server_start_again(postgres);
    stand_wait(can_log_in, "alice", "signing in works again");
    expect_told(key, "\ncachewarden_users_database_up 1\n");
    expect_health("ok", "connected", "it answers");
    expect_status(http_get(stand.http, STATUS, stand.bob.bearer), 200);
    cw_server_wait_log(&stand.server, "event=users.up");
}
END_TEST

START_TEST(the_database_is_paused)
{
    expect_status(http_get(stand.http, STATUS, stand.alice.bearer), 200);
    postgres_server_pause(postgres);
    int64_t before = stand_now_ms();
    expect_status(log_in(stand.http, "alice", STAND_PASSWORD), 503);
    expect_within_ms(stand_now_ms() - before, 9000);
    expect_status(http_get(stand.http, "/health/live", NULL), 200);
    expect_status(http_get(stand.http, STATUS, stand.alice.bearer), 200);
    postgres_server_resume(postgres);
    stand_wait(can_log_in, "alice", "signing in works again");
}
END_TEST

static void refuse_to_start(const char *const *environment, const char *reason)
{
    struct cw_result result;
    cw_run(&(struct cw_command){.arguments = (const char *const[]){"serve", NULL},
                                .environment = environment,
                                .directory = stand.directory},
           &result);
    ck_assert_msg(result.status == 1, "%d %s", result.status, result.err);
    ck_assert_msg(strstr(result.err, reason) != NULL, "%s", result.err);
    ck_assert_msg(strstr(result.err, POSTGRES_PASSWORD) == NULL, "%s", result.err);
    ck_assert_msg(strstr(result.out, POSTGRES_PASSWORD) == NULL, "%s", result.out);
    cw_result_fini(&result);
}

START_TEST(starts_that_fail_say_why)
{
    refuse_to_start((const char *const[]){database_variable, NULL},
                    "auth.secret must be given where the users database is PostgreSQL");
    refuse_to_start((const char *const[]){"DATABASE_URL=postgresql://cw:" POSTGRES_PASSWORD
                                          "@@127.0.0.1/users",
                                          "JWT_SECRET=" STAND_SECRET, NULL},
                    "an @ is in the wrong place");
    postgres_server_kill(postgres);
    refuse_to_start((const char *const[]){database_variable, "JWT_SECRET=" STAND_SECRET, NULL},
                    postgres_server_directory(postgres));
    postgres_server_start_again(postgres);
}
END_TEST

/* ---- behind a pooler ---- */

/* Another program's connections through the pooler. */
struct stranger {
    PGconn *connections[SESSIONS];
};

static PGresult *say(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);
    ck_assert_msg(PQresultStatus(result) == PGRES_COMMAND_OK ||
                      PQresultStatus(result) == PGRES_TUPLES_OK,
                  "%s: %s", sql, PQerrorMessage(connection));
    return result;
}

static void open_stranger(struct stranger *stranger)
{
    char url[POSTGRES_URL_SIZE];
    pooler_url(pooler, POSTGRES_DATABASE, url);
    for (int i = 0; i < SESSIONS; i++) {
        stranger->connections[i] = PQconnectdb(url);
        ck_assert_msg(PQstatus(stranger->connections[i]) == CONNECTION_OK, "%s",
                      PQerrorMessage(stranger->connections[i]));
    }
}

static void close_stranger(struct stranger *stranger)
{
    for (int i = 0; i < SESSIONS; i++)
        PQfinish(stranger->connections[i]);
}

/* In every session there is, one after the other: all are held meanwhile, so nobody else has one. */
static void say_everywhere(struct stranger *stranger, const char *sql)
{
    for (int i = 0; i < SESSIONS; i++) {
        PQclear(say(stranger->connections[i], "BEGIN READ WRITE"));
        PQclear(say(stranger->connections[i], sql));
    }
    for (int i = 0; i < SESSIONS; i++)
        PQclear(say(stranger->connections[i], "COMMIT"));
}

/* What a session is like. */
static void look_at_sessions(struct stranger *stranger, char out[SESSIONS][512])
{
    for (int i = 0; i < SESSIONS; i++)
        PQclear(say(stranger->connections[i], "BEGIN READ WRITE"));
    for (int i = 0; i < SESSIONS; i++) {
        PGresult *result =
            say(stranger->connections[i],
                "SELECT concat_ws(' ', current_setting('default_transaction_read_only'),"
                " current_setting('statement_timeout'), current_setting('lock_timeout'),"
                " current_setting('idle_in_transaction_session_timeout'), "
                "current_setting('search_path'),"
                " (SELECT count(*) FROM pg_prepared_statements),"
                " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'))");
        snprintf(out[i], 512, "%s", PQgetvalue(result, 0, 0));
        PQclear(result);
    }
    for (int i = 0; i < SESSIONS; i++)
        PQclear(say(stranger->connections[i], "COMMIT"));
}

static void back_up_and_restore(void)
{
    struct cw_result made;
    char id[64];
    stand_cli(&stand, NULL, (const char *const[]){"backup", "create", "--json", NULL}, &made);
    const char *at = strstr(made.out, "\"id\":\"");
    ck_assert_msg(made.status == 0 && at, "%s%s", made.out, made.err);
    snprintf(id, sizeof id, "%.*s", (int)strcspn(at + 6, "\""), at + 6);
    cw_result_fini(&made);
    do_as_operator((const char *const[]){"user", "delete", "bob", NULL});
    expect_status(log_in(stand.http, "bob", STAND_PASSWORD), 401);
    do_as_operator((const char *const[]){"backup", "restore", id, "--yes", NULL});
    stand_wait(can_log_in, "bob", "he is there again");
}

static void ask_doctor(void)
{
    struct cw_result result;
    stand_cli(&stand, NULL, (const char *const[]){"doctor", NULL}, &result);
    ck_assert_msg(strstr(result.out, "users database: postgresql answers") != NULL, "%s%s",
                  result.out, result.err);
    cw_result_fini(&result);
}

START_TEST(other_programs_find_their_sessions_as_they_were)
{
    struct stranger stranger;
    char before[SESSIONS][512], after[SESSIONS][512];
    open_stranger(&stranger);
    for (int i = 0; i < SESSIONS; i++)
        say_everywhere(&stranger, "SELECT 1");
    look_at_sessions(&stranger, before);
    expect_status(log_in(stand.http, "alice", STAND_PASSWORD), 200);
    expect_status(http_post(stand.http, ADMIN_CLEAR, stand.boss.bearer), 200);
    back_up_and_restore();
    ask_doctor();
    look_at_sessions(&stranger, after);
    for (int i = 0; i < SESSIONS; i++) {
        ck_assert_str_eq(after[i], before[i]);
        ck_assert_msg(strncmp(after[i], "off 0 0 0 ", 10) == 0, "%s", after[i]);
    }
    close_stranger(&stranger);
}
END_TEST

/* Nor does it matter in which state they leave them. */
START_TEST(other_programs_may_leave_anything_behind)
{
    struct stranger stranger;
    postgres_server_do(postgres, POSTGRES_DATABASE,
                       "CREATE SCHEMA elsewhere; GRANT ALL ON SCHEMA elsewhere TO public");
    open_stranger(&stranger);
    say_everywhere(
        &stranger,
        "SET search_path = elsewhere; SET lock_timeout = 1; SET default_transaction_read_only = on;"
        "PREPARE s1 AS SELECT 1; PREPARE s2 AS SELECT 1");
    for (int i = 0; i < 2 * SESSIONS; i++)
        expect_status(log_in(stand.http, "alice", STAND_PASSWORD), 200);
    back_up_and_restore();
    ask_doctor();
    close_stranger(&stranger);
    ck_assert_int_eq(postgres_server_ask_integer(postgres, POSTGRES_DATABASE,
                                                 "SELECT count(*) FROM pg_tables"
                                                 " WHERE schemaname = 'elsewhere'"),
                     0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http/postgres");
    TCase *tcase = tcase_create("postgres");

    tcase_add_checked_fixture(tcase, open_stand, close_stand);
    tcase_add_test(tcase, from_sign_in_to_flush);
    tcase_add_test(tcase, two_servers_share_accounts);
    tcase_add_test(tcase, the_database_goes_and_comes);
    tcase_add_test(tcase, starts_that_fail_say_why);
    suite_add_tcase(suite, tcase);
    TCase *silent = tcase_create("a silent database");
    tcase_add_checked_fixture(silent, open_hasty, close_stand);
    tcase_add_test(silent, the_database_is_paused);
    suite_add_tcase(suite, silent);
    TCase *pooled = tcase_create("behind a pooler");
    tcase_add_checked_fixture(pooled, open_pooled, close_stand);
    tcase_add_test(pooled, from_sign_in_to_flush);
    tcase_add_test(pooled, two_servers_share_accounts);
    tcase_add_test(pooled, other_programs_find_their_sessions_as_they_were);
    tcase_add_test(pooled, other_programs_may_leave_anything_behind);
    suite_add_tcase(suite, pooled);
    return suite_run(suite);
}
