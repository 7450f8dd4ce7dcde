/* The body of a job, to the byte. */
#include "cachewarden/jobs.h"

#include "cachewarden/arena.h"
#include "suite.h"

#include <check.h>

static void expect(const struct job *job, const char *wanted)
{
    struct arena *arena = arena_new(1024, 0);
    struct strbuf text;
    struct json_writer json;
    strbuf_init(&text, arena, 256);
    json_writer_init(&json, &text);
    job_write(&json, job);
    strbuf_add_char(&text, '\0');
    ck_assert_str_eq(text.ptr, wanted);
    arena_free(&arena);
}

START_TEST(each_state)
{
    struct job job = {.id = STR("ab"),
                      .scanned = 1000,
                      .removed = 12,
                      .found = 13,
                      .progress = 429999,
                      .started_ms = 1769860800123};
    expect(&job, "{\"id\":\"ab\",\"state\":\"running\",\"scanned\":1000,\"removed\":12,"
                 "\"progress\":0.42,\"started_at\":\"2026-01-31T12:00:00.123Z\","
                 "\"finished_at\":null}");
    job.progress = 999999;
    job.state = JOB_FAILED;
    job.finished_ms = 1769860801000;
    job.reason = STR("cancelled");
    expect(&job, "{\"id\":\"ab\",\"state\":\"failed\",\"scanned\":1000,\"removed\":12,"
                 "\"progress\":0.99,\"started_at\":\"2026-01-31T12:00:00.123Z\","
                 "\"finished_at\":\"2026-01-31T12:00:01.000Z\",\"reason\":\"cancelled\"}");
    job.progress = 1000000;
    job.state = JOB_DONE;
    job.removed = 0;
    job.only_counts = true;
    expect(&job, "{\"id\":\"ab\",\"state\":\"done\",\"scanned\":1000,\"removed\":0,"
                 "\"progress\":1,\"started_at\":\"2026-01-31T12:00:00.123Z\","
                 "\"finished_at\":\"2026-01-31T12:00:01.000Z\",\"dry_run\":true,"
                 "\"wouldRemove\":13}");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("job_json");
    TCase *all = tcase_create("job_json");
    tcase_add_test(all, each_state);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
