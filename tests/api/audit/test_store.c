#include "audit/store.h"

#include "cachewarden/audit.h"
#include "cachewarden/clock.h"
#include "patience.h"
#include "redis_server.h"
#include "suite.h"

#include <hiredis.h>
#include <stdlib.h>

static struct redis_server *redis;
static struct redis *control;
static struct arena *arena;
static struct audit_entry *entries[AUDIT_BATCH];
static bool saved[AUDIT_BATCH];
static const int64_t keep[AUDIT_PARTS] = {
    [AUDIT_CHANGES] = 100, [AUDIT_CLEARS] = 1000, [AUDIT_SIGN_INS] = 10};

static void open_all(void)
{
    struct redis_options options = {.size = 1,
                                    .borrow_timeout_ms = REDIS_PATIENCE_MS,
                                    .connect_timeout_ms = REDIS_PATIENCE_MS,
                                    .command_timeout_ms = REDIS_PATIENCE_MS};
    struct error error = {0};
    redis = redis_server_start(NULL);
    arena = arena_new(4096, 0);
    ck_assert_int_eq(
        redis_address_parse(str_from(redis_server_url(redis)), &options.address, &error), ERR_OK);
    ck_assert_int_eq(redis_open(&options, &control, &error), ERR_OK);
    redis_address_fini(&options.address);
}

static void close_all(void)
{
    for (size_t i = 0; i < AUDIT_BATCH; i++)
        free(entries[i]);
    redis_close(&control);
    arena_free(&arena);
    redis_server_stop(&redis);
}

static void make(size_t index, const char *target, bool is_flush)
{
    static const struct principal admin = {.user_id = 1, .name = {"admin", 5}};
    struct audit_record record = {.principal = &admin,
                                  .route = "caches.flush",
                                  .target = str_from(target),
                                  .result = "ok",
                                  .count = (int64_t)index,
                                  .is_flush = is_flush};
    entries[index] = audit_entry_new(&record, STR("node-a"));
}

static enum err store(size_t count)
{
    struct error error = {0};
    return audit_store(control, (struct work){arena, clock_deadline_ns(PATIENCE_MS), &error},
                       entries, count, keep, saved);
}

START_TEST(a_whole_batch_in_order)
{
    for (size_t i = 0; i < AUDIT_BATCH; i++) {
        make(i, "messages", false);
        entries[i]->part = AUDIT_CLEARS; /* of which more are kept than that */
    }
    ck_assert_int_eq(store(AUDIT_BATCH), ERR_OK);
    ck_assert_int_eq(redis_server_ask_integer(redis, "XLEN cw:audit:clears"), AUDIT_BATCH);
    redisReply *reply = redis_server_ask(redis, "XRANGE cw:audit:clears - + COUNT 2");
    for (size_t i = 0; i < 2; i++) {
        const redisReply *pairs = reply->element[i]->element[1];
        ck_assert_uint_eq(pairs->elements, 2);
        ck_assert_str_eq(pairs->element[0]->str, "record");
        ck_assert(str_eq((struct str){pairs->element[1]->str, pairs->element[1]->len},
                         entries[i]->packed));
    }
    freeReplyObject(reply);
    for (size_t i = 0; i < AUDIT_BATCH; i++)
        ck_assert(saved[i]);
}
END_TEST

/* Each part has a length of its own, and pushes nothing out of another. */
START_TEST(no_part_grows_for_ever)
{
    redis_server_do(redis, "CONFIG SET stream-node-max-entries 10");
    for (int i = 1; i <= 90; i++)
        redis_server_do(redis, "XADD cw:audit:changes * a b");
    for (int i = 1; i <= 2000; i++)
        redis_server_do(redis, "XADD cw:audit:clears * a b");
    make(0, "messages", false);
    entries[0]->part = AUDIT_CLEARS;
    ck_assert_int_eq(store(1), ERR_OK);
    int64_t clears = redis_server_ask_integer(redis, "XLEN cw:audit:clears");
    ck_assert_int_ge(clears, 1000);
    ck_assert_int_le(clears, 1010);
    ck_assert_int_eq(redis_server_ask_integer(redis, "XLEN cw:audit:changes"), 90);
    for (int i = 1; i <= 90; i++)
        redis_server_do(redis, "XADD cw:audit:changes * a b");
    entries[0]->part = AUDIT_CHANGES;
    ck_assert_int_eq(store(1), ERR_OK);
    ck_assert_int_le(redis_server_ask_integer(redis, "XLEN cw:audit:changes"), 110);
    ck_assert_int_eq(redis_server_ask_integer(redis, "XLEN cw:audit:clears"), clears);
}
END_TEST

/* All parts in one batch; small lengths are kept to the record. */
START_TEST(small_lengths_are_exact)
{
    static const int64_t few[AUDIT_PARTS] = {
        [AUDIT_CHANGES] = 5, [AUDIT_CLEARS] = 3, [AUDIT_SIGN_INS] = 7};
    struct error error = {0};
    for (size_t i = 0; i < AUDIT_BATCH; i++) {
        make(i, "messages", false);
        entries[i]->part = (enum audit_part)(i % AUDIT_PARTS);
    }
    ck_assert_int_eq(audit_store(control,
                                 (struct work){arena, clock_deadline_ns(PATIENCE_MS), &error},
                                 entries, AUDIT_BATCH, few, saved),
                     ERR_OK);
    ck_assert_int_eq(redis_server_ask_integer(redis, "XLEN cw:audit:changes"), 5);
    ck_assert_int_eq(redis_server_ask_integer(redis, "XLEN cw:audit:clears"), 3);
    ck_assert_int_eq(redis_server_ask_integer(redis, "XLEN cw:audit:sign_ins"), 7);
}
END_TEST

START_TEST(a_flush_is_remembered)
{
    make(0, "messages", true);
    make(1, "search", false);
    make(2, "messages", true);
    make(3, "no such:name", true);
    ck_assert_int_eq(store(4), ERR_OK);
    ck_assert_int_eq(redis_server_ask_integer(redis, "HGET cw:flushed:messages removed"), 2);
    ck_assert_int_eq(redis_server_ask_integer(redis, "HLEN cw:flushed:messages"), 3);
    ck_assert_int_eq(redis_server_ask_integer(redis, "DBSIZE"), 2); /* and the stream */
}
END_TEST

START_TEST(refused_records_are_told_from_saved_ones)
{
    make(0, "messages", true);
    make(1, "messages", true);
    redis_server_do(redis, "SET cw:flushed:messages x");
    ck_assert_int_eq(store(2), ERR_UPSTREAM_REFUSED);
    ck_assert(saved[0] && saved[1]); /* only the last flush could not be noted */
    redis_server_do(redis, "DEL cw:audit:changes");
    redis_server_do(redis, "SET cw:audit:changes x");
    ck_assert_int_eq(store(2), ERR_UPSTREAM_REFUSED);
    ck_assert(!saved[0] && !saved[1]);
}
END_TEST

START_TEST(without_redis_nothing_is_saved)
{
    make(0, "messages", false);
    redis_server_kill(redis);
    ck_assert_int_eq(store(1), ERR_UPSTREAM_DOWN);
    ck_assert(!saved[0]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/audit/store");
    TCase *tcase = tcase_create("store");
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, a_whole_batch_in_order);
    tcase_add_test(tcase, no_part_grows_for_ever);
    tcase_add_test(tcase, small_lengths_are_exact);
    tcase_add_test(tcase, a_flush_is_remembered);
    tcase_add_test(tcase, refused_records_are_told_from_saved_ones);
    tcase_add_test(tcase, without_redis_nothing_is_saved);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
