/* `job`, and `flush` of a cache with a prefix: what works in the background, from the shell. */
#include "cli_case.h"
#include "patience.h"

#include <hiredis/hiredis.h>
#include <jansson.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CONFIG "c.conf"

static void write_config(int duty_percent)
{
    char text[300];
    snprintf(text, sizeof text,
             "redis: { url = \"%s\"; };\njobs: { duty_percent = %d; };\n"
             "caches = ( { name = \"sessions\"; prefix = \"sess:\"; } );\n",
             redis_server_url(cli_test.redis), duty_percent);
    cw_file_write(cli_test.directory, CONFIG, text, 0600);
}

#define RUN(...) \
    cli_run_with(NULL, VARIABLES("REDIS_URL="), ARGUMENTS(__VA_ARGS__, "--config", CONFIG))

static void fill(int count)
{
    redis_server_do(cli_test.redis, "EVAL %s 0 %d",
                    "for i = 1, ARGV[1] do redis.call('SET', 'sess:' .. i, 'x') end", count);
    redis_server_do(cli_test.redis, "SET other 1");
}

/* A member of the newest job that `job list` has; the caller frees it. */
static char *newest(const char *member)
{
    ck_assert_int_eq(RUN("job", "list", "--json"), 0);
    json_t *jobs = json_loads(cli_test.result.out, 0, NULL);
    const char *value = json_string_value(json_object_get(json_array_get(jobs, 0), member));
    char *copy = value ? strdup(value) : NULL;
    json_decref(jobs);
    ck_assert_msg(copy != NULL, "%s: %s", member, cli_test.result.out);
    return copy;
}

START_TEST(a_prefix_is_flushed)
{
    write_config(100);
    fill(3000);
    RUN("flush", "sessions");
    ck_assert_int_eq(cli_test.result.status, 0);
    /* Lines, because this is no terminal. */
    cli_expect_out("🗑️  Flushing sessions cache...\n");
    cli_expect_out("100 %, 3000 removed\n"
                   "✅ Cache flushed successfully!\n"
                   "📊 Keys removed: 3000\n"
                   "🔑 Deleted keys: all that begin with its prefix\n"
                   "🔌 Disconnected from Redis\n");
    ck_assert_ptr_null(strchr(cli_test.result.out, '\r'));
    ck_assert_int_eq(redis_server_ask_integer(cli_test.redis, "EXISTS other sess:1 sess:3000"), 1);
    ck_assert_int_eq(redis_server_ask_integer(cli_test.redis, "EXISTS cw:jobs cw:jobs:runner"), 0);
    RUN("flush", "sessions");
    cli_expect_out("📊 Keys removed: 0\n🔑 Deleted keys: none\n");
}
END_TEST

START_TEST(a_dry_run_counts)
{
    write_config(100);
    fill(300);
    RUN("flush", "sessions", "--dry-run");
    cli_expect_out("📊 Keys that would be removed: 300\n");
    RUN("flush", "sessions", "--dry-run", "--json");
    cli_expect(0,
               "{\"target\":\"sessions\",\"flushed\":false,\"keysRemoved\":0,\"keys\":[],"
               "\"dry_run\":true,\"wouldRemove\":300}\n",
               "");
    ck_assert_int_eq(redis_server_ask_integer(cli_test.redis, "EXISTS sess:1 sess:300"), 2);
    RUN("flush", "sessions", "--json");
    cli_expect(0, "{\"target\":\"sessions\",\"flushed\":true,\"keysRemoved\":300,\"keys\":[]}\n",
               "");
}
END_TEST

