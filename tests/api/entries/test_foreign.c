/* What somebody put under the key of an entry by hand is out of date: a miss, and the next write takes its place. */
#include "entries_case.h"

/* %s: the version of now */
static const char *const damages[] = {
    "RPUSH cw:{u:7}:e:k a b",
    "SADD cw:{u:7}:e:k a b",
    "ZADD cw:{u:7}:e:k 1 a",
    "XADD cw:{u:7}:e:k * a b",
    "SET cw:{u:7}:e:k abc",
    "HSET cw:{u:7}:e:k %s abc",
    "HSET cw:{u:7}:e:k %s 1.5 h%s x t%s 1",
    "HSET cw:{u:7}:e:k %s 007 t%s 1",
    "HSET cw:{u:7}:e:k foo bar",
    "HSET cw:{u:7}:e:k 9%s 5", /* of a version that is none yet */
    "HSET cw:{u:7}:e:k h%s x",
};
enum { DAMAGES = sizeof damages / sizeof *damages };

static void damage(int which)
{
    struct str version =
        str_format(arena, "%lld", (long long)get_on(0, alice, "other", NULL).version);

    redis_server_do(redis, damages[which], version.ptr, version.ptr, version.ptr);
    expect_miss(1, alice, "k");
}

static void raise(int node, int64_t expected)
{
    struct entry_request request = ask_on(node, alice, "k", NULL);
    bool is_enabled;
    int64_t value;

    expect_ok(entries_increment(&request, 1, 3600, &value, &is_enabled));
    ck_assert_int_eq(value, expected);
}

static void put_where_nothing_is(const char *body)
{
    struct entry_stored stored;

    expect_ok(try_put(0, alice, "k", NULL,
                      (struct entry_fill){.body = str_from(body), .only_if_absent = true},
                      &stored));
    ck_assert(!stored.was_there);
    expect_hit(1, alice, "k", body);
}

START_TEST(the_next_write_takes_its_place)
{
    damage(_i);
    raise(0, 1);
    raise(1, 2);
    ck_assert_int_gt(redis_server_ask_integer(redis, "TTL cw:{u:7}:e:k"), 3000);
    delete_on(1, alice, "k");

    damage(_i);
    put_where_nothing_is("text");
    delete_on(1, alice, "k");

    damage(_i);
    put_where_nothing_is("41");
    raise(1, 42);
    delete_on(1, alice, "k");

    damage(_i);
    ck_assert(!put_on(0, alice, "k", NULL, "in place", STR_NONE).was_there);
    expect_hit(1, alice, "k", "in place");
    delete_on(1, alice, "k");

    damage(_i);
    ck_assert(!delete_on(0, alice, "k"));
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:{u:7}:e:k"), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/entries/foreign");
    TCase *all = tcase_create("all");

    tcase_add_checked_fixture(all, open_two_nodes, close_two_nodes);
    tcase_add_loop_test(all, the_next_write_takes_its_place, 0, DAMAGES);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
