#include "gateway/mark.h"

#include "cachewarden/clock.h"
#include "cachewarden/redis.h"
#include "entries/service.h"
#include "gateway/store_private.h"

/* How long a dead node is waited for; how often a live one says that it lives; how long it is known that others were
 * waiting for what is not for them: longer than any of them rests between two looks. */
enum { LIFE_MS = 5000, RENEW_MS = 1000, UNSHARED_MS = 3000 };

#define UNDER_WAY STR("1")
#define UNSHARED  STR("0")
#define FAILED    STR("2")

static struct key key_of_mark(const struct mark *mark)
{
    return key_fetch(&mark->space, mark->begun.bytes);
}

static enum err run(const struct mark *mark, struct pipeline *pipeline, struct work work)
{
    return redis_run(entries_redis(mark->store->app->entries), pipeline, work);
}

/* ---- taking it ---- */

enum { REPLY_SET, REPLY_MARK, REPLY_ENTRY };

/*
 * Whether something lies there that the look did not see: its holder stored it and ended the mark in between. Or it was
 * dropped: what is fetched for this look could not be stored.
 */
static bool has_changed(const struct mark *mark, const struct gateway_look *look,
                        const struct value *now)
{
    struct stored_record found;
    struct record record;
    struct error error;

    if (store_record_take(now, &error, &found) != ERR_OK)
        return false;
    if (gateway_digest_eq(&mark->entry, &look->path) &&
        memcmp(found.drop, look->drop, sizeof found.drop) != 0)
        return true;
    if (!record_decode(found.start, &record) || !gateway_digest_eq(&record.digest, &mark->entry) ||
        memcmp(record.drop, look->drop, sizeof record.drop) != 0)
        return false;
    return record.kind == RECORD_RESPONSE
               ? memcmp(record.id, look->seen, sizeof record.id) != 0
               : memcmp(record.stamp, look->stamp, sizeof record.stamp) != 0;
}

static enum mark_turn judge(const struct mark *mark, const struct gateway_look *look,
                            const struct pipeline *pipeline)
{
    const struct value *said = pipeline_value(pipeline, REPLY_MARK);

    if (pipeline_value(pipeline, REPLY_SET)->kind == VALUE_STATUS)
        return has_changed(mark, look, pipeline_value(pipeline, REPLY_ENTRY)) ? MARK_CHANGED
                                                                              : MARK_OURS;
    if (said->kind != VALUE_STRING)
        return MARK_NONE;
    if (str_eq(said->text, UNDER_WAY))
        return MARK_ELSEWHERE;
    if (str_eq(said->text, UNSHARED))
        return MARK_ALONE;
    return str_eq(said->text, FAILED) ? MARK_BESIDE : MARK_NONE;
}

enum mark_turn mark_take(struct mark *mark, struct gateway_store *store,
                         const struct gateway_key *key, const struct gateway_look *look,
                         struct work work)
{
    struct pipeline *pipeline = pipeline_new(work.arena, PIPELINE_WRITE);
    struct entries *entries = store->app->entries;

    *mark = (struct mark){.store = store, .space = gateway_key_space(key), .entry = look->entry};
    if (gateway_look_begun(look, &mark->begun) != ERR_OK)
        return MARK_NONE;
    struct key name = key_of_mark(mark);
    if (!entries_has_room(entries, name.len, work.deadline_ns))
        return MARK_NONE;
    PIPELINE_KEY(pipeline, EXPECT_OK_OR_NIL, STR("SET"), key_str(&name), UNDER_WAY, STR("PX"),
                 STR_INT64(LIFE_MS), STR("NX"));
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("GET"), key_str(&name));
    store_record_ask(pipeline, &mark->space, &mark->entry, STORE_START);
    if (run(mark, pipeline, work) != ERR_OK)
        return MARK_NONE;
    enum mark_turn turn = judge(mark, look, pipeline);
    if (turn != MARK_OURS && turn != MARK_CHANGED)
        return turn;
    (void)entries_take_room(entries, name.len, work.deadline_ns);
    mark->renewed_ns = clock_mono_ns();
    if (turn == MARK_CHANGED)
        mark_end(mark, MARK_LEFT, work);
    return turn;
}

/* ---- holding it ---- */

void mark_renew(struct mark *mark, struct arena *arena, int64_t budget_ms)
{
    struct error error;

    if (mark->renewed_ns == 0 || clock_mono_ns() - mark->renewed_ns < RENEW_MS * NS_PER_MS)
        return;
    error_clear(&error);
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE);
    struct key name = key_of_mark(mark);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("PEXPIRE"), key_str(&name), STR_INT64(LIFE_MS));
    /* A Redis that fails is not asked again and again beside an upstream that is waited for. */
    mark->renewed_ns =
        run(mark, pipeline, (struct work){arena, clock_deadline_ns(budget_ms), &error}) == ERR_OK
            ? clock_mono_ns()
            : 0;
}

void mark_add_end(struct pipeline *pipeline, const struct namespace *space,
                  const struct gateway_digest *begun)
{
    struct key name = key_fetch(space, begun->bytes);

    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("UNLINK"), key_str(&name));
}

void mark_end(struct mark *mark, enum mark_end how, struct work work)
{
    if (mark->renewed_ns == 0 || how == MARK_STORED)
        return;
    struct pipeline *pipeline = pipeline_new(work.arena, PIPELINE_WRITE);
    struct key name = key_of_mark(mark);
    mark->renewed_ns = 0;
    if (how == MARK_LEFT)
        mark_add_end(pipeline, &mark->space, &mark->begun);
    else
        PIPELINE_KEY(pipeline, EXPECT_OK, STR("SET"), key_str(&name),
                     how == MARK_FAILED ? FAILED : UNSHARED, STR("PX"), STR_INT64(UNSHARED_MS));
    /* Else it ends by itself. */
    (void)!run(mark, pipeline, work);
}
