/* `entry`: entries of the cache service from the command line. */
#include "cli_case.h"

#include "cachewarden/str.h"

#define SHOP "--namespace", "app:shop"

/* A line with what is left of `most` seconds. */
static void expect_seconds(int64_t most)
{
    struct str line = str_from(cli_test.result.out);
    int64_t left_s = 0;

    ck_assert_int_eq(cli_test.result.status, 0);
    ck_assert_msg(str_to_int64(str_sub(line, 0, line.len - 1), 1, most, &left_s) &&
                      str_ends(line, STR("\n")),
                  "%s", cli_test.result.out);
}

START_TEST(set_get_ttl_delete)
{
    cli_run("entry", "get", "products:1", SHOP);
    cli_expect_err(1, "cachewarden: nothing is there\n");
    ck_assert_str_eq(cli_test.result.out, "");
    cli_run_input("{\"name\":\"Lamp\"}", "entry", "set", "products:1", SHOP, "--type",
                  "application/json", "--ttl", "600", "--model", "Product");
    cli_expect(0, "Stored, for 600 seconds\n", "");
    cli_run("entry", "get", "products:1", SHOP);
    cli_expect(0, "{\"name\":\"Lamp\"}", "");
    cli_run("entry", "ttl", "products:1", SHOP);
    expect_seconds(600);
    cli_run_input("\n", "entry", "set", "products:1", SHOP, "--file", "-");
    cli_expect(0, "Replaced, for 3600 seconds\n", "");
    cli_run("entry", "get", "products:1", SHOP);
    cli_expect(0, "\n", "");
    cli_run("entry", "delete", "products:1", SHOP);
    cli_expect(0, "Deleted\n", "");
    cli_run("entry", "delete", "products:1", SHOP);
    cli_expect(0, "Nothing was there\n", "");
    cli_run("entry", "ttl", "products:1", SHOP);
    cli_expect_err(1, "cachewarden: nothing is there\n");
}
END_TEST

START_TEST(as_json)
{
    cli_run_input("a \"b\"", "entry", "set", "k", SHOP, "--type", "text/plain", "--json");
    cli_expect(0, "{\"stored\":true,\"replaced\":false,\"ttl\":3600}\n", "");
    cli_run_input("\xff", "entry", "set", "k2", SHOP, "--ttl", "315360000", "--json");
    cli_expect(0, "{\"stored\":true,\"replaced\":false,\"ttl\":315360000}\n", "");
    cli_run("entry", "get", "k", SHOP, "--json");
    ck_assert_int_eq(cli_test.result.status, 0);
    ck_assert_ptr_nonnull(strstr(cli_test.result.out, "{\"hit\":true,\"age\":"));
    ck_assert_ptr_nonnull(strstr(cli_test.result.out, ",\"content_type\":\"text/plain\",\"size\":5,"
                                                      "\"value\":\"a \\\"b\\\"\"}\n"));
    cli_run("entry", "get", "k2", SHOP, "--json");
    ck_assert_ptr_nonnull(strstr(cli_test.result.out, "\"size\":1,\"value_base64url\":\"_w\"}\n"));
    cli_run("entry", "ttl", "k", SHOP, "--json");
    ck_assert_ptr_nonnull(strstr(cli_test.result.out, ",\"ttl\":"));
    ck_assert_ptr_null(strstr(cli_test.result.out, "value"));
    cli_run("entry", "get", "other", SHOP, "--json");
    cli_expect(1, "{\"hit\":false}\n", "");
    cli_run("entry", "delete", "k", SHOP, "--json");
    cli_expect(0, "{\"deleted\":true}\n", "");
}
END_TEST

START_TEST(each_namespace_is_its_own)
{
    cli_run_input("1", "entry", "set", "k", "--namespace", "user:7");
    cli_expect(0, "Stored, for 3600 seconds\n", "");
    cli_run("entry", "get", "k", "--namespace", "user:8");
    cli_expect_err(1, "cachewarden: nothing is there\n");
    cli_run("cache", "clear", "--user", "7");
    cli_run("entry", "get", "k", "--namespace", "user:7");
    cli_expect_err(1, "cachewarden: nothing is there\n");
}
END_TEST

START_TEST(a_cache_that_is_off)
{
    cli_run("cache", "disable", "--user", "7");
    cli_run_input("1", "entry", "set", "k", "--namespace", "user:7");
    cli_expect_err(1, "cachewarden: this account's cache is off\n");
    cli_run_input("1", "entry", "set", "k", "--namespace", "user:7", "--json");
    cli_expect(1, "{\"stored\":false,\"replaced\":false}\n", "");
    cli_run("entry", "get", "k", "--namespace", "user:7");
    cli_expect_err(1, "cachewarden: this account's cache is off\n");
}
END_TEST

