#include "entries/metrics.h"

#include "entries/entries_private.h"
#include "entries_case.h"

#include <pthread.h>

enum { THREADS = 20, EACH = 1000 };

static struct entries_metrics *metrics;
static const struct namespace user = {.user_id = 7}, app = {.app = {"blog", 4}};

static void open_metrics(void)
{
    ck_assert_int_eq(entries_metrics_new(&metrics), ERR_OK);
}

static void close_metrics(void)
{
    entries_metrics_free(&metrics);
    ck_assert_ptr_null(metrics);
}

START_TEST(each_kind_has_its_own)
{
    entries_metrics_add(metrics, &user, ENTRY_HITS, 1);
    entries_metrics_add(metrics, &app, ENTRY_HITS, 2);
    entries_metrics_add(metrics, &app, ENTRY_BYTES_OUT, UINT64_C(5000000000));
    entries_metrics_add(metrics, &app, ENTRY_BYTES_OUT, 0);
    ck_assert_uint_eq(entries_metrics_read(metrics, ENTRY_OF_USER, ENTRY_HITS), 1);
    ck_assert_uint_eq(entries_metrics_read(metrics, ENTRY_OF_APP, ENTRY_HITS), 2);
    ck_assert_uint_eq(entries_metrics_read(metrics, ENTRY_OF_APP, ENTRY_BYTES_OUT),
                      UINT64_C(5000000000));
    ck_assert_uint_eq(entries_metrics_read(metrics, ENTRY_OF_USER, ENTRY_BYTES_OUT), 0);
    ck_assert_uint_eq(entries_metrics_read(metrics, ENTRY_OF_APP, ENTRY_MISSES), 0);
}
END_TEST

static void *add_many(void *unused)
{
    for (int i = 0; i < EACH; i++)
        entries_metrics_add(metrics, &user, ENTRY_MISSES, 1);
    return unused;
}

/* More threads than shards. */
START_TEST(nothing_is_lost_among_threads)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, add_many, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(entries_metrics_read(metrics, ENTRY_OF_USER, ENTRY_MISSES), THREADS * EACH);
}
END_TEST

/* All there are, each family in one piece. */
START_TEST(the_format)
{
    struct strbuf out;

    for (int i = 0; i < ENTRIES_METRICS; i++) {
        entries_metrics_add(metrics, &user, (enum entries_metric)i, (uint64_t)i + 100);
        entries_metrics_add(metrics, &app, (enum entries_metric)i, (uint64_t)i + 200);
    }
    strbuf_init(&out, NULL, 4096);
    entries_write_metrics(&(struct entries){.metrics = metrics}, &out);
    strbuf_add_char(&out, '\0');
    for (int i = 0; i < ENTRIES_METRICS; i++) {
        char user_value[16], app_value[16];
        snprintf(user_value, sizeof user_value, "} %d\n", i + 100);
        snprintf(app_value, sizeof app_value, "} %d\n", i + 200);
        ck_assert_msg(strstr(out.ptr, user_value) && strstr(out.ptr, app_value), "count %d", i);
    }
    ck_assert_ptr_nonnull(strstr(out.ptr, "cachewarden_entries_reads_total{namespace=\"user\","
                                          "result=\"hit\"} 100\n"
                                          "cachewarden_entries_reads_total{namespace=\"app\","
                                          "result=\"hit\"} 200\n"));
    strbuf_fini(&out);
}
END_TEST

/* ---- what was done ---- */

static uint64_t counted(const struct namespace *space, enum entries_metric which)
{
    return entries_metrics_read(nodes[0].app->entries->metrics,
                                space->user_id > 0 ? ENTRY_OF_USER : ENTRY_OF_APP, which);
}

static void expect_metrics(const struct namespace *space, const uint64_t wanted[ENTRIES_METRICS])
{
    for (int i = 0; i < ENTRIES_METRICS; i++)
        ck_assert_msg(counted(space, (enum entries_metric)i) == wanted[i],
                      "number %d is %llu, not %llu", i,
                      (unsigned long long)counted(space, (enum entries_metric)i),
                      (unsigned long long)wanted[i]);
}

static void do_each_once(struct namespace space)
{
    struct entry_stored stored;
    struct entry_request increment = ask_on(0, space, "n", NULL);
    int64_t value;
    bool is_enabled;

    struct entry_found miss = get_on(0, space, "k", NULL);
    put_on(0, space, "k", NULL, "seven b", miss.lease);
    expect_hit(0, space, "k", "seven b");
    ck_assert_int_eq(try_put(0, space, "k", NULL,
                             (struct entry_fill){.body = STR("x"), .only_if_absent = true},
                             &stored),
                     ERR_PRECONDITION);
    ck_assert_int_eq(try_put(0, space, "k", NULL,
                             (struct entry_fill){.body = STR("x"), .lease = STR("nonsense")},
                             &stored),
                     ERR_BAD_INPUT);
    /* Not for its lease. */
    ck_assert_int_eq(try_put(0, space, "k", MODELS("Product"),
                             (struct entry_fill){
                                 .body = STR("x"), .lease = miss.lease, .ttl_s = ENTRY_TTL_MAX_S},
                             &stored),
                     ERR_BAD_INPUT);
    clear_model_on(0, space, "Product");
    clear_on(0, space);
    ck_assert(put_on(0, space, "k", NULL, "late", miss.lease).is_void);
    expect_ok(entries_increment(&increment, 5, 60, &value, &is_enabled));
}

START_TEST(what_is_done_is_counted)
{
    uint64_t wanted[ENTRIES_METRICS] = {
        [ENTRY_HITS] = 1,       [ENTRY_MISSES] = 1,       [ENTRY_FILLS] = 1,
        [ENTRY_FILLS_VOID] = 1, [ENTRY_FILLS_LATE] = 1,   [ENTRY_LEASES_WRONG] = 1,
        [ENTRY_INCREMENTS] = 1, [ENTRY_MODEL_CLEARS] = 1, [ENTRY_BYTES_IN] = 7,
        [ENTRY_BYTES_OUT] = 7};

    do_each_once(shop);
    expect_metrics(&shop, wanted);
    do_each_once(alice);
    expect_metrics(&alice, wanted);
    expect_metrics(&shop, wanted);
    switch_on(0, alice.user_id, false);
    put_on(0, alice, "k", NULL, "off", STR_NONE);
    wanted[ENTRY_FILLS_OFF] = 1;
    expect_metrics(&alice, wanted);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/entries/metrics");
    TCase *tcase = tcase_create("metrics");

    tcase_add_checked_fixture(tcase, open_metrics, close_metrics);
    tcase_add_test(tcase, each_kind_has_its_own);
    tcase_add_test(tcase, nothing_is_lost_among_threads);
    tcase_add_test(tcase, the_format);
    suite_add_tcase(suite, tcase);

    TCase *done = tcase_create("done");
    tcase_add_checked_fixture(done, open_two_nodes, close_two_nodes);
    tcase_add_test(done, what_is_done_is_counted);
    suite_add_tcase(suite, done);
    return suite_run(suite);
}
