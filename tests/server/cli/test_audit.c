/* `audit`: who did what, from the shell. */
#include "cli_case.h"

/* `count` records of a part, from `first_ms` on, a millisecond between them. */
static void add(const char *part, int first_ms, int count, const char *principal,
                const char *action)
{
    redis_server_do(
        cli_test.redis, "EVAL %s 0 %d %d %s %s %s",
        "for i = 0, ARGV[2] - 1 do "
        "redis.call('XADD', 'cw:audit:' .. ARGV[5], ARGV[1] + i .. '-0', 'record', "
        "'1970-01-01T00:00:0' .. math.floor((ARGV[1] + i) / 1000) .. '.000Z\\t' .. "
        "ARGV[3] .. '\\t1\\tbearer\\t::1\\t' .. ARGV[4] .. '\\tmessages\\tok\\t6\\tr-1\\tn') end",
        first_ms, count, principal, action, part);
}

static int lines(void)
{
    int count = 0;

    for (const char *at = cli_test.result.out; *at; at++)
        count += *at == '\n';
    return count;
}

#define HEADS                                                                             \
    "TIME                 PRINCIPAL         ACTION                TARGET                " \
    "RESULT            COUNT    ADDRESS           REQUEST\n"
#define ROW(time, principal, action) \
    time "  " principal action       \
         "messages              ok                6        ::1               r-1\n"

START_TEST(who_flushed_what)
{
    add("clears", 1000, 1, "deploy", "caches.flush");
    add("changes", 2000, 1, "root", "user.add");
    cli_run("audit");
    cli_expect(0,
               HEADS ROW("1970-01-01T00:00:02", "root              ", "user.add              ")
                   ROW("1970-01-01T00:00:01", "deploy            ", "caches.flush          "),
               "");
    cli_run("audit", "--action", "caches.flush", "--since", "1970-01-01T00:00:01Z");
    cli_expect(0, HEADS ROW("1970-01-01T00:00:01", "deploy            ", "caches.flush          "),
               "");
    cli_run("audit", "--since", "3");
    cli_expect(0, HEADS, "");
    cli_run("audit", "--until", "2", "--part", "clears", "--json");
    cli_expect(0,
               "{\"id\":\"1000-1\",\"time\":\"1970-01-01T00:00:01.000Z\",\"principal\":\"deploy\","
               "\"principal_id\":1,\"credential\":\"bearer\",\"address\":\"::1\","
               "\"route\":\"caches.flush\",\"target\":\"messages\",\"result\":\"ok\",\"count\":6,"
               "\"request_id\":\"r-1\",\"node\":\"n\"}\n",
               "");
}
END_TEST

/* It goes on behind the end of a page, and of what one search looks at. */
START_TEST(as_many_as_wanted)
{
    add("clears", 1, 1, "rare", "x.y");
    add("clears", 2, 12000, "usual", "x.y");
    cli_run("audit", "--principal", "rare", "--json");
    ck_assert_int_eq(cli_test.result.status, 0);
    ck_assert_int_eq(lines(), 1);
    ck_assert_str_eq(cli_test.result.err, "");
    cli_run("audit", "--principal", "usual", "--json", "--limit", "1203");
    ck_assert_int_eq(cli_test.result.status, 0);
    ck_assert_int_eq(lines(), 1203);
    ck_assert_str_eq(cli_test.result.err, "There may be older ones: --limit takes more.\n");
    cli_run("audit", "--json");
    ck_assert_int_eq(lines(), 100);
}
END_TEST

START_TEST(what_it_does_not_take)
{
    cli_run("audit", "--since", "yesterday");
    cli_expect_err(64, "--since must be a time such as 2026-01-31T12:00:00Z");
    cli_run("audit", "--until", "soon");
    cli_expect_err(64, "--until must be a time");
    cli_run("audit", "--part", "all");
    cli_expect_err(64, "--part must be changes, clears or sign_ins, not \"all\"");
    cli_run("audit", "--limit", "0");
    cli_expect_err(64, "--limit must be a whole number from 1 to 1000000, not \"0\"");
}
END_TEST

START_TEST(without_redis)
{
    redis_server_kill(cli_test.redis);
    for (int i = 0; i < 2; i++) {
        if (i == 0)
            cli_run("audit", "--json");
        else
            cli_run("audit");
        cli_expect_err(1, "cachewarden: ");
        ck_assert_str_eq(cli_test.result.out, "");
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("server/cli/audit");
    TCase *tcase = tcase_create("audit");
    tcase_add_checked_fixture(tcase, cli_open_redis, cli_close);
    tcase_add_test(tcase, who_flushed_what);
    tcase_add_test(tcase, as_many_as_wanted);
    tcase_add_test(tcase, what_it_does_not_take);
    tcase_add_test(tcase, without_redis);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