START_TEST(jobs_are_listed_and_shown)
{
    write_config(100);
    fill(300);
    RUN("job", "list");
    cli_expect_out("TARGET\n");
    RUN("flush", "sessions", "--json");
    char *id = newest("id"), *state = newest("state"), *target = newest("target");
    ck_assert_str_eq(state, "done");
    ck_assert_str_eq(target, "cache:sessions");
    RUN("job", "list");
    cli_expect_out(id);
    RUN("job", "show", id);
    cli_expect_out(": done\n  target    cache:sessions\n");
    cli_expect_out("300 removed\n");
    RUN("job", "show", id, "--json");
    cli_expect_out("\"state\":\"done\"");
    /* It is over, and stays as it was. */
    RUN("job", "cancel", id, "--json");
    cli_expect_out("\"state\":\"done\"");
    free(id);
    free(state);
    free(target);
}
END_TEST

START_TEST(a_job_that_was_left_is_cancelled)
{
    const char *id = "0123456789abcdef0123456789abcdef";
    write_config(100);
    redis_server_do(
        cli_test.redis,
        "HSET cw:jobs:%s goes_on 1 target cache:sessions by_id 0 with 4 part 0 started 1 size 9 "
        "scanned 1 found 1 removed 1 progress 1 cursor 1 replication_id 1",
        id);
    redis_server_do(cli_test.redis, "RPUSH cw:jobs %s%s", id, " cache:sessions");
    RUN("flush", "sessions");
    ck_assert_int_eq(cli_test.result.status, 1);
    ck_assert_ptr_nonnull(strstr(cli_test.result.err, "Job 0123456789abcdef0123456789abcdef is at "
                                                      "work on this already."));
    ck_assert_ptr_nonnull(strstr(cli_test.result.err, "cachewarden job cancel"));
    RUN("job", "cancel", id);
    cli_expect_out(": failed, cancelled\n");
    RUN("flush", "sessions");
    ck_assert_int_eq(cli_test.result.status, 0);
}
END_TEST

/* ---- cache clear ---- */

static void fill_entries(void)
{
    redis_server_do(cli_test.redis,
                    "MSET cw:{app:shop}:e:products:1 x cw:{app:shop}:e:products:2 x "
                    "cw:{app:shop}:e:users:1 x cw:{u:7}:e:products:1 x");
}

START_TEST(entries_are_cleared_by_a_pattern)
{
    fill_entries();
    cli_run("cache", "clear", "--namespace", "app:shop", "--pattern", "products:*");
    cli_expect_out("100 %, 2 removed\nEntries removed: 2\n");
    ck_assert_int_eq(redis_server_ask_integer(
                         cli_test.redis, "EXISTS cw:{app:shop}:e:users:1 cw:{u:7}:e:products:1"),
                     2);
    cli_run("cache", "clear", "--user", "7", "--pattern", "*", "--json");
    cli_expect_out("\"state\":\"done\"");
    cli_expect_out("\"target\":\"entries:user:7\",\"pattern\":\"*\"");
    ck_assert_int_eq(redis_server_ask_integer(cli_test.redis, "EXISTS cw:{u:7}:e:products:1"), 0);
    cli_run("cache", "clear", "--namespace", "app:shop");
    cli_expect(0, "Entries of app:shop cleared (generation: 2)\n", "");
    cli_run("cache", "clear", "--namespace", "app:shop", "--json");
    cli_expect(0, "{\"namespace\":\"app:shop\",\"cleared\":true,\"generation\":3}\n", "");
    cli_run("cache", "clear", "--namespace", "gateway");
    cli_expect(0, "Responses of the gateway cleared (generation: 2)\n", "");
    cli_run("cache", "clear", "--namespace", "gateway", "--json");
    cli_expect(0, "{\"namespace\":\"gateway\",\"cleared\":true,\"generation\":3}\n", "");
    cli_run("cache", "clear", "--namespace", "gateway", "--pattern", "*");
    cli_expect_err(64, "--pattern is of labels, and the gateway has none");
}
END_TEST

