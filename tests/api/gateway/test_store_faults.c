/* What is wrong in Redis, or with it, is a miss or an error that the caller can go on from. */
#include "gateway_case.h"

#define TEXT "Content-Type: text/plain"
#define VARY "Vary: Accept-Language"

/* ---- what is wrong in Redis ---- */

static void damage(const char *lua)
{
    char script[512];

    snprintf(script, sizeof script,
             "for _, k in ipairs(redis.call('KEYS', 'cw:{u:7}:g:*')) do %s end return 1", lua);
    ck_assert_int_eq(redis_server_ask_integer(redis, "EVAL %s 0", script), 1);
}

/* What nothing can be stored over is dropped by the first fill. */
static void heal_on(int node, const struct gateway_key *key, const char *fields, const char *body)
{
    struct gateway_look look = look_on(node, key);
    enum err err = try_store(node, key, &look, fields, body);

    gateway_look_release(&look);
    ck_assert_msg(err == ERR_OK || (err == ERR_CONFLICT && look.is_foreign), "%s", err_name(err));
    if (err != ERR_OK)
        fill_on(node, key, fields, body);
}

START_TEST(damaged_values_are_a_miss_and_heal)
{
    static const char *const harms[] = {
        "redis.call('SET', k, 'garbage')",
        "redis.call('HSET', k, 'start', 'garbage')",
        "redis.call('HSET', k, 'drop', 'garbage')",
        "redis.call('HSET', k, 'head', 'garbage')",
        "redis.call('HSET', k, 'start', string.sub(redis.call('HGET', k, 'start'), 1, 40))",
        "redis.call('HDEL', k, 'start')",
        "redis.call('HDEL', k, 'head')",
        "redis.call('HDEL', k, 'body')",
        "redis.call('HSET', k, 'body', 'goo')",
        "redis.call('DEL', k) redis.call('HSET', k, 'a', 'b')",
        "redis.call('DEL', k) redis.call('RPUSH', k, 'a')",
        "redis.call('DEL', k)",
        "local s = redis.call('HGET', k, 'start') redis.call('HSET', k, 'start', "
        "string.sub(s, 1, 34) .. string.rep('\\255', 8) .. string.sub(s, 43))",
        "local s = redis.call('HGET', k, 'start') redis.call('HSET', k, 'start', "
        "string.sub(s, 1, 78) .. string.rep('\\255', 8))",
        "local s = redis.call('HGET', k, 'start') redis.call('HSET', k, 'start', "
        "string.sub(s, 1, 60) .. 'another id' .. string.sub(s, 71))",
    };
    const struct gateway_key key = key_of(7, "/shop/a", ""),
                             de = key_of(7, "/shop/v", "Accept-Language: de");

    for (size_t i = 0; i < sizeof harms / sizeof *harms; i++) {
        bool has_other_id = i == sizeof harms / sizeof *harms - 1;
        fill_on(0, &key, TEXT, "good");
        fill_on(0, &de, VARY, "gut");
        damage(harms[i]);
        for (int node = 0; node < 2 && !has_other_id; node++) {
            forget_on(1);
            struct gateway_look look = look_on(node, &key);
            bool is_miss = !look.stored;
            ck_assert(is_miss || look.has_body); /* of what is short */
            /* What memory has is good, as long as Redis names its id. */
            ck_assert_msg(is_miss || str_eq(look.stored->body, STR("good")), "harm %zu", i);
            gateway_look_release(&look);
        }
        heal_on(1, &key, TEXT, "healed");
        heal_on(1, &de, VARY, "heil");
        expect_stored(0, &key, "healed");
        expect_stored(0, &de, "heil");
    }
}
END_TEST

