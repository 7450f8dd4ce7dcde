#include "identity/high_water.h"

#include "cachewarden/arena.h"
#include "cachewarden/clock.h"
#include "cachewarden/log.h"
#include "cachewarden/pipeline.h"
#include "keyspace.h"

#include <inttypes.h>

/* Numbers are exact in JavaScript up to 2^53. Whoever gives higher ones (users.first_id) knows of some as
 * high. What is above both was not given by us. */
#define ID_SAFE_MAX (INT64_C(1) << 52)
#define ID_JUMP_MAX (INT64_C(1) << 40)

enum { ARENA_FIRST = 1024 };

/* What Redis holds of one mark. */
struct held {
    int64_t known; /* 0: nothing, or nothing that can be true */
    bool is_bad;   /* something else than such a number */
};

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
    const char *event;
} marks[HIGH_WATER_MARKS] = {
    [HIGH_WATER_IDS] = {key_highest_id, users_highest_id, skip_ids, "users.ids_skipped"},
    [HIGH_WATER_VOIDS] = {key_last_voided, users_last_voided, void_all, "users.tokens_voided"},
};

/* ---- what Redis holds ---- */

/* Each for itself: one that somebody overwrote is no reason to do without the other. ERR_UPSTREAM_REFUSED:
 * it may not be read now. */
static enum err read_mark(const struct value *reply, struct held *held_out)
{
    *held_out = (struct held){0};
    if (reply->kind == VALUE_MISSING ||
        (reply->kind == VALUE_ERROR && value_fault(reply) != REDIS_FAULT_WRONGTYPE))
        return ERR_UPSTREAM_REFUSED;
    held_out->is_bad =
        reply->kind != VALUE_NIL &&
        (reply->kind != VALUE_STRING || !str_to_int64(reply->text, 1, INT64_MAX, &held_out->known));
    return ERR_OK;
}

/* The later one of our clock and that of Redis: a node whose clock is behind believes what another one
 * voided a moment ago. */
static int64_t later_now_s(const struct value *time)
{
    int64_t now_s = clock_wall_s(), redis_s;
    bool is_told = time->kind == VALUE_ARRAY && time->count == 2 &&
                   str_to_int64(time->items[0].text, 0, INT32_MAX * INT64_C(1000), &redis_s);

    return is_told && redis_s > now_s ? redis_s : now_s;
}

/* What was asked of Redis in one round trip. */
struct look {
    enum err errs[HIGH_WATER_MARKS]; /* of each mark */
    struct held held[HIGH_WATER_MARKS];
    int64_t now_s;
};

static enum err ask(const struct high_water_options *options, struct arena *arena,
                    struct look *look_out, struct error *error)
{
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_READ);
    struct key ids = marks[HIGH_WATER_IDS].key(), voids = marks[HIGH_WATER_VOIDS].key();

    PIPELINE_KEY(pipeline, EXPECT_STRING_OR_NIL, STR("GET"), key_str(&ids));
    PIPELINE_KEY(pipeline, EXPECT_STRING_OR_NIL, STR("GET"), key_str(&voids));
    PIPELINE_ADD(pipeline, EXPECT_ARRAY, STR("TIME"));
    enum err err = redis_run(
        options->control, pipeline,
        (struct work){.deadline_ns = clock_deadline_ns(options->budget_ms), .error = error});
    if (err != ERR_OK && err != ERR_UPSTREAM_REFUSED)
        return err;
    for (int i = 0; i < HIGH_WATER_MARKS; i++)
        look_out->errs[i] = read_mark(pipeline_value(pipeline, (size_t)i), &look_out->held[i]);
    look_out->now_s = later_now_s(pipeline_value(pipeline, HIGH_WATER_MARKS));
    return ERR_OK;
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
    PIPELINE_KEY(pipeline, EXPECT_OK, STR("SET"), key_str(&key), text);
    return redis_run(
        options->control, pipeline,
        (struct work){.deadline_ns = clock_deadline_ns(options->budget_ms), .error = error});
}

/* ---- what may be believed ---- */

/* The users database is behind what Redis holds, by what cannot be. */
static bool is_plausible_id(int64_t known, int64_t here)
{
    return known <= ID_SAFE_MAX || known <= here + ID_JUMP_MAX;
}