START_TEST(whose_must_be_said)
{
    fill_entries();
    cli_run("cache", "clear", "--pattern", "*");
    cli_expect_err(64, "needs --user ID, --namespace N, or --all");
    cli_run("cache", "clear", "--all", "--pattern", "*");
    cli_expect_err(64, "--pattern is of one namespace");
    cli_run("cache", "clear", "--user", "7", "--namespace", "app:shop");
    cli_expect_err(64, "do not go together");
    cli_run("cache", "clear", "--namespace", "shop", "--pattern", "*");
    cli_expect_err(64, "--namespace is user:ID, app:NAME or gateway");
    cli_run("cache", "clear", "--user", "0", "--pattern", "*");
    cli_expect_err(64, "--user must be the id");
    cli_run("cache", "clear", "--user", "7", "--pattern", "a*b*c*d*e*");
    cli_expect_err(1, "at most four stars");
    ck_assert_int_eq(redis_server_ask_integer(cli_test.redis, "EXISTS cw:{u:7}:e:products:1"), 1);
}
END_TEST

/* The newest job, once it has removed something. */
static bool has_begun(const char *id)
{
    redisReply *reply = redis_server_ask(cli_test.redis, "HGET cw:jobs:%s removed", id);
    bool has = reply->type == REDIS_REPLY_STRING && strtol(reply->str, NULL, 10) > 0;
    freeReplyObject(reply);
    return has;
}

static void write_slow_config(char path_out[300])
{
    write_config(1);
    snprintf(path_out, 300, "%s/" CONFIG, cli_test.directory);
}

/* Ctrl-C ends the job, and says so. */
START_TEST(an_interrupt_cancels)
{
    const struct timespec moment = {.tv_nsec = 10 * 1000 * 1000};
    char config[300], id[64] = "";
    write_slow_config(config);
    fill(100000);
    pid_t pid = fork();
    if (pid == 0) {
        (void)!freopen("/dev/null", "w", stdout);
        (void)!freopen("/dev/null", "w", stderr);
        execl(CW_BINARY, "cachewarden", "flush", "sessions", "--config", config, NULL);
        _exit(99);
    }
    for (int64_t i = 0; !id[0] || !has_begun(id); i++) {
        ck_assert_int_lt(i, PATIENCE_MS / 10);
        redisReply *reply = redis_server_ask(cli_test.redis, "LINDEX cw:jobs 0");
        if (reply->type == REDIS_REPLY_STRING)
            snprintf(id, sizeof id, "%.32s", reply->str);
        freeReplyObject(reply);
        nanosleep(&moment, NULL);
    }
    int status;
    kill(pid, SIGINT);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    RUN("job", "show", id);
    cli_expect_out(": failed, cancelled\n");
    ck_assert_int_eq(redis_server_ask_integer(cli_test.redis, "EXISTS cw:jobs cw:jobs:runner"), 0);
    ck_assert_int_gt(redis_server_ask_integer(cli_test.redis, "DBSIZE"), 1000);
}
END_TEST

START_TEST(no_such_job)
{
    static const char *const ids[] = {"x", "0123456789abcdef0123456789abcdef", "../x", "recent"};
    write_config(100);
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        RUN("job", "show", ids[i]);
        cli_expect(1, "", "cachewarden: There is no such job.\n");
        RUN("job", "cancel", ids[i]);
        cli_expect(1, "", "cachewarden: There is no such job.\n");
    }
    ck_assert_int_eq(redis_server_ask_integer(cli_test.redis, "EXISTS cw:audit:changes"), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("job");
    TCase *all = tcase_create("job");
    tcase_add_checked_fixture(all, cli_open_redis, cli_close);
    tcase_add_test(all, a_prefix_is_flushed);
    tcase_add_test(all, a_dry_run_counts);
    tcase_add_test(all, jobs_are_listed_and_shown);
    tcase_add_test(all, a_job_that_was_left_is_cancelled);
    tcase_add_test(all, entries_are_cleared_by_a_pattern);
    tcase_add_test(all, whose_must_be_said);
    tcase_add_test(all, an_interrupt_cancels);
    tcase_add_test(all, no_such_job);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
