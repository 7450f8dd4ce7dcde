/*
 * A cron expression: what is taken comes, moves forward, and last and next agree, in UTC and where clocks are set
 * forward and back.
 */
#include "cachewarden/cron.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static int64_t utc(int64_t wall_s)
{
    (void)wall_s;
    return 0;
}

#define DAY_S INT64_C(86400)

/* 90 minutes forward for the second half of each 20 days. */
static int64_t changing(int64_t wall_s)
{
    int64_t days = (wall_s % (20 * DAY_S) + 20 * DAY_S) % (20 * DAY_S) / DAY_S;

    return days < 10 ? -3 * 3600 : -3 * 3600 + 90 * 60;
}

static void check_ticks(const struct cron *cron, cron_offset *offset)
{
    int64_t at_s = INT64_C(1780000000);

    for (int i = 0; i < 8; i++) {
        int64_t next_s = cron_next(cron, offset, at_s);
        must(next_s > at_s && next_s != CRON_NEVER);
        must(cron_last(cron, offset, next_s) == next_s);
        must(cron_last(cron, offset, next_s - 1) < next_s);
        must(cron_next(cron, offset, next_s - 1) == next_s);
        at_s = next_s;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cron cron;
    struct error error = {0};

    if (cron_parse((struct str){(const char *)data, size}, &cron, &error) != ERR_OK) {
        must(error.code == ERR_BAD_INPUT && error.caller[0] != '\0');
        return 0;
    }
    for (int i = 0; i < CRON_FIELDS; i++)
        must(cron.allowed[i] != 0);
    check_ticks(&cron, utc);
    check_ticks(&cron, changing);
    return 0;
}
