#include "identity/revocation_reader.h"

#include "cachewarden/clock.h"
#include "cachewarden/log.h"
#include "cachewarden/pipeline.h"
#include "keyspace.h"
#include "services.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    NEWS_LIMIT = 1000, /* read at once; when there are so many, more is asked for at once */
    PAGE_SIZE = 2000,  /* of the sorted set: about a millisecond for Redis */
};

/* Before all events: the stream was empty. */
#define NO_EVENT "0-0"

/* ---- which data it is ---- */

/* All is to be read again. */
static void begin_again(struct revocation_reader *reader)
{
    reader->is_whole = reader->has_place = reader->is_suspicious = false;
    reader->page_from = 0;
}

static bool is_same(const struct revocation_reader *reader, const struct dataset *dataset,
                    uint64_t origin)
{
    return reader->data == REVOCATION_DATA_OURS && reader->term == dataset->term &&
           reader->origin == origin &&
           memcmp(reader->dataset, dataset->id.ptr, DATASET_ID_SIZE) == 0;
}

/* Whether something may be learnt from the answer. A new term, or another Redis behind the same data, may
 * have lost some of it. */
static bool is_ours(struct revocation_reader *reader, const struct pipeline *pipeline)
{
    uint64_t origin = pipeline_origin(pipeline);
    struct dataset dataset;

    dataset_take(pipeline_value(pipeline, 0), &dataset);
    bool is_ours = dataset.is_whole && version_guard_is_install(reader->guard, dataset.install);
    if (!is_ours || !is_same(reader, &dataset, origin))
        begin_again(reader);
    if (!is_ours) {
        reader->data = dataset.is_whole ? REVOCATION_DATA_FOREIGN : REVOCATION_DATA_NONE;
        return false;
    }
    reader->data = REVOCATION_DATA_OURS;
    reader->term = dataset.term;
    reader->origin = origin;
    memcpy(reader->dataset, dataset.id.ptr, DATASET_ID_SIZE);
    return true;
}

/* ---- members and events ---- */

/* The number of seconds in a score or an expiry; a score of many digits comes as "1.7e+20". */
static bool read_expiry(const struct value *value, int64_t *expires_at_s)
{
    return value->kind == VALUE_STRING && str_to_int64(value->text, 0, INT64_MAX, expires_at_s);
}

/* A revocation somebody else wrote badly is said in the log, and does not stop the others. */
static enum err learn(struct revocation_reader *reader, const struct value *member,
                      const struct value *expiry, size_t *unreadable, struct error *error)
{
    struct revocation revocation;
    int64_t expires_at_s;

    if (member->kind != VALUE_STRING || !read_expiry(expiry, &expires_at_s) ||
        !revocation_read(member->text, expires_at_s, &revocation)) {
        log_event(LOG_LEVEL_WARN, "revocations.unreadable", LOG_STR("member", member->text));
        ++*unreadable;
        return ERR_OK;
    }
    if (revocations_add(reader->list, &revocation, true) != ERR_OK)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for a revocation");
    return ERR_OK;
}

/* [id, ["revoked", member, "expires", seconds]]; what else may be in there is nobody's. */
static enum err learn_event(struct revocation_reader *reader, const struct value *event,
                            struct error *error)
{
    const struct value *fields = &event->items[1];
    size_t unreadable = 0;

    if (fields->kind == VALUE_ARRAY && fields->count == 4 &&
        str_eq(fields->items[0].text, STR("revoked")) &&
        str_eq(fields->items[2].text, STR("expires")))
        return learn(reader, &fields->items[1], &fields->items[3], &unreadable, error);
    return ERR_OK;
}

static enum err check_events(const struct revocation_reader *reader, const struct value *events,
                             struct error *error)
{
    for (size_t i = 0; i < events->count; i++) {
        const struct value *event = &events->items[i];
        if (event->kind != VALUE_ARRAY || event->count != 2 ||
            event->items[0].kind != VALUE_STRING ||
            event->items[0].text.len >= sizeof reader->place)
            return refuse_reply(error, "cw:events has an entry of another shape");
    }
    return ERR_OK;
}

static void set_place(struct revocation_reader *reader, struct str id)
{
    memcpy(reader->place, id.ptr, id.len);
    reader->place[id.len] = '\0';
}

