/* `flush`: the lines of the helper it replaces, and never a success that was none. */
#include "cli_case.h"

#define INTRO     "🔄 Initializing cache flush...\n"
#define CONNECTED INTRO "✅ Connected to Redis\n"
#define KEYS      "whatsapp:development:in, whatsapp:development:out"
#define NO_CONNECTION                                     \
    "❌ Error flushing cache: Redis connection failed\n" \
    "💡 Make sure Redis is running and environment variables are set correctly\n"

#define SECRET "f3J9sKq0vX7pLw2ZtB5nYc8RgHd4mUaQ"

static void fill(void)
{
    redis_server_do(cli_test.redis,
                    "MSET whatsapp:development:in 1 whatsapp:development:out 2 other 3");
}

START_TEST(both_keys)
{
    fill();
    cli_run("flush");
    cli_expect(0,
               CONNECTED "🗑️  Flushing WhatsApp cache...\n"
                         "✅ Cache flushed successfully!\n"
                         "📊 Keys removed: 2\n"
                         "🔑 Deleted keys: " KEYS "\n"
                         "🔌 Disconnected from Redis\n",
               "");
    ck_assert_int_eq(redis_server_ask_integer(
                         cli_test.redis, "EXISTS whatsapp:development:in whatsapp:development:out"),
                     0);
    ck_assert_int_eq(redis_server_ask_integer(cli_test.redis, "EXISTS other"), 1);
}
END_TEST

START_TEST(only_what_was_there)
{
    redis_server_do(cli_test.redis, "SET whatsapp:development:out 2");
    cli_run("flush", "messages");
    cli_expect_out("📊 Keys removed: 1\n🔑 Deleted keys: whatsapp:development:out\n");
    cli_run("flush", "messages");
    cli_expect_out("✅ Cache flushed successfully!\n📊 Keys removed: 0\n🔑 Deleted keys: none\n");
}
END_TEST

START_TEST(of_the_environment)
{
    redis_server_do(cli_test.redis, "MSET whatsapp:production:in 1 whatsapp:development:in 1");
    cli_run_with(NULL, VARIABLES("NODE_ENV=production"), ARGUMENTS("flush"));
    cli_expect_out("🔑 Deleted keys: whatsapp:production:in\n");
    ck_assert_int_eq(redis_server_ask_integer(cli_test.redis, "EXISTS whatsapp:development:in"), 1);
}
END_TEST

START_TEST(as_json)
{
    fill();
    cli_run("flush", "--json");
    cli_expect(0,
               "{\"target\":\"messages\",\"flushed\":true,\"keysRemoved\":2,\"keys\":[\"whatsapp:"
               "development:in\","
               "\"whatsapp:development:out\"]}\n",
               "");
    cli_run("flush", "--json");
    cli_expect(0, "{\"target\":\"messages\",\"flushed\":true,\"keysRemoved\":0,\"keys\":[]}\n", "");
}
END_TEST

START_TEST(a_dry_run_changes_nothing)
{
    fill();
    cli_run("flush", "--dry-run");
    cli_expect(0,
               CONNECTED "🗑️  Counting WhatsApp cache...\n"
                         "📊 Keys that would be removed: 2\n"
                         "🔑 Keys: " KEYS "\n"
                         "🔌 Disconnected from Redis\n",
               "");
    cli_run("flush", "--dry-run", "--json");
    cli_expect(0,
               "{\"target\":\"messages\",\"flushed\":false,\"keysRemoved\":0,\"keys\":[\"whatsapp:"
               "development:in\","
               "\"whatsapp:development:out\"],\"dry_run\":true,\"wouldRemove\":2}\n",
               "");
    cli_run("flush", "search", "--dry-run");
    ck_assert_int_eq(redis_server_ask_integer(cli_test.redis, "DBSIZE"), 3);
    ck_assert_int_eq(redis_server_ask_integer(cli_test.redis, "EXISTS cw:audit:changes"), 0);
}
END_TEST

START_TEST(another_target_has_its_name)
{
    char item[200];
    redis_server_do(cli_test.redis, "SET other 1");
    snprintf(item, sizeof item,
             "redis: { url = \"%s\"; };\ncaches = ( { name = \"mine\"; keys = [ \"other\", \"k2\" "
             "]; } );\n",
             redis_server_url(cli_test.redis));
    cw_file_write(cli_test.directory, "c.conf", item, 0600);
    cli_run_with(NULL, VARIABLES("REDIS_URL="), ARGUMENTS("flush", "mine", "--config", "c.conf"));
    cli_expect(0,
               CONNECTED "🗑️  Flushing mine cache...\n"
                         "✅ Cache flushed successfully!\n"
                         "📊 Keys removed: 1\n"
                         "🔑 Deleted keys: other\n"
                         "🔌 Disconnected from Redis\n",
               "");
}
END_TEST

