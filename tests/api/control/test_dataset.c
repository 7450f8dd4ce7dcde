/* The dataset: read as it was written, and whom it lets a token without a record
 * believe. */
#include "control/dataset.h"

#include "two_nodes.h"

#include "suite.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "0123456789abcdef0123456789abcdef"

static void open_all(void)
{
    redis = redis_server_start(NULL);
    arena = arena_new(4096, 0);
    open_node(&nodes[0], NULL, false);
    open_node(&nodes[1], &nodes[0], false);
}

static struct value text(const char *text)
{
    return (struct value){.kind = text ? VALUE_STRING : VALUE_NIL, .text = str_from(text)};
}

static struct pipeline *run(struct pipeline *pipeline)
{
    struct error error = {0};
    enum err err = redis_run(nodes[0].app->control, pipeline,
                             (struct work){.deadline_ns = soon(), .error = &error});
    ck_assert_msg(err == ERR_OK, "%s: %s", err_name(err), error.detail);
    return pipeline;
}

static struct dataset read_it(void)
{
    struct dataset dataset;
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_READ);
    dataset_ask(pipeline);
    dataset_take(pipeline_value(run(pipeline), 0), &dataset);
    return dataset;
}

static void write_it(const struct dataset *dataset)
{
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE_FREE);
    ck_assert_int_eq(dataset_write_term(pipeline, arena, dataset), ERR_OK);
    ck_assert_int_eq(dataset_write_loss(pipeline, dataset), ERR_OK);
    run(pipeline);
}

START_TEST(what_is_written)
{
    const struct dataset written = {.term = 3,
                                    .epoch = 6,
                                    .seen_at_s = 200,
                                    .reserved = 4000,
                                    .restored = 1234,
                                    .install = STR(C),
                                    .id = STR(A),
                                    .before = STR(B),
                                    .replication_id = UINT64_MAX / 2,
                                    .intact = 2};
    ck_assert(!read_it().is_whole);
    ck_assert(!read_it().has_epoch);
    write_it(&written);
    struct dataset dataset = read_it();
    ck_assert(dataset.is_whole);
    ck_assert(dataset.has_epoch);
    ck_assert_int_eq(dataset.epoch, 6);
    ck_assert_int_eq(dataset.term, 3);
    ck_assert_int_eq(dataset.seen_at_s, 200);
    ck_assert_int_eq(dataset.reserved, 4000);
    ck_assert_int_eq(dataset.restored, 1234);
    ck_assert(str_eq(dataset.install, STR(C)));
    ck_assert(str_eq(dataset.id, STR(A)));
    ck_assert(str_eq(dataset.before, STR(B)));
    ck_assert_uint_eq(dataset.replication_id, UINT64_MAX / 2);
    ck_assert_int_eq(dataset.intact, 2);
    ck_assert_int_eq(dataset.spent, 0);
    redis_server_do(redis, "HINCRBY cw:dataset epoch 7");
    ck_assert_int_eq(read_it().epoch, 13);
    redis_server_do(redis, "HINCRBY cw:dataset spent 8");
    ck_assert_int_eq(read_it().spent, 8);
    /* Progress of another term says nothing. */
    redis_server_do(redis, "HSET cw:dataset restored 2:9999");
    ck_assert_int_eq(read_it().restored, 0);
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE_FREE);
    ck_assert_int_eq(dataset_write_restored(pipeline, arena, 3, INT64_MAX), ERR_OK);
    run(pipeline);
    ck_assert_int_eq(read_it().restored, INT64_MAX);
}
END_TEST

START_TEST(what_is_no_record)
{
    static const struct {
        const char *field, *value;
    } cases[] = {
        {"term", "0:" C},
        {"term", "3"},
        {"term", "3:"},
        {"term", ":" C},
        {"term", "-1:" C},
        {"term", "x:" C},
        {"term", "3:" C "0"},
        {"id", ""},
        {"id", "A"},
        {"id", A "a"},
        {"before", "x"},
        {"seen", "-1"},
        {"seen", "x"},
        {"replication_id", "-1"},
        {"replication_id", "x"},
        {"reserved", "-1"},
        {"reserved", "1.5"},
    };
    const struct dataset written = {
        .term = 3, .install = STR(C), .id = STR(A), .before = STR(B), .replication_id = 7};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_it(&written);
        ck_assert(read_it().is_whole);
        redis_server_do(redis, "HSET cw:dataset %s %s", cases[i].field, cases[i].value);
        ck_assert_msg(!read_it().is_whole, "%s: %s", cases[i].field, cases[i].value);
        redis_server_do(redis, "HDEL cw:dataset %s", cases[i].field);
        ck_assert_msg(!read_it().is_whole, "no %s", cases[i].field);
    }
    static const char *const may_be_absent[] = {"spent", "intact"};
    for (size_t i = 0; i < sizeof may_be_absent / sizeof *may_be_absent; i++) {
        write_it(&written);
        redis_server_do(redis, "HSET cw:dataset %s x", may_be_absent[i]);
        ck_assert_msg(!read_it().is_whole, "%s", may_be_absent[i]);
        redis_server_do(redis, "HDEL cw:dataset %s", may_be_absent[i]);
        ck_assert_msg(read_it().is_whole, "no %s", may_be_absent[i]);
    }
    static const char *const epochs[] = {"-1", "", "x", "1.5", "9223372036854775808"};
    for (size_t i = 0; i < sizeof epochs / sizeof *epochs; i++) {
        redis_server_do(redis, "HSET cw:dataset epoch %s", epochs[i]);
        ck_assert_msg(!read_it().has_epoch, "epoch: %s", epochs[i]);
    }
}
END_TEST

