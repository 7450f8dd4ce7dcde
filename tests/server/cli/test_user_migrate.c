/* `user migrate`: a machine's SQLite becomes a PostgreSQL, and nobody notices. */
#include "cli_case.h"
#include "http_client.h"
#include "postgres_server.h"

#define PASSWORD "violet-lantern-42"
#define SECRET   "JWT_SECRET=a-secret-of-an-installation-that-moves"

static struct postgres_server *postgres;
static char url[POSTGRES_URL_SIZE], bare_url[POSTGRES_URL_SIZE], sqlite[400], bearer[1200];

static void open_all(void)
{
    cli_open_redis();
    postgres = postgres_server_start(&(struct postgres_server_options){.tcp = true});
    postgres_server_tcp_url(postgres_server_port(postgres), POSTGRES_DATABASE, url);
    snprintf(bare_url, sizeof bare_url,
             "postgresql://" POSTGRES_USER "@127.0.0.1:%d/" POSTGRES_DATABASE,
             postgres_server_port(postgres));
    snprintf(sqlite, sizeof sqlite, "DATABASE_URL=sqlite:%s/users.db", cli_test.directory);
    cw_file_write(cli_test.directory, "url", url, 0600);
}

static void close_all(void)
{
    postgres_server_stop(&postgres);
    cli_close();
}

static void serve(struct cw_server *server, const char *database)
{
    cw_server_start(server, &(struct cw_server_options){
                                .environment = (const char *const[]){
                                    SECRET, database, cli_test.redis_item, CW_PATIENT_WITH_REDIS,
                                    "CACHEWARDEN_USERS_REGISTRATION=open", NULL}});
}

static void sign_up(const struct cw_server *server)
{
    struct http_client *http = http_client_new(server->base_url);
    const struct http_reply *reply = http_post_json(
        http, "/auth/register", NULL,
        "{\"username\":\"alice\",\"email\":\"alice@example.com\",\"password\":\"" PASSWORD "\"}");
    const char *token = strstr(reply->body, "\"access_token\":\"");

    ck_assert_msg(reply->status == 201 && token, "%d %s", reply->status, reply->body);
    token += strlen("\"access_token\":\"");
    snprintf(bearer, sizeof bearer, "Authorization: Bearer %.*s", (int)strcspn(token, "\""), token);
    http_client_free(&http);
}

/* The version that is shown, by the token of before. */
static int version(const struct cw_server *server, bool clears)
{
    struct http_client *http = http_client_new(server->base_url);
    const struct http_reply *reply = clears ? http_post(http, "/api/cache/clear/", bearer)
                                            : http_get(http, "/api/cache/status/", bearer);

    ck_assert_msg(reply->status == 200, "%d %s", reply->status, reply->body);
    int shown = (int)strtol(http_header(reply, "X-Cache-Version"), NULL, 10);
    http_client_free(&http);
    return shown;
}

static int migrate(const char *option, const char *value)
{
    return cli_run_with(NULL, VARIABLES(SECRET, sqlite, "PGPASSWORD=" POSTGRES_PASSWORD),
                        ARGUMENTS("user", "migrate", option, value));
}

START_TEST(nobody_notices)
{
    char postgres_variable[POSTGRES_URL_SIZE + 16];
    struct cw_server server;

    serve(&server, sqlite);
    sign_up(&server);
    int before = version(&server, true);
    /* What it changes now would be lost. */
    ck_assert_int_eq(migrate("--to", bare_url), 1);
    cli_expect_err(1, "stop the server first");
    cw_server_stop(&server);

    ck_assert_int_eq(migrate("--to", bare_url), 0);
    cli_expect_out("Moved: 1 users, 0 API keys.\n");
    snprintf(postgres_variable, sizeof postgres_variable, "DATABASE_URL=%s", url);
    migrate("--to-file", "url");
    cli_expect_out("All of it was there before: 1 users, 0 API keys.\n");
    serve(&server, postgres_variable);
    ck_assert_int_eq(version(&server, false), before);
    ck_assert_int_eq(version(&server, true), before + 1);
    cw_server_stop(&server);
    /* What was left behind is as it was. */
    cli_run_with(NULL, VARIABLES(SECRET, sqlite), ARGUMENTS("user", "list"));
    cli_expect_out("alice");
}
END_TEST

START_TEST(what_it_does_not_take)
{
    ck_assert_int_eq(migrate("--to", url), 64);
    ck_assert_ptr_null(strstr(cli_test.result.err, POSTGRES_PASSWORD));
    cli_expect_err(64, "with --to-file");
    ck_assert_int_eq(migrate("--to", "postgresql://u@h/d?password=x"), 64);
    cli_run("user", "migrate");
    cli_expect_err(64, "say where to");
    migrate("--to", "sqlite:other.db");
    cli_expect_err(1, "must be PostgreSQL");
    migrate("--to-file", "none");
    cli_expect_err(1, "cannot read none");
    migrate("--to", bare_url);
    cli_expect_err(1, "there is no users database");
    cli_run_with(NULL, VARIABLES(SECRET, "DATABASE_URL=postgresql://h/d"),
                 ARGUMENTS("user", "migrate", "--to", bare_url));
    cli_expect_err(1, "no SQLite file");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("server/cli/user_migrate");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, open_all, close_all);
    tcase_add_test(all, nobody_notices);
    tcase_add_test(all, what_it_does_not_take);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
