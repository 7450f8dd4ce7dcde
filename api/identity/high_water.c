#include "identity/high_water.h"

#include "cachewarden/arena.h"
#include "cachewarden/clock.h"
#include "cachewarden/log.h"
#include "cachewarden/pipeline.h"
#include "keyspace.h"
#include "services.h"

#include <inttypes.h>

/* users.first_id may be up to 2^62. What is as far above that was not given by us: to believe it would leave
 * no number for anybody. */
#define ID_MAX (INT64_MAX / 4 * 3)

enum {
    AHEAD_S =
        3600, /* a token is voided up to a few seconds from now; to believe more would lock all out */
    ARENA_FIRST = 1024,
};

static int64_t highest_id_max(void)
{
    return ID_MAX;
}

static int64_t voided_max(void)
{
    return clock_wall_s() + AHEAD_S;
}

static enum err skip_ids(struct users *users, int64_t known, struct error *error)
{
    return users_set_first_id(users, known + 1, error);
}

/* Whose tokens they were that the copy does not know to be void, nobody can tell. */
static enum err void_all(struct users *users, int64_t known, struct error *error)
{
    int64_t now_s = clock_wall_s() + 1;

    return users_void_all_tokens(users, known > now_s ? known : now_s, error);
}

static const struct mark {
    struct key (*key)(void);
    enum err (*look)(struct users *users, struct arena *arena, int64_t *mark_out,
                     struct error *error);
    enum err (*raise)(struct users *users, int64_t known, struct error *error);
    int64_t (*max)(void);
    const char *event;
} marks[HIGH_WATER_MARKS] = {
    [HIGH_WATER_IDS] = {key_highest_id, users_highest_id, skip_ids, highest_id_max,
                        "users.ids_skipped"},
    [HIGH_WATER_VOIDS] = {key_last_voided, users_last_voided, void_all, voided_max,
                          "users.tokens_voided"},
};

static enum err ask(const struct high_water_options *options, struct arena *arena,
                    int64_t known_out[HIGH_WATER_MARKS], struct error *error)
{
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_READ);
    struct key ids = marks[HIGH_WATER_IDS].key(), voids = marks[HIGH_WATER_VOIDS].key();

    PIPELINE_ADD(pipeline, EXPECT_STRING_OR_NIL, STR("GET"), key_str(&ids));
    PIPELINE_ADD(pipeline, EXPECT_STRING_OR_NIL, STR("GET"), key_str(&voids));
    enum err err =
        pipeline_run(options->control, pipeline, clock_deadline_ns(options->budget_ms), error);
    for (size_t i = 0; i < HIGH_WATER_MARKS && err == ERR_OK; i++) {
        const struct value *held = pipeline_value(pipeline, i);
        known_out[i] = 0;
        if (held->kind == VALUE_STRING &&
            !str_to_int64(held->text, 1, marks[i].max(), &known_out[i]))
            err = refuse_reply(error, "what would say %s cannot be true", marks[i].event);
    }
    return err;
}

/* Two nodes may write at once, and the lower one last: the next look raises it again. */
static enum err tell(const struct high_water_options *options, struct arena *arena,
                     const struct mark *mark, int64_t here, struct error *error)
{
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE);
    struct str text = str_format(arena, "%" PRId64, here);
    struct key key = mark->key();

    if (!text.ptr)
        return ERR_NO_MEMORY;
    PIPELINE_ADD(pipeline, EXPECT_OK, STR("SET"), key_str(&key), text);
    return pipeline_run(options->control, pipeline, clock_deadline_ns(options->budget_ms), error);
}

static enum err agree(struct high_water *water, const struct high_water_options *options,
                      struct arena *arena, int which, int64_t known, struct error *error)
{
    const struct mark *mark = &marks[which];
    int64_t here;

    enum err err = mark->look(options->users, arena, &here, error);
    if (err != ERR_OK)
        return err;
    /* Put back under a running node: what was raised there before may not be any more. */
    if (here < water->seen[which])
        water->raised[which] = 0;
    water->seen[which] = here;
    if (here > known)
        return tell(options, arena, mark, here, error);
    if (here == known || known <= water->raised[which])
        return ERR_OK;
    err = mark->raise(options->users, known, error);
    if (err != ERR_OK)
        return err;
    water->raised[which] = known;
    log_event(LOG_LEVEL_WARN, mark->event, LOG_INT("known_to_redis", known),
              LOG_INT("known_here", here),
              LOG_CSTR("because", "an older users database was put back"));
    return ERR_OK;
}

/* Redis first: of two looks the database's is the later one, so it is behind only when it was put back. */
enum err high_water_agree(struct high_water *water, const struct high_water_options *options,
                          struct error *error)
{
    struct arena *arena = arena_new(ARENA_FIRST, 0);
    int64_t known[HIGH_WATER_MARKS];

    enum err err = arena ? ask(options, arena, known, error) : ERR_NO_MEMORY;
    for (int which = 0; err == ERR_OK && which < HIGH_WATER_MARKS; which++)
        err = agree(water, options, arena, which, known[which], error);
    arena_free(&arena);
    return err;
}