START_TEST(whom_it_allows)
{
    static const struct {
        const char *is, *before, *seen, *id;
        int64_t issued_at_s;
        bool is_allowed;
    } cases[] = {
        {A, B, "1000", A, 999, false},
        {A, B, "1000", A, 1000, true},
        {A, B, "1000", A, 5000, true},
        {A, B, "1000", B, 999, false}, /* it may have been spent: Redis was there a second later */
        {A, B, "1000", B, 1000, true},
        {A, B, "1000", B, 1001, true},
        {A, B, "1000", C, 1001, false},
        {A, B, "1000", "", 1001, false},
        {A, B, "1000", "A", 1001, false},
        {A, B, "-1", A, 1001, false},
        {A, B, "", A, 1001, false},
        {A, B, NULL, A, 1001, false},
        {A, NULL, "1000", A, 1001, false},
        {NULL, B, "1000", B, 1001, false},
        {"", "", "1000", "", 1001, false},
        {"x", "x", "1000", "x", 1001, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct value items[] = {text(cases[i].is), text(cases[i].before), text(cases[i].seen),
                                text(NULL)};
        const struct value reply = {.kind = VALUE_ARRAY, .items = items, .count = 4};
        bool is_there;
        ck_assert_msg(dataset_allows(&reply, str_from(cases[i].id), cases[i].issued_at_s,
                                     &is_there) == cases[i].is_allowed,
                      "case %zu", i);
        ck_assert_msg(is_there || !cases[i].is_allowed, "case %zu", i);
    }
}
END_TEST

START_TEST(of_which_term_nothing_was_lost)
{
    static const struct {
        const char *id, *intact;
        int64_t term;
        bool is_intact;
    } cases[] = {
        {A, NULL, 0, true}, {A, "0", 0, true},   {A, "4", 3, false},    {A, "4", 0, false},
        {A, "4", 4, true},  {A, "4", 5, true},   {A, "4", -1, false},   {A, "x", 5, false},
        {A, "", 5, false},  {A, "-1", 5, false}, {NULL, NULL, 3, true}, {NULL, "4", 3, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct value items[] = {text(cases[i].id), text(B), text("1000"), text(cases[i].intact)};
        const struct value reply = {.kind = VALUE_ARRAY, .items = items, .count = 4};
        ck_assert_msg(dataset_is_intact(&reply, cases[i].term) == cases[i].is_intact, "case %zu",
                      i);
    }
}
END_TEST

/* ---- which data a node saw last ---- */

static const char *last_seen_by(struct loopback *node)
{
    return version_guard_last_dataset(node->app->guard, arena).ptr;
}

/* It outlives the node and the data; the next data names it as the one before. */
START_TEST(it_is_known_again)
{
    char id[VERSION_GUARD_ID_SIZE];
    const char *fresh = last_seen_by(&nodes[0]);
    ck_assert_str_eq(fresh, last_seen_by(&nodes[1])); /* from the users database */
    ck_assert(!version_guard_dataset(nodes[0].app->guard, id));
    (void)version_on(0, 7);
    struct dataset first = read_it();
    ck_assert(str_eq(first.before, str_from(fresh)));
    ck_assert(str_eq(first.id, str_from(last_seen_by(&nodes[0]))));
    ck_assert(version_guard_dataset(nodes[0].app->guard, id));
    ck_assert_int_eq(memcmp(id, first.id.ptr, sizeof id), 0);
    loopback_close(&nodes[1]);
    open_node(&nodes[1], &nodes[0], false);
    ck_assert(str_eq(first.id, str_from(last_seen_by(&nodes[1]))));
    redis_server_do(redis, "FLUSHALL");
    (void)version_on(1, 7);
    struct dataset second = read_it();
    ck_assert(!str_eq(second.id, first.id));
    ck_assert(str_eq(second.before, first.id));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/control/dataset");
    TCase *tcase = tcase_create("dataset");
    tcase_add_checked_fixture(tcase, open_all, close_two);
    tcase_add_test(tcase, what_is_written);
    tcase_add_test(tcase, what_is_no_record);
    tcase_add_test(tcase, whom_it_allows);
    tcase_add_test(tcase, of_which_term_nothing_was_lost);
    tcase_add_test(tcase, it_is_known_again);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
