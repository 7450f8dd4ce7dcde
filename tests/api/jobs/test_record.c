/* A record comes back as it was written; anything else in its place is none. */
#include "jobs/record.h"

#include "cachewarden/audit.h"
#include "jobs_case.h"
#include "keyspace.h"
#include "suite.h"

#define ID "0123456789abcdef0123456789abcdef"

static const struct job_record whole = {
    .job = {.id = {ID, 32},
            .scanned = 5,
            .found = 4,
            .removed = 3,
            .progress = 250000,
            .started_ms = 1769860800000,
            .only_counts = true,
            .target = {"cache:sessions", 14},
            .pattern = {"a*", 2},
            .by = {"al\tice", 6},
            .starter = {"user:7:", 7}},
    .cursor = UINT64_MAX,
    .replication_id = UINT64_C(1) << 63,
    .size = 20,
    .by_id = 7,
    .credential = CREDENTIAL_API_KEY,
    .part = AUDIT_SIGN_INS,
    .client_address = {"192.0.2.1", 9},
    .request_id = {"r", 1},
};

static void open_case(void)
{
    start_jobs_redis();
    open_jobs_node(0, false, 0);
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE);
    job_record_add(pipeline, &whole);
    ck_assert_int_eq(
        redis_run(nodes[0].app->control, pipeline, (struct work){.deadline_ns = soon()}), ERR_OK);
}

static void close_case(void)
{
    loopback_close(&nodes[0]);
    stop_jobs_redis();
}

static bool read_back(struct job_record *record_out)
{
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_READ);
    job_record_ask(pipeline, whole.job.id);
    ck_assert_int_eq(
        redis_run(nodes[0].app->control, pipeline, (struct work){.deadline_ns = soon()}), ERR_OK);
    return job_record_take(pipeline_value(pipeline, 0), whole.job.id, record_out);
}

START_TEST(all_of_it_comes_back)
{
    struct job_record record;
    ck_assert(read_back(&record));
    ck_assert(str_eq(record.job.target, whole.job.target));
    ck_assert(str_eq(record.job.pattern, whole.job.pattern));
    ck_assert(str_eq(record.job.by, whole.job.by));
    ck_assert(str_eq(record.job.starter, whole.job.starter));
    ck_assert(str_eq(record.client_address, whole.client_address));
    ck_assert(str_eq(record.request_id, whole.request_id));
    ck_assert(record.job.only_counts);
    ck_assert_int_eq(record.job.state, JOB_RUNNING);
    ck_assert_int_eq(record.job.scanned, 5);
    ck_assert_int_eq(record.job.found, 4);
    ck_assert_int_eq(record.job.removed, 3);
    ck_assert_int_eq(record.job.progress, 250000);
    ck_assert_int_eq(record.job.started_ms, whole.job.started_ms);
    ck_assert_uint_eq(record.cursor, UINT64_MAX);
    ck_assert_uint_eq(record.replication_id, UINT64_C(1) << 63);
    ck_assert_int_eq(record.size, 20);
    ck_assert_int_eq(record.by_id, 7);
    ck_assert_int_eq(record.credential, CREDENTIAL_API_KEY);
    ck_assert_int_eq(record.part, AUDIT_SIGN_INS);
}
END_TEST

START_TEST(it_ends_once)
{
    static const struct {
        enum job_state state;
        const char *reason;
        int64_t reply;
    } ends[] = {{JOB_FAILED, "redis unavailable", 1}, {JOB_DONE, "", 0}, {JOB_FAILED, "x", 0}};
    struct job_record record;
    for (size_t i = 0; i < 3; i++) {
        struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE);
        job_record_end(pipeline, whole.job.id, ends[i].state, 1769860800001 + (int64_t)i,
                       str_from(ends[i].reason));
        ck_assert_int_eq(
            redis_run(nodes[0].app->control, pipeline, (struct work){.deadline_ns = soon()}),
            ERR_OK);
        ck_assert_int_eq(pipeline_value(pipeline, 0)->integer, ends[i].reply);
        ck_assert(read_back(&record));
        ck_assert_int_eq(record.job.state, JOB_FAILED);
        ck_assert_int_eq(record.job.finished_ms, 1769860800001);
        ck_assert(str_eq(record.job.reason, STR("redis unavailable")));
    }
}
END_TEST

/* Field and value; an empty field: all of the key. */
static const char *const broken[][2] = {
    {"target", ""},
    {"started", "0"},
    {"started", "x"},
    {"scanned", "-1"},
    {"removed", "1e3"},
    {"progress", "1000001"},
    {"cursor", "18446744073709551615"},
    {"replication_id", ""},
    {"size", "-2"},
    {"with", "99"},
    {"part", "3"},
    {"end", "done"},
    {"end", "done x "},
    {"end", "failed 0 x"},
};

START_TEST(what_is_not_whole_is_none)
{
    struct job_record record;
    redis_server_do(redis, "HSET cw:jobs:" ID " %s %s", broken[_i][0], broken[_i][1]);
    ck_assert(!read_back(&record));
}
END_TEST

START_TEST(what_is_not_there_is_none)
{
    struct job_record record;
    redis_server_do(redis, "HDEL cw:jobs:" ID " by_id");
    ck_assert(!read_back(&record));
    redis_server_do(redis, "UNLINK cw:jobs:" ID);
    ck_assert(!read_back(&record));
    ck_assert(!job_record_take(&(const struct value){.kind = VALUE_NIL}, whole.job.id, &record));
    ck_assert(!job_record_take(&(const struct value){.kind = VALUE_ARRAY}, whole.job.id, &record));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("record");
    TCase *all = tcase_create("record");
    tcase_add_checked_fixture(all, open_case, close_case);
    tcase_add_test(all, all_of_it_comes_back);
    tcase_add_test(all, it_ends_once);
    tcase_add_loop_test(all, what_is_not_whole_is_none, 0, (int)(sizeof broken / sizeof *broken));
    tcase_add_test(all, what_is_not_there_is_none);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