/* From here on all is read: the end of the stream first, then the set. */
static void take_place(struct revocation_reader *reader, const struct value *last)
{
    revocations_doubt(reader->list);
    reader->has_place = true;
    reader->has_failed = false;
    reader->unreadable = 0;
    set_place(reader, last->count > 0 ? last->items[0].items[0].text : STR(NO_EVENT));
}

/* Where the stream was empty, nothing in it can tell. */
static bool is_gapless(const struct revocation_reader *reader, const struct value *news)
{
    if (strcmp(reader->place, NO_EVENT) == 0)
        return news->count == 0;
    return news->count > 0 && str_eq(news->items[0].items[0].text, str_from(reader->place));
}

/* They are learnt also where something is missing before them. Where nothing is, the first is known. */
static enum err learn_news(struct revocation_reader *reader, const struct value *news,
                           struct error *error)
{
    bool is_whole = is_gapless(reader, news);
    enum err err = ERR_OK;

    if (!is_whole)
        begin_again(reader);
    for (size_t i = is_whole ? 1 : 0; i < news->count && err == ERR_OK; i++)
        err = learn_event(reader, &news->items[i], error);
    if (err == ERR_OK && news->count > 0)
        set_place(reader, news->items[news->count - 1].items[0].text);
    return err;
}

/* ---- counts ---- */

static bool has_missed(const struct revocation_reader *reader)
{
    return reader->held > revocations_count(reader->list) + reader->unreadable;
}

/* `saved`: what was in Redis before it was asked, as far as this node knew; of that some may have expired, so
 * before it is believed it is looked at again without. Both sides count the same: members that have not
 * expired at one moment. */
static void compare_counts(struct revocation_reader *reader, size_t saved)
{
    bool is_less = reader->held < saved;

    if (has_missed(reader) || (is_less && reader->is_suspicious))
        begin_again(reader);
    else
        reader->is_suspicious = is_less;
}

/* ---- pages ---- */

/*
 * The highest expiries first: what others remove meanwhile, because it has expired, is at the other end and
 * moves nothing; what they add moves the rest on, so that some is read twice.
 */
static enum err learn_page(struct revocation_reader *reader, const struct value *page,
                           struct error *error)
{
    enum err err = ERR_OK;

    if (page->count % 2 != 0)
        return refuse_reply(error, "cw:revoked answered a member without a score");
    for (size_t i = 0; i < page->count && err == ERR_OK; i += 2)
        err = learn(reader, &page->items[i], &page->items[i + 1], &reader->unreadable, error);
    reader->page_from += PAGE_SIZE;
    reader->is_whole = err == ERR_OK && page->count < (size_t)PAGE_SIZE * 2;
    return err;
}

/* ---- the round trip ---- */

enum { DATASET, EVENTS, HELD, PAGE };

static void add_events(struct revocation_reader *reader, struct pipeline *pipeline,
                       struct str limit)
{
    struct key key = key_events();

    if (reader->has_place)
        PIPELINE_ADD(pipeline, EXPECT_ARRAY, STR("XRANGE"), key_str(&key), str_from(reader->place),
                     STR("+"), STR("COUNT"), limit);
    else
        PIPELINE_ADD(pipeline, EXPECT_ARRAY, STR("XREVRANGE"), key_str(&key), STR("+"), STR("-"),
                     STR("COUNT"), STR("1"));
}

static enum err ask(struct revocation_reader *reader, struct pipeline *pipeline, int64_t now_s,
                    struct error *error)
{
    struct key key = key_revoked();
    struct str limit = str_format(reader->arena, "%d", NEWS_LIMIT);
    struct str now = str_format(reader->arena, "(%" PRId64, now_s);
    struct str first = str_format(reader->arena, "%zu", reader->page_from);
    struct str last = str_format(reader->arena, "%zu", reader->page_from + PAGE_SIZE - 1);

