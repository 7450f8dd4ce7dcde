/* How much a user may store in an hour. */
#include "limits_fixture.h"

#include "limits/limits_private.h"

#include "cachewarden/app.h"

static void set_up(void)
{
    redis = redis_server_start(NULL);
    open_node(
        &node, redis_server_url(redis),
        (struct limit_settings){.enabled = true, .toggle_per_minute = 100, .fill_bytes = 1000},
        false);
}

static void tear_down(void)
{
    loopback_close(&node);
    redis_server_stop(&redis);
}

static char body[600];

static struct loopback_answer *put_as(struct principal who, const char *query)
{
    memset(body, 'x', sizeof body);
    return LOOPBACK(&node, "entries.put", who, .name = "k", .query = query, .type = "text/plain",
                    .body = body, .body_size = sizeof body);
}

static enum err outcome(struct loopback_answer *answer)
{
    enum err err = answer->err;

    loopback_free(&answer);
    return err;
}

START_TEST(who_has_stored_enough_is_throttled)
{
    ck_assert_int_eq(outcome(put_as(loopback_user(7), NULL)), ERR_OK);
    ck_assert_int_eq(outcome(put_as(loopback_user(7), NULL)),
                     ERR_OK); /* the one that goes beyond */
    struct loopback_answer *answer = put_as(loopback_user(7), NULL);
    ck_assert_int_gt(answer->reply.retry_after_s, 3590);
    ck_assert_int_le(answer->reply.retry_after_s, 3600);
    expect_rate(answer, ERR_THROTTLED, 1000, 0);
    expect_rate(LOOPBACK(&node, "entries.increment", loopback_user(7), .name = "n", .body = "{}"),
                ERR_THROTTLED, 1000, 0);
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:{u:7}:e:n"), 0);
    /* It is out of date to who wanted to replace it. */
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:{u:7}:e:k"), 0);
    /* What takes no room goes on; so do others. */
    ck_assert_int_eq(outcome(LOOPBACK(&node, "entries.get", loopback_user(7), .name = "k")),
                     ERR_OK);
    ck_assert_int_eq(outcome(LOOPBACK(&node, "entries.delete", loopback_user(7), .name = "k")),
                     ERR_OK);
    ck_assert_int_eq(outcome(put_as(loopback_user(8), NULL)), ERR_OK);
}
END_TEST

START_TEST(what_lives_longer_counts_more)
{
    ck_assert_int_eq(outcome(put_as(loopback_user(7), "ttl=3601")), ERR_OK); /* two hours */
    ck_assert_int_eq(outcome(put_as(loopback_user(7), "ttl=1")), ERR_THROTTLED);
}
END_TEST

/* Somebody else's API key for the account counts, too; an application, and an admin wherever it is, do not. */
START_TEST(whose_it_is)
{
    ck_assert_int_eq(outcome(put_as(loopback_key(SCOPE_USER, 7), "ttl=7200")), ERR_OK);
    ck_assert_int_eq(outcome(put_as(loopback_user(7), NULL)), ERR_THROTTLED);
    for (int i = 0; i < 4; i++) {
        struct principal key = loopback_key(SCOPE_ENTRIES, 0);
        key.space = STR("shop");
        ck_assert_int_eq(outcome(put_as(key, NULL)), ERR_OK);
        ck_assert_int_eq(outcome(put_as(loopback_admin(), "namespace=user:7")), ERR_OK);
    }
}
END_TEST

static enum err increment(const char *label)
{
    return outcome(LOOPBACK(&node, "entries.increment", loopback_user(7), .name = label,
                            .body = "{\"ttl\":3600}"));
}

static struct loopback_answer *put_with(const char *lease, const char *if_none_match)
{
    return LOOPBACK(&node, "entries.put", loopback_user(7), .name = "n", .lease = lease,
                    .if_none_match = if_none_match, .type = "text/plain", .body = body,
                    .body_size = sizeof body);
}

