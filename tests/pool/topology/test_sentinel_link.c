/* One sentinel, which may be anything: each question ends in time, and nothing it says is taken for more than it is. */
#include "topology/sentinel_link.h"

#include "pool_case.h"

#include "fake_redis.h"
#include "slowness.h"
#include "suite.h"

#define NAMES                                 \
    "*2\r\n$9\r\n127.0.0.1\r\n$4\r\n6380\r\n" \
    "*4\r\n$4\r\nname\r\n$1\r\nm\r\n$12\r\nconfig-epoch\r\n$1\r\n7\r\n+OK 3 usable Sentinels\r\n"

static struct fake_redis *fake;
static struct sentinel_link *link;
static struct redis_address address;

static void open_link(const char *user, const char *password)
{
    struct error error;

    case_err(redis_address_parse(str_from(fake_redis_url(fake)), &address, &error), ERR_OK);
    address.username = user ? strdup(user) : NULL;
    address.password = password ? strdup(password) : NULL;
    case_err(sentinel_link_new(&address, &link, &error), ERR_OK);
}

static void set_up(void)
{
    fake = fake_redis_start();
}

static void tear_down(void)
{
    sentinel_link_free(&link);
    redis_address_fini(&address);
    fake_redis_stop(&fake);
}

static struct sentinel_answer ask_within(int64_t answer_ms)
{
    struct sentinel_answer answer;
    int64_t begin_ns = clock_mono_ns();

    sentinel_link_ask(
        link, STR("m"),
        (struct sentinel_patience){.connect_ms = CASE_PATIENCE_MS, .answer_ms = answer_ms},
        &answer);
    expect_within_ms((clock_mono_ns() - begin_ns) / NS_PER_MS, 2 * answer_ms + 500);
    return answer;
}

static struct sentinel_answer ask(void)
{
    return ask_within(CASE_PATIENCE_MS);
}

/* The three questions are three commands: the first gets the whole answer, the others nothing. */
static void answer_with(const char *bytes)
{
    FAKE_SCRIPT(fake, {.bytes = bytes}, {0}, {0});
}

START_TEST(asked_again_over_the_same_connection)
{
    open_link(NULL, NULL);
    for (int i = 0; i < 3; i++) {
        answer_with(NAMES);
        struct sentinel_answer answer = ask();
        ck_assert_msg(answer.state == SENTINEL_NAMES, "%s", answer.why);
        ck_assert_str_eq(answer.named.host, "127.0.0.1");
        ck_assert_int_eq(answer.named.epoch, 7);
    }
    ck_assert_uint_eq(fake_redis_accepted(fake), 1);
    ck_assert_uint_eq(fake_redis_seen(fake, "AUTH"), 0);
    ck_assert_uint_eq(fake_redis_seen(fake, "ECHO"), 0); /* which sentinels do not know */
}
END_TEST

START_TEST(a_password_goes_first_and_once)
{
    open_link("ward", "secret");
    answer_with(NAMES);
    ck_assert_int_eq(ask().state, SENTINEL_NAMES);
    answer_with(NAMES);
    ck_assert_int_eq(ask().state, SENTINEL_NAMES);
    ck_assert_uint_eq(fake_redis_seen(fake, "AUTH"), 1);
}
END_TEST

START_TEST(a_password_that_is_wrong)
{
    open_link(NULL, "canary-password");
    fake_redis_override(fake, "AUTH", "-WRONGPASS invalid password\r\n");
    answer_with("-NOAUTH no\r\n-NOAUTH no\r\n-NOAUTH no\r\n");
    struct sentinel_answer answer = ask();
    ck_assert_int_eq(answer.state, SENTINEL_REFUSES);
    ck_assert_ptr_nonnull(strstr(answer.why, "WRONGPASS"));
    ck_assert_ptr_null(strstr(answer.why, "canary"));
}
END_TEST

START_TEST(one_that_was_restarted)
{
    open_link(NULL, NULL);
    answer_with(NAMES);
    ck_assert_int_eq(ask().state, SENTINEL_NAMES);
    fake_redis_hang_up(fake);
    answer_with(NAMES);
    ck_assert_int_eq(ask().state, SENTINEL_NAMES);
    ck_assert_uint_eq(fake_redis_accepted(fake), 2);
}
END_TEST

START_TEST(one_that_is_silent)
{
    open_link(NULL, NULL);
    fake_redis_deafen(fake, true);
    ck_assert_int_eq(ask_within(50).state, SENTINEL_SILENT);
}
END_TEST

/* Byte by byte it never comes to an end in time. */
START_TEST(one_that_drips)
{
    open_link(NULL, NULL);
    FAKE_SCRIPT(fake, {.bytes = NAMES, .is_drip = true, .delay_ms = 20}, {0}, {0});
    struct sentinel_answer answer = ask_within(100);
    ck_assert_int_eq(answer.state, SENTINEL_SILENT);
    ck_assert_str_eq(answer.why, "no whole answer in time");
}
END_TEST

static const char *const strange[] = {
    "HTTP/1.1 400 Bad Request\r\n\r\n",
    "*3\r\n:1\r\n:2\r\n:3\r\n+OK\r\n+OK\r\n",
    NAMES "+and more\r\n",
    "$99999999999999\r\n",
    "*1000000000\r\n",
};
#define STRANGE (sizeof strange / sizeof *strange)

START_TEST(one_that_is_none)
{
    open_link(NULL, NULL);
    answer_with(strange[_i]);
    struct sentinel_answer answer = ask_within(200);
    ck_assert_msg(answer.state == SENTINEL_GARBLED || answer.state == SENTINEL_SILENT, "%d",
                  answer.state);
    ck_assert_str_ne(answer.why, "");
    /* Nothing of it is left over. */
    fake_redis_forget(fake);
    answer_with(NAMES);
    answer = ask();
    ck_assert_msg(answer.state == SENTINEL_NAMES, "%s", answer.why);
}
END_TEST

START_TEST(nobody_there)
{
    struct sentinel_answer answer;

    open_link(NULL, NULL);
    fake_redis_stop(&fake);
    answer = ask();
    ck_assert_int_eq(answer.state, SENTINEL_SILENT);
    ck_assert_ptr_nonnull(strstr(answer.why, "refused"));
    fake = fake_redis_start(); /* for the end */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("topology/sentinel_link");
    TCase *tcase = tcase_create("all");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, asked_again_over_the_same_connection);
    tcase_add_test(tcase, a_password_goes_first_and_once);
    tcase_add_test(tcase, a_password_that_is_wrong);
    tcase_add_test(tcase, one_that_was_restarted);
    tcase_add_test(tcase, one_that_is_silent);
    tcase_add_test(tcase, one_that_drips);
    tcase_add_loop_test(tcase, one_that_is_none, 0, STRANGE);
    tcase_add_test(tcase, nobody_there);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
