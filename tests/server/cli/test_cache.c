/* `cache`: the control operations from the command line. */
#include "cli_case.h"

#include "redis_snapshot.h"

START_TEST(status_switch_and_clear)
{
    cli_run("cache", "status", "--user", "123");
    cli_expect(0, "Cache of user 123 is enabled (version 1)\n", "");
    cli_run("cache", "clear", "--user", "123");
    cli_expect(0, "Cache of user 123 cleared (new version: 2)\n", "");
    cli_run("cache", "disable", "--user", "123");
    cli_expect(0, "Cache of user 123 is disabled (version 2)\n", "");
    cli_run("cache", "enable", "--user", "123");
    cli_expect(0, "Cache of user 123 is enabled (version 2)\n", "");
    cli_run("cache", "status", "--user", "124");
    cli_expect(0, "Cache of user 124 is enabled (version 1)\n", "");
}
END_TEST

START_TEST(everybody)
{
    cli_run("cache", "clear", "--all");
    cli_expect(0, "Everybody's cache cleared (epoch: 1)\n", "");
    cli_run("cache", "status", "--user", "5");
    cli_expect(0, "Cache of user 5 is enabled (version 2)\n", "");
    cli_run("cache", "clear", "--all", "--json");
    cli_expect(0, "{\"cleared\":true,\"epoch\":2}\n", "");
}
END_TEST

/* Whatever only looks leaves Redis as it is, empty or not. */
START_TEST(looking_changes_nothing)
{
    static const char *const looks[][6] = {
        {"cache", "status", "--user", "7"},
        {"entry", "get", "k", "--namespace", "app:shop"},
        {"entry", "ttl", "k", "--namespace", "user:7"},
        {"flush", "--dry-run"},
        {"user", "list"},
        {"key", "list"},
        {"doctor"},
        {"routes"},
    };
    if (_i == 1) {
        redis_server_do(cli_test.redis, "SET whatsapp:development:in x");
        cli_run("cache", "clear", "--user", "7");
        redis_server_do(cli_test.redis, "DEL cw:audit:changes");
    }
    char *before = redis_snapshot(cli_test.redis, NULL);
    int64_t size = redis_server_ask_integer(cli_test.redis, "DBSIZE");
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
        int status = cli_run_with(NULL, NULL, looks[i]);
        char *after = redis_snapshot(cli_test.redis, NULL);
        ck_assert_msg(status == (strcmp(looks[i][0], "entry") == 0), "%s: %s", looks[i][0],
                      cli_test.result.err);
        ck_assert_msg(strcmp(before, after) == 0, "%s %s: %s\n%s", looks[i][0],
                      looks[i][1] ? looks[i][1] : "", before, after);
        ck_assert_int_eq(redis_server_ask_integer(cli_test.redis, "DBSIZE"), size);
        free(after);
    }
    free(before);
}
END_TEST

START_TEST(as_json)
{
    cli_run("cache", "disable", "--user", "7", "--json");
    cli_expect(0, "{\"user_id\":7,\"enabled\":false,\"version\":1}\n", "");
    cli_run("cache", "clear", "--user", "7", "--json");
    cli_expect(0, "{\"user_id\":7,\"cleared\":true,\"enabled\":false,\"version\":2}\n", "");
    cli_run("cache", "status", "--user", "7", "--json");
    cli_expect(0, "{\"user_id\":7,\"enabled\":false,\"version\":2}\n", "");
}
END_TEST

START_TEST(changes_are_audited)
{
    cli_run("cache", "status", "--user", "7");
    ck_assert_int_eq(redis_server_ask_integer(cli_test.redis, "EXISTS cw:audit:changes"), 0);
    cli_run("cache", "clear", "--user", "7");
    cli_run("cache", "disable", "--user", "7");
    cli_run("cache", "clear", "--all");
    ck_assert_int_eq(redis_server_ask_integer(cli_test.redis, "XLEN cw:audit:changes"), 3);
}
END_TEST

START_TEST(no_redis_is_a_failure)
{
    static const char *const operations[] = {"status", "enable", "disable", "clear"};
    cli_run("cache", operations[_i], "--user", "7");
    cli_expect_err(1, "cachewarden: redis unavailable\n");
    ck_assert_str_eq(cli_test.result.out, "");
    cli_run("cache", "clear", "--all");
    cli_expect_err(1, "cachewarden: redis unavailable\n");
    ck_assert_str_eq(cli_test.result.out, "");
}
END_TEST

START_TEST(a_refused_write_is_a_failure)
{
    redis_server_do(cli_test.redis, "CONFIG SET maxmemory 1");
    cli_run("cache", "clear", "--user", "7");
    cli_expect_err(1, "cachewarden: redis out of memory\n");
    ck_assert_str_eq(cli_test.result.out, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cache");
    TCase *with = tcase_create("with a Redis"), *without = tcase_create("without");
    tcase_add_checked_fixture(with, cli_open_redis, cli_close);
    tcase_add_test(with, status_switch_and_clear);
    tcase_add_test(with, everybody);
    tcase_add_loop_test(with, looking_changes_nothing, 0, 2);
    tcase_add_test(with, as_json);
    tcase_add_test(with, changes_are_audited);
    tcase_add_test(with, a_refused_write_is_a_failure);
    tcase_add_checked_fixture(without, cli_open, cli_close);
    tcase_add_loop_test(without, no_redis_is_a_failure, 0, 4);
    suite_add_tcase(suite, with);
    suite_add_tcase(suite, without);
    return suite_run(suite);
}