/*
 * A sign-in dates its tokens with the latest second that was voided, so a date far ahead would lock all out
 * until then. It comes of somebody's hand, or of a clock that is wrong; the latter may have voided tokens
 * that an older users database does not know of. So it counts as now: everybody signs in again, at once.
 */
static void bound(int which, struct held *held, int64_t here, int64_t now_s)
{
    if (which == HIGH_WATER_IDS && !is_plausible_id(held->known, here))
        *held = (struct held){.is_bad = true};
    if (which == HIGH_WATER_VOIDS && held->known > now_s + USERS_VOID_AHEAD_S)
        *held = (struct held){.known = now_s + 1, .is_bad = true};
}

/* What Redis is to hold of what is known here: of a date far ahead, which a wrong clock has made, no more
 * than what may be believed. */
static int64_t to_tell(int which, int64_t known, int64_t here, int64_t now_s)
{
    const int64_t most_s = now_s + USERS_VOID_AHEAD_S;

    if (which == HIGH_WATER_IDS || here <= most_s)
        return here;
    return known >= now_s ? known : most_s;
}

/* ---- both sides ---- */

/* Once, for it is overwritten; as often as a new one comes where that cannot be. */
static void warn_bad(struct high_water *water, int which, const struct held *held)
{
    struct key key = marks[which].key();

    if (held->is_bad && !water->is_bad[which])
        log_event(LOG_LEVEL_WARN, "users.mark_implausible", LOG_STR("key", key_str(&key)),
                  LOG_CSTR("fix",
                           "somebody wrote to it by hand, or a clock is wrong; it is put right "
                           "by what the users database knows"));
    water->is_bad[which] = held->is_bad;
}

static enum err raise_here(struct high_water *water, const struct high_water_options *options,
                           int which, int64_t known, int64_t here, struct error *error)
{
    const struct mark *mark = &marks[which];

    if (known <= water->raised[which])
        return ERR_OK;
    enum err err = mark->raise(options->users, known, error);
    if (err != ERR_OK)
        return err;
    water->raised[which] = known;
    log_event(LOG_LEVEL_WARN, mark->event, LOG_INT("known_to_redis", known),
              LOG_INT("known_here", here),
              LOG_CSTR("because", "an older users database was put back"));
    return ERR_OK;
}

static enum err agree(struct high_water *water, const struct high_water_options *options,
                      struct arena *arena, int which, const struct look *look, struct error *error)
{
    const struct mark *mark = &marks[which];
    struct held held = look->held[which];
    int64_t here;

    enum err err = mark->look(options->users, arena, &here, error);
    if (err != ERR_OK)
        return err;
    /* Put back under a running node: what was raised there before may not be any more. */
    if (here < water->seen[which])
        water->raised[which] = 0;
    water->seen[which] = here;
    if (held.known > here)
        bound(which, &held, here, look->now_s);
    warn_bad(water, which, &held);
    int64_t told = to_tell(which, held.known, here, look->now_s);
    if (held.known > here) {
        err = raise_here(water, options, which, held.known, here, error);
        told = held.known;
    }
    bool is_to_be_told = told > 0 && (held.is_bad || told > held.known);
    return err == ERR_OK && is_to_be_told ? tell(options, arena, mark, told, error) : err;
}

/* Redis first: of two looks the database's is the later one, so it is behind only when it was put back. */
enum err high_water_agree(struct high_water *water, const struct high_water_options *options,
                          struct error *error)
{
    struct arena *arena = arena_new(ARENA_FIRST, 0);
    struct look look = {0};
    enum err result = ERR_OK;

    enum err err = arena ? ask(options, arena, &look, error) : ERR_NO_MEMORY;
    for (int which = 0; err == ERR_OK && which < HIGH_WATER_MARKS; which++) {
        enum err of_mark = look.errs[which];
        if (of_mark != ERR_OK)
            (void)error_set_detail(error, of_mark, "redis does not tell what would say %s",
                                   marks[which].event);
        else
            of_mark = agree(water, options, arena, which, &look, error);
        if (of_mark != ERR_OK)
            result = of_mark;
    }
    arena_free(&arena);
    return err != ERR_OK ? err : result;
}