/* Nor does an operator take the room that control data needs. */
START_TEST(no_room_for_entries)
{
    cli_run_input("a", "entry", "set", "k", SHOP);
    cli_expect(0, "Stored, for 3600 seconds\n", "");
    redis_server_do(cli_test.redis, "SETRANGE others 41943039 x");
    int64_t used = redis_server_ask_integer(
        cli_test.redis, "EVAL %s 0",
        "return tonumber(string.match(redis.call('INFO','memory'), 'used_memory:(%d+)'))");
    redis_server_do(cli_test.redis, "CONFIG SET maxmemory %lld",
                    (long long)(used + 5 * 1024 * 1024));
    cli_run_input("b", "entry", "set", "k", SHOP);
    cli_expect_err(1, "cachewarden: entries have used up their share of redis: "
                      "entries.memory_percent: entries have 80 % of redis' memory, and no more\n");
    redis_server_do(cli_test.redis, "CONFIG SET maxmemory 0");
    cli_run("entry", "get", "k", SHOP);
    cli_expect_err(1, "cachewarden: nothing is there\n");
}
END_TEST

START_TEST(changes_are_audited)
{
    cli_run("entry", "get", "k", SHOP);
    ck_assert_int_eq(redis_server_ask_integer(cli_test.redis, "EXISTS cw:audit:changes"), 0);
    cli_run_input("1", "entry", "set", "k", SHOP);
    cli_run("entry", "delete", "k", SHOP);
    ck_assert_int_eq(redis_server_ask_integer(cli_test.redis, "XLEN cw:audit:changes"), 2);
}
END_TEST

START_TEST(what_is_no_value)
{
    cli_run_input("", "entry", "set", "k", SHOP, "--file", "/nonexistent/file");
    cli_expect_err(1, "cachewarden: /nonexistent/file: No such file or directory\n");
    cli_run_input("", "entry", "set", "k", SHOP, "--file", "/");
    cli_expect_err(1, "cachewarden: /: Is a directory\n");
    cli_run_input("", "entry", "set", "k", SHOP, "--file", "/dev/zero");
    cli_expect_err(1, "cachewarden: /dev/zero: a value has 1048576 bytes at most "
                      "(server.max_body)\n");
    cli_run("entry", "get", "k", SHOP);
    cli_expect_err(1, "cachewarden: nothing is there\n");
}
END_TEST

START_TEST(what_is_no_entry)
{
    static const char *const bad[][7] = {
        {"entry", "get", "k"},
        {"entry", "get", "k", "--namespace", "shop"},
        {"entry", "get", "k", "--namespace", "user:0"},
        {"entry", "get", "", SHOP},
        {"entry", "get", "..", SHOP},
        {"entry", "delete", "a/../b", SHOP},
        {"entry", "ttl", "a\nb", SHOP},
        {"entry", "get", "\xff", SHOP},
        {"entry", "get"},
        {"entry", "set", "k", SHOP, "--ttl=0"},
        {"entry", "set", "k", SHOP, "--ttl=9223372036854775808"},
        {"entry", "set", "k", SHOP, "--model=a/b"},
        {"entry", "set", "k", SHOP, "--model="},
        {"entry", "set", "k", SHOP, "--type=a\nb"},
        {"entry", "set", "k", SHOP, "--type=text"},
    };
    int status = cli_run_with("", NULL, bad[_i]);
    ck_assert_msg(status == 64, "%d: %d %s", _i, status, cli_test.result.err);
    ck_assert_int_eq(redis_server_ask_integer(cli_test.redis, "DBSIZE"), 0);
}
END_TEST

START_TEST(no_redis_is_a_failure)
{
    static const char *const commands[] = {"get", "set", "delete", "ttl"};
    cli_run_input("x", "entry", commands[_i], "k", SHOP);
    cli_expect_err(1, "cachewarden: redis unavailable\n");
    ck_assert_str_eq(cli_test.result.out, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("entry");
    TCase *with = tcase_create("with a Redis"), *without = tcase_create("without");
    tcase_add_checked_fixture(with, cli_open_redis, cli_close);
    tcase_add_test(with, set_get_ttl_delete);
    tcase_add_test(with, as_json);
    tcase_add_test(with, each_namespace_is_its_own);
    tcase_add_test(with, a_cache_that_is_off);
    tcase_add_test(with, no_room_for_entries);
    tcase_add_test(with, changes_are_audited);
    tcase_add_test(with, what_is_no_value);
    tcase_add_loop_test(with, what_is_no_entry, 0, 15);
    tcase_add_checked_fixture(without, cli_open, cli_close);
    tcase_add_loop_test(without, no_redis_is_a_failure, 0, 4);
    suite_add_tcase(suite, with);
    suite_add_tcase(suite, without);
    return suite_run(suite);
}
