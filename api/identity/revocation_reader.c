#include "identity/revocation_reader.h"

#include "cachewarden/clock.h"
#include "cachewarden/log.h"
#include "cachewarden/pipeline.h"
#include "keyspace.h"
#include "redis_reply.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    NEWS_LIMIT = 1000, /* read at once; when there are so many, more is asked for at once */
    PAGE_SIZE = 2000,  /* of the sorted set: about a millisecond for Redis */
};

/* Before all events: the stream was empty. */
#define NO_EVENT "0-0"

enum { DATASET, EVENTS, HELD, PAGE, REPLIES };

/* What a look brought back. The last reply is only there while a page was asked for. */
struct revocation_replies {
    uint64_t replication_id;
    const struct value *replies[REPLIES];
    bool is_misused
        [REPLIES]; /* the key is of another type; the reply is that of one that is not there */
};

/* ---- which data it is ---- */

/* All is to be read again. */
static void begin_again(struct revocation_reader *reader)
{
    reader->is_whole = reader->is_proven = reader->has_place = reader->is_suspicious = false;
    reader->page_from = 0;
}

static enum revocation_data whose(const struct revocation_reader *reader,
                                  const struct dataset *dataset)
{
    if (!dataset->is_whole)
        return REVOCATION_DATA_NONE;
    return version_guard_is_install(reader->guard, dataset->install) ? REVOCATION_DATA_OURS
                                                                     : REVOCATION_DATA_FOREIGN;
}

static bool is_same(const struct revocation_reader *reader, enum revocation_data data,
                    const struct dataset *dataset, uint64_t replication_id)
{
    bool has_record = data == REVOCATION_DATA_OURS;

    return reader->data == data && reader->replication_id == replication_id &&
           (!has_record || (reader->term == dataset->term &&
                            memcmp(reader->dataset, dataset->id.ptr, DATASET_ID_SIZE) == 0));
}

/* Whether something may be learnt from the answer. A new term, or another Redis behind the same data, may
 * have lost some of it. */
static bool may_learn(struct revocation_reader *reader, const struct revocation_replies *answer)
{
    struct dataset dataset;

    dataset_take(answer->replies[DATASET], &dataset);
    enum revocation_data data = whose(reader, &dataset);
    if (data == REVOCATION_DATA_FOREIGN || !is_same(reader, data, &dataset, answer->replication_id))
        begin_again(reader);
    reader->data = data;
    reader->term = dataset.term;
    reader->replication_id = answer->replication_id;
    if (data == REVOCATION_DATA_OURS)
        memcpy(reader->dataset, dataset.id.ptr, DATASET_ID_SIZE);
    return data != REVOCATION_DATA_FOREIGN;
}

/* ---- members and events ---- */

#define PLACE_SIZE sizeof(((struct revocation_reader *)0)->place)

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

static enum err check_events(const struct value *events, struct error *error)
{
    for (size_t i = 0; i < events->count; i++) {
        const struct value *event = &events->items[i];
        if (event->kind != VALUE_ARRAY || event->count != 2 ||
            event->items[0].kind != VALUE_STRING || event->items[0].text.len >= PLACE_SIZE)
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

    if (has_missed(reader) || (is_less && reader->is_suspicious)) {
        begin_again(reader);
    } else {
        reader->is_suspicious = is_less;
        reader->is_proven = !is_less;
    }
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
    size_t unreadable = 0;

    if (page->count % 2 != 0)
        return refuse_reply(error, "cw:revoked answered a member without a score");
    for (size_t i = 0; i < page->count && err == ERR_OK; i += 2)
        err = learn(reader, &page->items[i], &page->items[i + 1], &unreadable, error);
    if (err != ERR_OK)
        return err;
    reader->unreadable += unreadable;
    reader->page_from += PAGE_SIZE;
    reader->is_whole = page->count < (size_t)PAGE_SIZE * 2;
    return ERR_OK;
}

/* ---- the round trip ---- */

static void add_events(struct revocation_reader *reader, struct pipeline *pipeline,
                       struct str limit)
{
    struct key key = key_events();

    if (reader->has_place)
        PIPELINE_KEY(pipeline, EXPECT_ARRAY, STR("XRANGE"), key_str(&key), str_from(reader->place),
                     STR("+"), STR("COUNT"), limit);
    else
        PIPELINE_KEY(pipeline, EXPECT_ARRAY, STR("XREVRANGE"), key_str(&key), STR("+"), STR("-"),
                     STR("COUNT"), STR("1"));
}

/* Of a key of another type nothing can be learnt, and it keeps nobody from learning what others hold. */
static enum err take_replies(const struct pipeline *pipeline, enum err err,
                             struct revocation_replies *answer, struct error *error)
{
    static const struct value absent[REPLIES] = {[DATASET] = {.kind = VALUE_ARRAY},
                                                 [EVENTS] = {.kind = VALUE_ARRAY},
                                                 [HELD] = {.kind = VALUE_INTEGER},
                                                 [PAGE] = {.kind = VALUE_ARRAY}};