    if (!TEXTS_MADE(limit, now, first, last))
        return ERR_NO_MEMORY;
    dataset_ask(pipeline);
    add_events(reader, pipeline, limit);
    PIPELINE_ADD(pipeline, EXPECT_INTEGER, STR("ZCOUNT"), key_str(&key), now, STR("+inf"));
    if (!reader->is_whole)
        PIPELINE_ADD(pipeline, EXPECT_ARRAY, STR("ZREVRANGE"), key_str(&key), first, last,
                     STR("WITHSCORES"));
    enum err err =
        pipeline_run(reader->control, pipeline, clock_deadline_ns(reader->budget_ms), error);
    return err == ERR_OK ? check_events(reader, pipeline_value(pipeline, EVENTS), error) : err;
}

/* What is whole stays so, or is found not to be. */
static void check_whole(struct revocation_reader *reader, size_t saved)
{
    if (reader->has_failed)
        begin_again(reader);
    else
        compare_counts(reader, saved);
}

/* The set was asked for behind the stream, so the first page comes with the place. `saved`: see
 * compare_counts. */
static enum err learn_from(struct revocation_reader *reader, const struct pipeline *pipeline,
                           bool asked_for_end, size_t saved, struct error *error)
{
    const struct value *events = pipeline_value(pipeline, EVENTS);
    bool has_more_news = !asked_for_end && events->count == NEWS_LIMIT;
    bool was_whole = reader->is_whole;
    enum err err = ERR_OK;

    if (asked_for_end)
        take_place(reader, events);
    else
        err = learn_news(reader, events, error);
    if (err == ERR_OK && was_whole && reader->is_whole && !has_more_news)
        check_whole(reader, saved);
    else if (err == ERR_OK && !was_whole && reader->has_place)
        err = learn_page(reader, pipeline_value(pipeline, PAGE), error);
    reader->has_more = has_more_news || !reader->is_whole || reader->is_suspicious;
    return err;
}

/* Of another type, a key takes no revocation: every look and every logout would fail for good. What it should
 * hold is put back, or comes anew. */
static enum err remove_foreign_key(struct revocation_reader *reader, const struct pipeline *asked,
                                   enum err err, struct error *error)
{
    bool is_stream = value_fault(pipeline_value(asked, EVENTS)) == REDIS_FAULT_WRONGTYPE;
    bool is_set = value_fault(pipeline_value(asked, HELD)) == REDIS_FAULT_WRONGTYPE;
    struct key key = is_stream ? key_events() : key_revoked();
    struct pipeline *pipeline = pipeline_new(reader->arena, PIPELINE_WRITE_REPAIR);
    uint64_t origin;

    if (!(is_stream || is_set) || !is_ours(reader, asked) ||
        !version_guard_may_write(reader->guard, &origin))
        return err;
    error_clear(error);
    begin_again(reader);
    reader->has_more = true;
    pipeline_require(pipeline, origin);
    PIPELINE_ADD(pipeline, EXPECT_INTEGER, STR("DEL"), key_str(&key));
    err = pipeline_run(reader->control, pipeline, clock_deadline_ns(reader->budget_ms), error);
    if (err == ERR_OK)
        log_event(LOG_LEVEL_WARN, "revocations.key_removed", LOG_STR("key", key_str(&key)),
                  LOG_CSTR("because", "somebody wrote a value of another type to it"));
    return err;
}

static enum err look(struct revocation_reader *reader, struct error *error)
{
    struct pipeline *pipeline = pipeline_new(reader->arena, PIPELINE_READ);
    int64_t now_s = clock_wall_s();
    bool asks_for_end = !reader->has_place;

    if (reader->is_suspicious)
        revocations_expire(reader->list, now_s);
    size_t saved = revocations_saved_count(reader->list);
    enum err err = ask(reader, pipeline, now_s, error);
    if (err == ERR_UPSTREAM_REFUSED)
        return remove_foreign_key(reader, pipeline, err, error);
    if (err != ERR_OK)
        return err;
    int64_t held = pipeline_value(pipeline, HELD)->integer;
    reader->held = held > 0 ? (size_t)held : 0;
    return is_ours(reader, pipeline) ? learn_from(reader, pipeline, asks_for_end, saved, error)
                                     : ERR_OK;
}

enum err revocation_reader_look(struct revocation_reader *reader, struct error *error)
{
    arena_reset(reader->arena);
    reader->has_more = false;
    enum err err = look(reader, error);
    if (err != ERR_OK && reader->is_whole)
        reader->has_failed = true;
    return err;
}
