#include "control/switches.h"

#include "cachewarden/log.h"
#include "cachewarden/pipeline.h"
#include "keyspace.h"

enum {
    PAGE_SIZE = 500, /* written at once: what Redis does in less than a millisecond */
    ARENA_BLOCK = 128 * 1024,
};

static enum err put_page_back(struct pool *control, struct arena *arena,
                              const struct user_switch *page, size_t count, int64_t deadline_ns,
                              struct error *error)
{
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE_FREE);

    for (size_t i = 0; i < count; i++) {
        struct key off = key_user_switch(page[i].user_id);
        if (page[i].is_off)
            PIPELINE_ADD(pipeline, EXPECT_OK, STR("SET"), key_str(&off), STR("1"));
        else
            PIPELINE_ADD(pipeline, EXPECT_INTEGER, STR("DEL"), key_str(&off));
    }
    return pipeline_run(control, pipeline, deadline_ns, error);
}

enum err switches_put_back(struct users *users, struct pool *control, int64_t deadline_ns,
                           struct error *error)
{
    struct arena *arena = arena_new(ARENA_BLOCK, 0);
    struct user_switch *page;
    size_t count = PAGE_SIZE, all = 0;
    int64_t after = 0;
    enum err err = arena ? ERR_OK : ERR_NO_MEMORY;

    while (err == ERR_OK && count == PAGE_SIZE) {
        arena_reset(arena);
        err = users_switches_list(users, arena, after, PAGE_SIZE, &page, &count, error);
        if (err != ERR_OK || count == 0)
            break;
        err = put_page_back(control, arena, page, count, deadline_ns, error);
        after = page[count - 1].user_id;
        all += count;
    }
    arena_free(&arena);
    if (err == ERR_OK && all > 0)
        log_event(LOG_LEVEL_INFO, "switches.put_back", LOG_INT("count", all));
    return err;
}
