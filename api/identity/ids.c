#include "identity/ids.h"

#include "cachewarden/arena.h"
#include "cachewarden/clock.h"
#include "cachewarden/log.h"
#include "cachewarden/pipeline.h"
#include "keyspace.h"
#include "services.h"

#include <inttypes.h>

/* users.first_id may be up to 2^62. What is as far above that was not given by us: to believe it would leave
 * no number for anybody. */
#define IDS_MAX (INT64_MAX / 4 * 3)

enum { ARENA_FIRST = 1024 };

static enum err ask(const struct ids_options *options, struct arena *arena, int64_t *known_out,
                    struct error *error)
{
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_READ);
    struct key key = key_highest_id();

    *known_out = 0;
    PIPELINE_ADD(pipeline, EXPECT_STRING_OR_NIL, STR("GET"), key_str(&key));
    enum err err =
        pipeline_run(options->control, pipeline, clock_deadline_ns(options->budget_ms), error);
    const struct value *held = pipeline_value(pipeline, 0);
    if (err == ERR_OK && held->kind == VALUE_STRING &&
        !str_to_int64(held->text, 1, IDS_MAX, known_out))
        return refuse_reply(error, "the highest number of an account is not one");
    return err;
}

/* Two nodes may write at once, and the lower one last: the next look raises it again. */
static enum err tell(const struct ids_options *options, struct arena *arena, int64_t highest,
                     struct error *error)
{
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE);
    struct str text = str_format(arena, "%" PRId64, highest);
    struct key key = key_highest_id();

    if (!text.ptr)
        return ERR_NO_MEMORY;
    PIPELINE_ADD(pipeline, EXPECT_OK, STR("SET"), key_str(&key), text);
    return pipeline_run(options->control, pipeline, clock_deadline_ns(options->budget_ms), error);
}

static enum err agree(struct ids *ids, const struct ids_options *options, struct arena *arena,
                      struct error *error)
{
    int64_t known, highest;

    enum err err = users_highest_id(options->users, arena, &highest, error);
    if (err == ERR_OK)
        err = ask(options, arena, &known, error);
    if (err != ERR_OK)
        return err;
    /* Put back under a running node: what was skipped there before may not be any more. */
    if (highest < ids->highest)
        ids->skipped = 0;
    ids->highest = highest;
    if (highest > known)
        return tell(options, arena, highest, error);
    if (highest == known || known <= ids->skipped)
        return ERR_OK;
    err = users_set_first_id(options->users, known + 1, error);
    if (err != ERR_OK)
        return err;
    ids->skipped = known;
    log_event(LOG_LEVEL_WARN, "users.ids_skipped", LOG_INT("up_to", known),
              LOG_INT("highest", highest),
              LOG_CSTR("because", "redis knows of accounts that this users database does not"));
    return ERR_OK;
}

enum err ids_agree(struct ids *ids, const struct ids_options *options, struct error *error)
{
    struct arena *arena = arena_new(ARENA_FIRST, 0);

    if (!arena)
        return ERR_NO_MEMORY;
    enum err err = agree(ids, options, arena, error);
    arena_free(&arena);
    return err;
}