START_TEST(a_database_goes_as_a_whole)
{
    char item[200];
    snprintf(item, sizeof item, "REDIS_URL=redis://127.0.0.1:%d/1",
             redis_server_port(cli_test.redis));
    cli_run("flush", "search");
    cli_expect_out("🗑️  Flushing search cache...\n✅ Cache flushed successfully!\n📊 Keys "
                   "removed: 0\n🔑 Deleted keys: none\n");
    /* Where the control data lives it is refused. */
    cli_run_with(NULL, VARIABLES(item), ARGUMENTS("flush", "search"));
    cli_expect_err(1, "holds the control data");
    ck_assert_ptr_null(strstr(cli_test.result.out, "✅"));
}
END_TEST

/* With REDIS_DB=1 the default list has a cache that cannot be emptied; the other one can. */
START_TEST(another_target_is_not_in_the_way)
{
    char item[200];
    snprintf(item, sizeof item, "REDIS_URL=redis://127.0.0.1:%d/1",
             redis_server_port(cli_test.redis));
    redis_server_do(cli_test.redis, "SET whatsapp:development:in 1");
    redis_server_do(cli_test.redis, "COPY whatsapp:development:in whatsapp:development:in DB 1");
    cli_run_with(NULL, VARIABLES(item), ARGUMENTS("flush"));
    cli_expect_out("🔑 Deleted keys: whatsapp:development:in\n");
    ck_assert_str_eq(cli_test.result.err, "");
    ck_assert_int_eq(redis_server_ask_integer(cli_test.redis, "EXISTS whatsapp:development:in"), 1);
}
END_TEST

START_TEST(it_is_audited)
{
    fill();
    cli_run("flush");
    ck_assert_int_eq(redis_server_ask_integer(cli_test.redis, "XLEN cw:audit:changes"), 1);
    ck_assert_int_eq(redis_server_ask_integer(cli_test.redis, "HGET cw:flushed:messages removed"),
                     2);
}
END_TEST

START_TEST(no_redis_is_a_failure)
{
    cli_run("flush");
    cli_expect(1, INTRO, NO_CONNECTION);
    cli_run("flush", "--json");
    cli_expect(1, "", NO_CONNECTION);
    cli_run_with(NULL, VARIABLES("REDIS_URL=", "REDIS_HOST=127.0.0.1", "REDIS_PORT=1"),
                 ARGUMENTS("flush"));
    cli_expect(1, INTRO, NO_CONNECTION);
}
END_TEST

START_TEST(an_unknown_target_is_a_failure)
{
    cli_run("flush", "nosuch");
    cli_expect_err(1, "❌ Error flushing cache: There is no cache named nosuch.\n💡 ");
    ck_assert_ptr_null(strstr(cli_test.result.out, "flushed"));
}
END_TEST

START_TEST(a_refusal_is_a_failure)
{
    redis_server_do(cli_test.redis, "ACL SETUSER default -unlink");
    fill();
    cli_run("flush");
    cli_expect_err(1, "❌ Error flushing cache: redis refused the command\n💡 ");
    ck_assert_ptr_null(strstr(cli_test.result.out, "successfully"));
    ck_assert_int_eq(redis_server_ask_integer(cli_test.redis, "DBSIZE"),
                     4); /* the audit record of the failure */
}
END_TEST

START_TEST(a_password_is_used_and_not_shown)
{
    redis_server_do(cli_test.redis, "MSET whatsapp:development:in 1 a 1");
    redis_server_do(cli_test.redis, "CONFIG SET requirepass canary");
    cli_run("flush");
    cli_expect_err(1, "❌ Error flushing cache: redis authentication failed\n");
    cli_run_with(NULL,
                 VARIABLES("REDIS_URL=", "REDIS_HOST=127.0.0.1", "REDIS_PASSWORD=wrong-canary"),
                 ARGUMENTS("flush"));
    ck_assert_int_eq(cli_test.result.status, 1);
    char port[32];
    snprintf(port, sizeof port, "REDIS_PORT=%d", redis_server_port(cli_test.redis));
    snprintf(cli_test.redis_item, sizeof cli_test.redis_item, "REDIS_URL=");
    cli_run_with(NULL, VARIABLES("REDIS_HOST=127.0.0.1", port, "REDIS_PASSWORD=canary"),
                 ARGUMENTS("flush"));
    cli_expect_out("🔑 Deleted keys: whatsapp:development:in\n");
    ck_assert_ptr_null(strstr(cli_test.result.out, "canary"));
    ck_assert_ptr_null(strstr(cli_test.result.err, "canary"));
}
END_TEST

