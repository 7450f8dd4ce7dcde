/* `doctor` asks the server that runs here, and looks at how this machine runs it. */
#include "doctor_case.h"
#include "key_server.h"

#include <unistd.h>

static struct cw_server server;

static void start_server(const char *redis_item)
{
    cw_server_start(&server, &(struct cw_server_options){
                                 .directory = cli_test.directory,
                                 .environment = VARIABLES(CW_PATIENT_WITH_REDIS, redis_item)});
}

static void run_beside(const char *item)
{
    char listen[64];
    snprintf(listen, sizeof listen, "CACHEWARDEN_LISTEN=127.0.0.1:%d", server.port);
    cli_run_with(NULL, VARIABLES(listen, item), ARGUMENTS("doctor"));
}

START_TEST(the_server_that_runs_here_is_asked)
{
    start_server(cli_test.redis_item);
    run_beside("NODE_ENV=production");
    expect_status(0);
    expect_line("ok       server: the server that runs here (http://127.0.0.1:",
                "has Redis and the users database");
    cw_server_stop(&server);
    run_beside("NODE_ENV=production");
    expect_status(0);
    expect_line("unknown  server: ", "none answers at http://127.0.0.1:");
}
END_TEST

/* Redis and the file have the new password, and the server has the old one. */
START_TEST(a_server_with_the_old_password)
{
    char old[160], new[120];
    int port = redis_server_port(cli_test.redis);
    redis_server_do(cli_test.redis, "ACL SETUSER cw on >old ~* +@all");
    snprintf(old, sizeof old, "REDIS_URL=redis://cw:old@127.0.0.1:%d/0", port);
    snprintf(new, sizeof new, "redis://cw:new@127.0.0.1:%d/0", port);
    start_server(old);
    redis_server_do(cli_test.redis, "ACL SETUSER cw resetpass >new");
    redis_server_do(cli_test.redis, "CLIENT KILL USER cw");
    snprintf(cli_test.redis_item, sizeof cli_test.redis_item, "REDIS_URL=%s", new);
    run_beside("NODE_ENV=production");
    expect_status(1);
    expect_line("ok       redis: ", "answers at 127.0.0.1:");
    expect_line("ok       redis writes: ", "a key was written and removed");
    expect_line("FAILED   server: the server that runs here does not have redis.url: ",
                "redis authentication failed; if doctor finds it well, the server runs with other");
    cw_server_stop(&server);
}
END_TEST

START_TEST(somebody_else_listens)
{
    struct key_server *other = key_server_start(NULL, 0);
    const char *colon = strrchr(key_server_url(other), ':');
    server.port = (int)strtol(colon + 1, NULL, 10);
    run_beside("NODE_ENV=production");
    expect_status(0);
    expect_line("warning  server: what answers at http://127.0.0.1:", "is not this program");
    key_server_stop(&other);
}
END_TEST

/* A service that empties the keys of development. */
START_TEST(development_under_systemd)
{
    cli_run_with(NULL, VARIABLES("INVOCATION_ID=0123456789abcdef0123456789abcdef"),
                 ARGUMENTS("doctor"));
    expect_line("warning  environment: is \"development\" under systemd",
                "set environment = \"production\"");
    cli_run_with(NULL,
                 VARIABLES("INVOCATION_ID=0123456789abcdef0123456789abcdef", "NODE_ENV=production"),
                 ARGUMENTS("doctor"));
    ck_assert_ptr_null(strstr(cli_test.result.out, "environment: "));
}
END_TEST

START_TEST(a_lost_secret)
{
    char path[300];
    cli_run("user", "list");
    snprintf(path, sizeof path, "%s/users.db.secret", cli_test.directory);
    ck_assert_int_eq(unlink(path), 0);
    cli_run("doctor");
    expect_status(0);
    expect_line("warning  auth.secret: there is a users database, and none beside it",
                "all tokens are void");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("doctor_server");
    TCase *with = tcase_create("with a Redis");
    tcase_add_checked_fixture(with, cli_open_redis, cli_close);
    tcase_add_test(with, the_server_that_runs_here_is_asked);
    tcase_add_test(with, a_server_with_the_old_password);
    tcase_add_test(with, somebody_else_listens);
    tcase_add_test(with, development_under_systemd);
    tcase_add_test(with, a_lost_secret);
    suite_add_tcase(suite, with);
    return suite_run(suite);
}
