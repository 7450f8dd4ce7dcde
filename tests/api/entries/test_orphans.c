/*
 * No orphans: ten thousand clears, and what comes between them, leave as many keys as there were. Each key ends by
 * itself, but for those of which there is one for an account, an application, or all of it.
 */
#include "entries_case.h"
#include "sanitized.h"

#include <hiredis/hiredis.h>

enum { CLEARS = IS_SANITIZED ? 1000 : 10000, LABELS = 1000, COUNTERS = 100, MODEL_NAMES = 2500 };

static const struct namespace *const spaces[] = {&alice, &shop};
static uint64_t state = 1;

static unsigned draw(unsigned bound)
{
    state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (unsigned)(state >> 33) % bound;
}

/* A thousand labels of each namespace: most of them values, the first hundred now and then counters. */
static const char *name_label(unsigned number)
{
    return str_format(arena, "k%u", number).ptr;
}

/* A few come often, so that something good is still there. */
static unsigned draw_label(unsigned bound)
{
    return draw(2) ? draw(5) : draw(bound);
}

/* ---- what is done again and again ---- */

static void fill_one(const struct namespace *space, unsigned number)
{
    const char *const models[] = {draw(2) ? "Product" : NULL, NULL};
    const char *label = name_label(number);
    struct str lease = STR_NONE;
    struct entry_stored stored;

    if (draw(2))
        lease = get_on((int)draw(2), *space, label, models).lease;
    enum err err = try_put((int)draw(2), *space, label, models,
                           (struct entry_fill){.body = draw(8) ? STR("value") : STR("17"),
                                               .lease = lease,
                                               .only_if_absent = draw(4) == 0},
                           &stored);
    if (err != ERR_PRECONDITION)
        expect_ok(err);
}

static void count_one(const struct namespace *space, unsigned number)
{
    struct entry_request request = ask_on((int)draw(2), *space, name_label(number), NULL);
    int64_t value;
    bool is_enabled;
    enum err err = entries_increment(&request, 1, 3600, &value, &is_enabled);

    if (err != ERR_CONFLICT)
        expect_ok(err);
}

static void clear_one(const struct namespace *space)
{
    int node = (int)draw(2);

    switch (draw(8)) {
    case 0:
        clear_all_on(node);
        break;
    case 1:
    case 2:
        clear_on(node, *space);
        break;
    case 3:
    case 4:
    case 5: /* more of them than a namespace may have */
        clear_model_on(node, *space, str_format(arena, "model%u", draw(MODEL_NAMES)).ptr);
        break;
    default:
        clear_model_on(node, *space, "Product");
    }
}

static void fill_all(void)
{
    for (int i = 0; i < 2; i++)
        for (unsigned number = 0; number < LABELS; number++)
            fill_one(spaces[i], number);
}

/* ---- what is there ---- */

static int64_t count_keys(const struct redis_server *server)
{
    return redis_server_ask_integer(server, "DBSIZE");
}

/* The keys for which the condition on `key` holds, in order. */
static void expect_keys(const struct redis_server *server, const char *condition, const char *names)
{
    struct str script = str_format(arena,
                                   "local found = {} "
                                   "for _, key in ipairs(redis.call('KEYS', '*')) do "
                                   "if %s then found[#found + 1] = key end end "
                                   "table.sort(found) return table.concat(found, ' ')",
                                   condition);
    struct redisReply *reply = redis_server_ask(server, "EVAL %s 0", script.ptr);

    ck_assert_str_eq(reply->str, names);
    freeReplyObject(reply);
}

static void expect_flat(void)
{
    /* The entries; cw:dataset, and for each of the two its clears and its models. */
    ck_assert_int_le(count_keys(redis) + (store != redis ? count_keys(store) : 0),
                     2 * LABELS + 1 + 2 * 2);
    ck_assert_int_le(redis_server_ask_integer(redis, "HLEN cw:{u:7}:m"), 1003);
    ck_assert_int_le(redis_server_ask_integer(redis, "HLEN cw:{app:shop}:m"), 1003);
}

/* Nothing but entries, and what there is one of for a namespace. */
static void expect_no_orphans(void)
{
    static const char *const others = "not key:find(':e:k')", *const lasting =
                                                                  "redis.call('PTTL', key) < 0";

    expect_keys(redis, others, "cw:dataset cw:{app:shop} cw:{app:shop}:m cw:{u:7} cw:{u:7}:m");
    expect_keys(redis, lasting, "cw:dataset cw:{app:shop} cw:{u:7}");
    if (store == redis)
        return;
    expect_keys(store, others, "");
    expect_keys(store, lasting, "");
}

START_TEST(clears_and_refills_leave_no_keys)
{
    fill_all();
    expect_flat();
    for (int i = 0; i < CLEARS; i++) {
        const struct namespace *space = spaces[i % 2];
        clear_one(space);
        if (draw(4) == 0)
            count_one(space, draw_label(COUNTERS));
        else
            fill_one(space, draw_label(LABELS));
        arena_reset(arena);
        if (i % 1000 == 0)
            expect_flat();
    }
    expect_flat();
    expect_no_orphans();
    /* Counters of old versions have no field of them any more, but for the last one's. */
    for (unsigned i = 0; i < COUNTERS; i++)
        ck_assert_int_le(redis_server_ask_integer(store, "EVAL %s 1 cw:{u:7}:e:k%u",
                                                  "return redis.call('TYPE', KEYS[1]).ok == 'hash' "
                                                  "and redis.call('HLEN', KEYS[1]) or 0",
                                                  i),
                         4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/entries/orphans");
    TCase *one = tcase_create("one redis"), *two = tcase_create("two");

    tcase_add_checked_fixture(one, open_two_nodes, close_two_nodes);
    tcase_add_test(one, clears_and_refills_leave_no_keys);
    suite_add_tcase(suite, one);
    tcase_add_checked_fixture(two, open_two_nodes_apart, close_two_nodes);
    tcase_add_test(two, clears_and_refills_leave_no_keys);
    suite_add_tcase(suite, two);
    return suite_run(suite);
}