    answer->replication_id = pipeline_replication_id(pipeline);
    for (size_t i = 0; i < REPLIES; i++)
        answer->replies[i] = &absent[i];
    for (size_t i = 0; i < pipeline_count(pipeline); i++) {
        const struct value *reply = pipeline_value(pipeline, i);
        answer->is_misused[i] = value_fault(reply) == REDIS_FAULT_WRONGTYPE;
        if (!answer->is_misused[i] && reply->kind != absent[i].kind)
            return err;
        if (!answer->is_misused[i])
            answer->replies[i] = reply;
    }
    error_clear(error);
    return check_events(answer->replies[EVENTS], error);
}

static enum err ask(struct revocation_reader *reader, int64_t now_s,
                    struct revocation_replies *answer_out, struct error *error)
{
    struct pipeline *pipeline = pipeline_new(reader->arena, PIPELINE_READ);
    struct key key = key_revoked();
    struct str limit = str_format(reader->arena, "%d", NEWS_LIMIT);
    struct str now = str_format(reader->arena, "(%" PRId64, now_s);
    struct str first = str_format(reader->arena, "%zu", reader->page_from);
    struct str last = str_format(reader->arena, "%zu", reader->page_from + PAGE_SIZE - 1);

    *answer_out = (struct revocation_replies){0};
    if (!TEXTS_MADE(limit, now, first, last))
        return ERR_NO_MEMORY;
    dataset_ask(pipeline);
    add_events(reader, pipeline, limit);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("ZCOUNT"), key_str(&key), now, STR("+inf"));
    if (!reader->is_whole)
        PIPELINE_KEY(pipeline, EXPECT_ARRAY, STR("ZREVRANGE"), key_str(&key), first, last,
                     STR("WITHSCORES"));
    enum err err = redis_run(
        reader->control, pipeline,
        (struct work){.deadline_ns = clock_deadline_ns(reader->budget_ms), .error = error});
    if (err != ERR_OK && err != ERR_UPSTREAM_REFUSED)
        return err;
    return take_replies(pipeline, err, answer_out, error);
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
static enum err learn_from(struct revocation_reader *reader,
                           const struct revocation_replies *answer, bool asked_for_end,
                           size_t saved, struct error *error)
{
    const struct value *events = answer->replies[EVENTS];
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
        err = learn_page(reader, answer->replies[PAGE], error);
    reader->has_more = has_more_news || !reader->is_proven;
    return err;
}

static enum err look(struct revocation_reader *reader, struct revocation_replies *answer_out,
                     struct error *error)
{
    int64_t now_s = clock_wall_s();
    bool asks_for_end = !reader->has_place;

    if (reader->is_suspicious)
        revocations_expire(reader->list, now_s);
    size_t saved = revocations_saved_count(reader->list);
    enum err err = ask(reader, now_s, answer_out, error);
    reader->has_answer = err == ERR_OK;
    if (err != ERR_OK)
        return err;
    int64_t held = answer_out->replies[HELD]->integer;
    reader->held = held > 0 ? (size_t)held : 0;
    return may_learn(reader, answer_out)
               ? learn_from(reader, answer_out, asks_for_end, saved, error)
               : ERR_OK;
}

/* Of another type, a key takes no revocation: every logout would fail for good. What it should hold is put
 * back, or comes anew. */
static enum err remove_misused(struct revocation_reader *reader,
                               const struct revocation_replies *answer, struct error *error)
{
    struct key key = answer->is_misused[EVENTS] ? key_events() : key_revoked();
    uint64_t replication_id;

    if (!(answer->is_misused[EVENTS] || answer->is_misused[HELD]) ||
        !revocation_reader_may_write(reader, &replication_id))
        return ERR_OK;
    struct pipeline *pipeline = pipeline_new(reader->arena, PIPELINE_WRITE_REPAIR);
    pipeline_require(pipeline, replication_id);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("DEL"), key_str(&key));
    enum err err = redis_run(
        reader->control, pipeline,
        (struct work){.deadline_ns = clock_deadline_ns(reader->budget_ms), .error = error});
    if (err != ERR_OK)
        return err;
    begin_again(reader);
    reader->has_more = true;
    log_event(LOG_LEVEL_WARN, "revocations.key_removed", LOG_STR("key", key_str(&key)),
              LOG_CSTR("because", "somebody wrote a value of another type to it"));
    return ERR_OK;
}

bool revocation_reader_may_write(const struct revocation_reader *reader,
                                 uint64_t *replication_id_out)
{
    return reader->data == REVOCATION_DATA_OURS && reader->is_whole &&
           version_guard_may_write(reader->guard, replication_id_out);
}

enum err revocation_reader_look(struct revocation_reader *reader, struct error *error)
{
    struct revocation_replies answer;

    arena_reset(reader->arena);
    reader->has_more = false;
    enum err err = look(reader, &answer, error);
    if (err != ERR_OK && reader->is_whole)
        reader->has_failed = true;
    return err == ERR_OK ? remove_misused(reader, &answer, error) : err;
}
