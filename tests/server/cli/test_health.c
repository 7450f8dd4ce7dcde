/* `health`: the exit status says whether the server that runs here is ready. */
#include "cli_case.h"
#include "key_server.h"

static struct cw_server server;

static void run_health(int port, const char *option)
{
    char listen[64];
    snprintf(listen, sizeof listen, "CACHEWARDEN_LISTEN=127.0.0.1:%d", port);
    cli_run_with(NULL, VARIABLES(listen, "NODE_ENV=production"), ARGUMENTS("health", option));
}

START_TEST(a_server_that_is_ready)
{
    cw_server_start(&server,
                    &(struct cw_server_options){.directory = cli_test.directory,
                                                .environment = VARIABLES(cli_test.redis_item)});
    run_health(server.port, NULL);
    cli_expect_out("/health/ready answers 200\n");
    run_health(server.port, "--live");
    cli_expect_out("/health/live answers 200\n");
    cw_server_stop(&server);
    run_health(server.port, NULL);
    cli_expect_err(1, "nobody answers at http://127.0.0.1:");
}
END_TEST

START_TEST(an_answer_other_than_200)
{
    static const char draining[] =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 8\r\n\r\ndraining";
    struct key_server *other = key_server_start(NULL, 0);
    key_server_say(other, draining, sizeof draining - 1, 0);
    run_health(key_server_port(other), NULL);
    cli_expect_err(1, "/health/ready answers 503: draining");
    key_server_stop(&other);
}
END_TEST

START_TEST(no_listener_that_can_be_asked)
{
    run_health(0, NULL);
    cli_expect_err(1, "no listener can be asked: add one without TLS to server.listen");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("health");
    TCase *with = tcase_create("with a Redis");
    tcase_add_checked_fixture(with, cli_open_redis, cli_close);
    tcase_add_test(with, a_server_that_is_ready);
    tcase_add_test(with, an_answer_other_than_200);
    tcase_add_test(with, no_listener_that_can_be_asked);
    suite_add_tcase(suite, with);
    return suite_run(suite);
}