static void switch_cache(const char *route)
{
    ck_assert_int_eq(outcome(LOOPBACK(&node, route, loopback_user(7))), ERR_OK);
}

START_TEST(what_stores_nothing_counts_nothing)
{
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(increment("n"), ERR_OK);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(outcome(put_with(NULL, "*")), ERR_PRECONDITION);
        ck_assert_int_eq(outcome(put_with("none", NULL)), ERR_BAD_INPUT);
    }
    switch_cache("cache.disable");
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(outcome(put_as(loopback_user(7), "ttl=2592000")), ERR_OK);
    switch_cache("cache.enable");
    ck_assert_int_eq(outcome(put_as(loopback_user(7), NULL)), ERR_OK);
    ck_assert_int_eq(outcome(put_as(loopback_user(7), NULL)), ERR_OK); /* goes beyond */
    ck_assert_int_eq(outcome(put_as(loopback_user(7), NULL)), ERR_THROTTLED);
}
END_TEST

/* Each that begins counts. */
START_TEST(counters_that_begin)
{
    static const char *const labels[] = {"a", "b", "c", "d", "e", "f"};

    for (size_t i = 0; i < 6; i++) /* 169 bytes each */
        ck_assert_int_eq(increment(labels[i]), ERR_OK);
    ck_assert_int_eq(increment("g"), ERR_THROTTLED);
}
END_TEST

/* Who has stored enough may still raise what is there, and be told why nothing else is stored. */
START_TEST(what_would_store_nothing_is_not_refused)
{
    ck_assert_int_eq(increment("n"), ERR_OK);
    ck_assert_int_eq(outcome(put_as(loopback_user(7), "ttl=7200")), ERR_OK);
    ck_assert_int_eq(increment("n"), ERR_OK);
    ck_assert_int_eq(increment("m"), ERR_THROTTLED);
    ck_assert_int_eq(outcome(put_with(NULL, "*")), ERR_PRECONDITION);
    ck_assert_int_eq(outcome(put_with("none", NULL)), ERR_BAD_INPUT);
    ck_assert_int_eq(increment("n"), ERR_OK);
    switch_cache("cache.disable");
    ck_assert_int_eq(increment("m"), ERR_OK);
    struct loopback_answer *answer = put_as(loopback_user(7), NULL);
    ck_assert_int_eq(answer->err, ERR_OK);
    ck_assert_int_eq(answer->reply.outcome, OUTCOME_NO_CONTENT);
    loopback_free(&answer);
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:{u:7}:e:k"), 0);
}
END_TEST

START_TEST(without_a_limit)
{
    static const struct limit_settings none[] = {{.enabled = false, .fill_bytes = 1},
                                                 {.enabled = true, .fill_bytes = 0}};

    limits_set(node.app->limits, &none[_i]);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(outcome(put_as(loopback_user(7), "ttl=315360000")), ERR_OK);
}
END_TEST

/* It counts for 720 hours. */
START_TEST(the_longest_life)
{
    limits_set(node.app->limits,
               &(struct limit_settings){.enabled = true, .fill_bytes = 1000 * 720});
    ck_assert_int_eq(outcome(put_as(loopback_user(7), "ttl=315360000")), ERR_OK);
    ck_assert_int_eq(outcome(put_as(loopback_user(7), "ttl=315360000")), ERR_OK);
    ck_assert_int_eq(outcome(put_as(loopback_user(7), "ttl=315360000")), ERR_THROTTLED);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/limits/fills");
    TCase *all = tcase_create("all");

    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_add_test(all, who_has_stored_enough_is_throttled);
    tcase_add_test(all, what_lives_longer_counts_more);
    tcase_add_test(all, whose_it_is);
    tcase_add_test(all, what_stores_nothing_counts_nothing);
    tcase_add_test(all, counters_that_begin);
    tcase_add_test(all, what_would_store_nothing_is_not_refused);
    tcase_add_loop_test(all, without_a_limit, 0, 2);
    tcase_add_test(all, the_longest_life);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