START_TEST(it_needs_no_users_and_no_secret)
{
    fill();
    cli_run_with(NULL,
                 VARIABLES("DATABASE_URL=sqlite:/proc/nowhere/users.db", "JWT_SECRET=short",
                           "JWT_SECRET_FILE=/nonexistent"),
                 ARGUMENTS("flush"));
    cli_expect_out("📊 Keys removed: 2\n");
    ck_assert_str_eq(cli_test.result.err, "");
    cli_run_with(NULL, VARIABLES("DATABASE_URL=postgresql://h/d"), ARGUMENTS("flush"));
    cli_expect_out("📊 Keys removed: 0\n");
}
END_TEST

START_TEST(a_broken_configuration_is_told)
{
    cli_run_with(NULL, VARIABLES("REDIS_PORT=x"), ARGUMENTS("flush"));
    cli_expect(1, INTRO,
               "error: REDIS_PORT: redis.port must be a whole number from 1 to 65535, not \"x\"\n"
               "❌ Error flushing cache: The configuration cannot be used\n"
               "💡 Look at it with: cachewarden serve --check-config\n");
    cli_run("flush", "--config", "/nonexistent/own.conf");
    ck_assert_ptr_nonnull(
        strstr(cli_test.result.err, "serve --check-config --config /nonexistent/own.conf\n"));
}
END_TEST

/* Known it is only where the users database tells; elsewhere it needs none. */
START_TEST(beside_anothers_control_data)
{
    fill();
    cli_run("cache", "clear", "--user", "1");
    redis_server_do(cli_test.redis, "HSET cw:dataset term 1:0123456789abcdef0123456789abcdef");
    int64_t keys = redis_server_ask_integer(cli_test.redis, "DBSIZE");
    cli_run("flush", "--json");
    cli_expect_err(1, "❌ Error flushing cache: Redis holds the control data of another users "
                      "database; nothing was removed\n💡 Check users.database and redis.url");
    ck_assert_str_eq(cli_test.result.out, "");
    ck_assert_int_eq(redis_server_ask_integer(cli_test.redis, "DBSIZE"), keys);
    cli_run_with(NULL,
                 VARIABLES("DATABASE_URL=postgresql://127.0.0.1:1/away", "JWT_SECRET=" SECRET),
                 ARGUMENTS("flush"));
    cli_expect_out("🔑 Deleted keys: " KEYS "\n");
    cli_run_with(NULL, VARIABLES("DATABASE_URL=sqlite:none.db"), ARGUMENTS("flush"));
    cli_expect_out("🔑 Deleted keys: none\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("flush");
    TCase *with = tcase_create("with a Redis"), *without = tcase_create("without");
    tcase_add_checked_fixture(with, cli_open_redis, cli_close);
    tcase_add_test(with, both_keys);
    tcase_add_test(with, only_what_was_there);
    tcase_add_test(with, of_the_environment);
    tcase_add_test(with, as_json);
    tcase_add_test(with, beside_anothers_control_data);
    tcase_add_test(with, a_dry_run_changes_nothing);
    tcase_add_test(with, another_target_has_its_name);
    tcase_add_test(with, a_database_goes_as_a_whole);
    tcase_add_test(with, another_target_is_not_in_the_way);
    tcase_add_test(with, it_is_audited);
    tcase_add_test(with, an_unknown_target_is_a_failure);
    tcase_add_test(with, a_refusal_is_a_failure);
    tcase_add_test(with, a_password_is_used_and_not_shown);
    tcase_add_test(with, it_needs_no_users_and_no_secret);
    tcase_add_checked_fixture(without, cli_open, cli_close);
    tcase_add_test(without, no_redis_is_a_failure);
    tcase_add_test(without, a_broken_configuration_is_told);
    suite_add_tcase(suite, with);
    suite_add_tcase(suite, without);
    return suite_run(suite);
}