/* A value under a key that is not its own is nobody's answer. */
START_TEST(a_copied_value)
{
    const struct gateway_key key = key_of(7, "/shop/a", ""), other = key_of(8, "/shop/a", "");
    struct gateway_digest path;

    fill_on(0, &key, TEXT, "alice's");
    expect_ok(gateway_key_path(&other, arena, &path));
    const struct namespace space = namespace_of_user(8);
    struct key name = key_response(&space, path.bytes);
    ck_assert_int_eq(redis_server_ask_integer(redis, "EVAL %s 0 %b",
                                              "redis.call('COPY', redis.call('KEYS', "
                                              "'cw:{u:7}:g:*')[1], ARGV[1]) return 1",
                                              name.bytes, name.len),
                     1);
    ck_assert(!is_stored_on(0, &other));
    ck_assert(!is_stored_on(1, &other));
    expect_stored(1, &key, "alice's");
}
END_TEST

START_TEST(keys_expire)
{
    const struct gateway_key key = key_of(7, "/shop/a", ""),
                             de = key_of(0, "/shop/v", "Accept-Language: de");
    const struct stored_response response = {.status = 200, .body = STR("x")};
    struct gateway_look look = look_on(0, &key);

    expect_ok(gateway_store_put(stores[0], &key, &look, &response, INT64_MAX, in_work(), NULL));
    gateway_look_release(&look);
    fill_on(0, &de, VARY, "deutsch");
    expect_ok(gateway_store_drop(stores[0], &de, in_work()));
    ck_assert_int_eq(
        redis_server_ask_integer(
            redis, "EVAL %s 0",
            "for _, k in ipairs(redis.call('KEYS', 'cw:*}:*')) do local t = redis.call('TTL', k) "
            "if t < 1 or t > 31 * 86400 then return 0 end end return 1"),
        1);
    struct gateway_look again = look_on(0, &key);
    ck_assert_int_eq(gateway_store_put(stores[0], &key, &again, &response, 0, in_work(), NULL),
                     ERR_CONFLICT);
    gateway_look_release(&again);
}
END_TEST

/* ---- a Redis that does not do its part ---- */

START_TEST(a_redis_that_is_away)
{
    const struct gateway_key key = key_of(7, "/shop/a", "");
    struct gateway_look look;

    fill_on(0, &key, TEXT, "x");
    struct gateway_look before = look_on(0, &key);
    redis_server_kill(redis);
    ck_assert_int_ne(gateway_store_look(stores[0], &key, in_work(), &look), ERR_OK);
    ck_assert_ptr_null(look.stored);
    gateway_look_release(&look);
    ck_assert_int_ne(try_store(0, &key, &before, TEXT, "y"), ERR_OK);
    /* What somebody holds is there to the end. */
    ck_assert(str_eq(before.stored->body, STR("x")));
    gateway_look_release(&before);
}
END_TEST

START_TEST(a_full_redis_can_be_read)
{
    const struct gateway_key key = key_of(7, "/shop/a", "");

    fill_on(0, &key, TEXT, "x");
    struct gateway_look look = look_on(0, &key);
    redis_server_do(redis, "CONFIG SET maxmemory 1");
    ck_assert_int_eq(try_store(0, &key, &look, TEXT, "y"), ERR_UPSTREAM_REFUSED);
    gateway_look_release(&look);
    expect_stored(0, &key, "x");
    expect_stored(1, &key, "x");
    redis_server_do(redis, "CONFIG SET maxmemory 0");
    fill_on(0, &key, TEXT, "z");
    expect_stored(1, &key, "z");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/gateway/store_faults");
    TCase *one = tcase_create("one");

    tcase_add_checked_fixture(one, open_two_stores, close_two_stores);
    tcase_add_test(one, damaged_values_are_a_miss_and_heal);
    tcase_add_test(one, a_copied_value);
    tcase_add_test(one, keys_expire);
    tcase_add_test(one, a_redis_that_is_away);
    tcase_add_test(one, a_full_redis_can_be_read);
    suite_add_tcase(suite, one);
    return suite_run(suite);
}
