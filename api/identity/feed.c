#include "identity/feed.h"

#include "cachewarden/clock.h"
#include "cachewarden/lock.h"
#include "cachewarden/log.h"
#include "cachewarden/pipeline.h"
#include "cachewarden/thread.h"
#include "identity/high_water.h"
#include "identity/revoke.h"
#include "keyspace.h"
#include "services.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    POLL_MS = 250,        /* with a round trip well within the second that is promised */
    NEWS_LIMIT = 1000,    /* read at once; when there are so many, more is asked for at once */
    PAGE_SIZE = 1000,     /* of the sorted set */
    PUT_BACK_LIMIT = 200, /* written at once */
    ROUNDS_A_LOOK = 4,    /* at the users database, which has no news for hours */
    CLEAN_S = 10,         /* between two looks for what has expired */
    EVENT_ID_SIZE = 48,   /* "<ms>-<number>", 41 characters at most */
    ARENA_BLOCK = 64 * 1024,
};

/* Before all events: the stream was empty. */
#define NO_EVENT "0-0"

struct feed {
    struct feed_options options; /* set at open */
    pthread_t thread;
    bool has_thread;
    _Atomic bool has_tried; /* changed under the lock */

    /* The thread's own. */
    struct arena *arena; /* of one round trip */
    bool is_complete;    /* all that Redis holds has been read, and news from there on */
    bool is_lost;        /* said in the log that Redis is out of reach */
    char last_event[EVENT_ID_SIZE];
    char dataset[VERSION_GUARD_ID_SIZE]; /* which control data that was */
    struct version_guard_basis basis;    /* and of which term, where */
    int64_t held_until_s;                /* held counts what has not expired then */
    size_t held;                         /* by Redis, when it was asked last */
    size_t unreadable;                   /* of those, when all were read last */
    bool is_fresh;                       /* all were read, and not counted yet */
    int64_t cleaned_at_s;
    struct high_water water;
    unsigned rounds;

    struct lock lock;
    struct lock_cond changed;
    /* guarded by lock */
    bool is_stopping;
};

/* ---- reading replies ---- */

/* The number of seconds in a score or an expiry; a score of many digits comes as "1.7e+20". */
static bool read_expiry(const struct value *value, int64_t *expires_at_s)
{
    return value->kind == VALUE_STRING && str_to_int64(value->text, 0, INT64_MAX, expires_at_s);
}

/* A revocation somebody else wrote badly is said in the log, and does not stop the others. */
static enum err learn(struct feed *feed, const struct value *member, const struct value *expiry,
                      struct error *error)
{
    struct revocation revocation;
    int64_t expires_at_s;

    if (member->kind != VALUE_STRING || !read_expiry(expiry, &expires_at_s) ||
        !revocation_read(member->text, expires_at_s, &revocation)) {
        log_event(LOG_LEVEL_WARN, "revocations.unreadable", LOG_STR("member", member->text));
        return ERR_OK;
    }
    if (revocations_add(feed->options.revocations, &revocation, true) != ERR_OK)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for a revocation");
    return ERR_OK;
}

static enum err set_last_event(struct feed *feed, const struct value *id, struct error *error)
{
    if (id->kind != VALUE_STRING || id->text.len >= sizeof feed->last_event)
        return refuse_reply(error, "cw:events has an entry without an id");
    memcpy(feed->last_event, id->text.ptr, id->text.len);
    feed->last_event[id->text.len] = '\0';
    return ERR_OK;
}

/* [id, ["revoked", member, "expires", seconds]] */
static enum err learn_event(struct feed *feed, const struct value *event, struct error *error)
{
    if (event->kind != VALUE_ARRAY || event->count != 2)
        return refuse_reply(error, "cw:events has an entry of another shape");
    enum err err = set_last_event(feed, &event->items[0], error);
    const struct value *fields = &event->items[1];
    if (err == ERR_OK && fields->kind == VALUE_ARRAY && fields->count == 4 &&
        str_eq(fields->items[0].text, STR("revoked")) &&
        str_eq(fields->items[2].text, STR("expires")))
        err = learn(feed, &fields->items[1], &fields->items[3], error);
    return err;
}

/* ---- round trips ---- */

static int64_t deadline_ns(const struct feed *feed)
{
    return clock_deadline_ns(feed->options.budget_ms);
}

static enum err run(struct feed *feed, struct pipeline *pipeline, struct error *error)
{
    return pipeline_run(feed->options.control, pipeline, deadline_ns(feed), error);
}

/* Of another type, it takes no revocation: every look and every logout would fail for good. What it should
 * hold is put back, or comes anew. */
static enum err remove_if_foreign(struct feed *feed, const struct pipeline *asked,
                                  const struct key *key, enum err err, struct error *error)
{
    struct pipeline *pipeline = pipeline_new(feed->arena, PIPELINE_WRITE);

    if (err != ERR_UPSTREAM_REFUSED ||
        value_fault(pipeline_value(asked, 0)) != REDIS_FAULT_WRONGTYPE)
        return err;
    error_clear(error);
    PIPELINE_ADD(pipeline, EXPECT_INTEGER, STR("DEL"), key_str(key));
    err = run(feed, pipeline, error);
    if (err == ERR_OK)
        log_event(LOG_LEVEL_WARN, "revocations.key_removed", LOG_STR("key", key_str(key)),
                  LOG_CSTR("because", "somebody wrote a value of another type to it"));
    return err;
}

/* The highest expiries first: what others remove meanwhile, because it has expired, is at the other
 * end and moves nothing; what they add comes as an event, too. */
static enum err load_page(struct feed *feed, size_t from, bool *is_last_out, struct error *error)
{
    struct key key = key_revoked();
    struct pipeline *pipeline = pipeline_new(feed->arena, PIPELINE_READ);
    struct str first = str_format(feed->arena, "%zu", from);
    struct str last = str_format(feed->arena, "%zu", from + PAGE_SIZE - 1);

    if (!TEXTS_MADE(first, last))
        return ERR_NO_MEMORY;
    PIPELINE_ADD(pipeline, EXPECT_ARRAY, STR("ZREVRANGE"), key_str(&key), first, last,
                 STR("WITHSCORES"));
    enum err err = remove_if_foreign(feed, pipeline, &key, run(feed, pipeline, error), error);
    if (err != ERR_OK)
        return err;
    const struct value *page = pipeline_value(pipeline, 0);
    if (page->count % 2 != 0)
        return refuse_reply(error, "cw:revoked answered a member without a score");
    for (size_t i = 0; i < page->count && err == ERR_OK; i += 2)
        err = learn(feed, &page->items[i], &page->items[i + 1], error);
    *is_last_out = page->count < (size_t)PAGE_SIZE * 2;
    return err;
}

/* The place in the stream first, then the set: see revoke_add. */
static enum err find_end_of_events(struct feed *feed, struct error *error)
{
    struct key key = key_events();
    struct pipeline *pipeline = pipeline_new(feed->arena, PIPELINE_READ);

    PIPELINE_ADD(pipeline, EXPECT_ARRAY, STR("XREVRANGE"), key_str(&key), STR("+"), STR("-"),
                 STR("COUNT"), STR("1"));
    enum err err = remove_if_foreign(feed, pipeline, &key, run(feed, pipeline, error), error);
    if (err != ERR_OK)
        return err;
    const struct value *events = pipeline_value(pipeline, 0);
    snprintf(feed->last_event, sizeof feed->last_event, NO_EVENT);
    if (events->count == 0)
        return ERR_OK;
    if (events->items[0].kind != VALUE_ARRAY || events->items[0].count != 2)
        return refuse_reply(error, "cw:events has an entry of another shape");
    return set_last_event(feed, &events->items[0].items[0], error);
}

static enum err load_all(struct feed *feed, struct error *error)
{
    bool is_last = false;

    revocations_doubt(feed->options.revocations);
    enum err err = find_end_of_events(feed, error);
    for (size_t from = 0; err == ERR_OK && !is_last; from += PAGE_SIZE) {
        arena_reset(feed->arena);
        err = load_page(feed, from, &is_last, error);
    }
    feed->is_fresh = true;
    return err;
}

/* Whether the control data is what it was, and news may be read. Of one that is gone the news are gone,
 * too, and revocations are put back even while nobody can repair it. A new term, or another Redis behind
 * the same data, may have lost some of it. */
static bool is_same_data(struct feed *feed)
{
    char id[VERSION_GUARD_ID_SIZE];
    const struct version_guard_basis basis = version_guard_basis(feed->options.guard);
    bool is_same = version_guard_dataset(feed->options.guard, id) &&
                   memcmp(feed->dataset, id, sizeof id) == 0 && basis.term == feed->basis.term &&
                   basis.origin == feed->basis.origin;

    memcpy(feed->dataset, id, sizeof id);
    feed->basis = basis;
    return is_same;
}

/* The last event that was read comes first, or something between it and the next one may be gone: the
 * stream is trimmed. Where the stream was empty then, nothing in it can tell. */
static bool is_gapless(const struct feed *feed, const struct value *news)
{
    if (strcmp(feed->last_event, NO_EVENT) == 0)
        return news->count == 0;
    return news->count > 0 && news->items[0].kind == VALUE_ARRAY && news->items[0].count == 2 &&
           str_eq(news->items[0].items[0].text, str_from(feed->last_event));
}

/* News and a count in one round trip. *has_more_out: there may be more of them. What came is learnt also
 * where something is missing before it. */
static enum err read_news(struct feed *feed, bool *has_more_out, struct error *error)
{
    struct key events = key_events(), revoked = key_revoked();
    struct pipeline *pipeline = pipeline_new(feed->arena, PIPELINE_READ);
    struct str from = str_from(feed->last_event);
    struct str limit = str_format(feed->arena, "%d", NEWS_LIMIT);

    feed->held_until_s = clock_wall_s();
    struct str now = str_format(feed->arena, "(%" PRId64, feed->held_until_s);
    *has_more_out = false;
    if (!TEXTS_MADE(limit, now))
        return ERR_NO_MEMORY;
    PIPELINE_ADD(pipeline, EXPECT_ARRAY, STR("XRANGE"), key_str(&events), from, STR("+"),
                 STR("COUNT"), limit);
    PIPELINE_ADD(pipeline, EXPECT_INTEGER, STR("ZCOUNT"), key_str(&revoked), now, STR("+inf"));
    enum err err = run(feed, pipeline, error);
    if (err != ERR_OK)
        return err;
    const struct value *news = pipeline_value(pipeline, 0), *held = pipeline_value(pipeline, 1);
    feed->held = held->integer > 0 ? (size_t)held->integer : 0;
    if (!is_gapless(feed, news))
        feed->is_complete = false;
    for (size_t i = 0; i < news->count && err == ERR_OK; i++)
        err = learn_event(feed, &news->items[i], error);
    *has_more_out = news->count == NEWS_LIMIT || !feed->is_complete;
    return err;
}

/* Members that this node does not have right after it has read all of them are such as nobody can read. */
static bool has_missed(struct feed *feed)
{
    size_t known = revocations_count(feed->options.revocations);

    if (feed->is_fresh)
        feed->unreadable = feed->held > known ? feed->held - known : 0;
    feed->is_fresh = false;
    return feed->held > known + feed->unreadable;
}

/*
 * Something may be gone between two looks, or never have come as an event, although the data seems to be
 * what it was. Both sides count the same: members that have not expired at one moment.
 */
static enum err compare_counts(struct feed *feed, struct error *error)
{
    struct revocations *known = feed->options.revocations;

    if (has_missed(feed))
        return load_all(feed, error);
    if (feed->held >= revocations_saved_count(known))
        return ERR_OK;
    revocations_expire(known, feed->held_until_s);
    return feed->held >= revocations_saved_count(known) ? ERR_OK : load_all(feed, error);
}

/* Also to the stream: the others may have missed it. */
static enum err put_back(struct feed *feed, struct error *error)
{
    struct revocation *list;
    size_t count;

    for (;;) {
        arena_reset(feed->arena);
        enum err err = revocations_unsaved(feed->options.revocations, feed->arena, PUT_BACK_LIMIT,
                                           &list, &count);
        if (err != ERR_OK || count == 0)
            return err;
        struct pipeline *pipeline = pipeline_new(feed->arena, PIPELINE_WRITE);
        for (size_t i = 0; i < count && err == ERR_OK; i++)
            err = revoke_add(pipeline, feed->arena, &list[i]);
        if (err == ERR_OK)
            err = run(feed, pipeline, error);
        if (err != ERR_OK)
            return err;
        revocations_saved(feed->options.revocations, list, count);
        log_event(LOG_LEVEL_INFO, "revocations.put_back", LOG_INT("count", count));
    }
}

/* Neither the list nor Redis keeps what has expired. What Redis does not drop now it drops later. */
static void clean_up(struct feed *feed)
{
    int64_t now_s = clock_wall_s();
    struct key key = key_revoked();

    if (now_s - feed->cleaned_at_s < CLEAN_S && now_s >= feed->cleaned_at_s)
        return;
    feed->cleaned_at_s = now_s;
    revocations_expire(feed->options.revocations, now_s);
    arena_reset(feed->arena);
    struct pipeline *pipeline = pipeline_new(feed->arena, PIPELINE_WRITE);
    struct str until = str_format(feed->arena, "%" PRId64, now_s);
    if (!until.ptr)
        return;
    PIPELINE_ADD(pipeline, EXPECT_INTEGER, STR("ZREMRANGEBYSCORE"), key_str(&key), STR("-inf"),
                 until);
    if (run(feed, pipeline, NULL) != ERR_OK)
        feed->cleaned_at_s = 0;
}

/* ---- the thread ---- */

static enum err catch_up(struct feed *feed, struct error *error)
{
    bool has_more = true;
    enum err err = ERR_OK;

    if (!is_same_data(feed))
        feed->is_complete = false;
    while (has_more && err == ERR_OK) {
        arena_reset(feed->arena);
        if (feed->is_complete) {
            err = read_news(feed, &has_more, error);
        } else {
            err = load_all(feed, error);
            feed->is_complete = err == ERR_OK;
        }
    }
    /* An outage may hide another Redis, or one that lost its last seconds. */
    if (err != ERR_OK)
        feed->is_complete = false;
    return err;
}

/* Once when it is lost, once when it is back: four lines a second would be no news. */
static void tell(struct feed *feed, enum err err, const struct error *error)
{
    bool is_lost = err != ERR_OK;

    if (is_lost && !feed->is_lost)
        log_event(LOG_LEVEL_WARN, "revocations.unreachable", LOG_CSTR("error", err_name(err)),
                  LOG_CSTR("detail", error->detail));
    if (!is_lost && feed->is_lost)
        log_event(LOG_LEVEL_INFO, "revocations.reachable",
                  LOG_INT("count", revocations_count(feed->options.revocations)));
    feed->is_lost = is_lost;
}

/*
 * Nothing is learnt from the control data of another users database, and nothing written there.
 * Other failures are told by the operations that need the versions; one of Redis shows again at
 * once. The database may take its time, and its budget is not the requests'.
 */
static enum err reconcile(struct feed *feed, bool *is_agreed_out, struct error *error)
{
    struct version_guard *guard = feed->options.guard;
    enum err err = version_guard_reconcile(guard, VERSION_GUARD_REPAIRS,
                                           clock_deadline_ns(feed->options.budget_ms * 4), error);

    *is_agreed_out = err == ERR_OK;
    if (err != ERR_OK && version_guard_is_foreign(guard, error)) {
        feed->is_complete = false;
        return err;
    }
    error_clear(error);
    return ERR_OK;
}

/* Only with control data that is known to be ours: it may change the users database. Nobody waits for it,
 * the next round tries again. */
static void agree_on_high_water(struct feed *feed)
{
    const struct high_water_options options = {
        .control = feed->options.control,
        .users = feed->options.users,
        .budget_ms = feed->options.budget_ms,
    };
    struct error error = {0};

    if (high_water_agree(&feed->water, &options, &error) != ERR_OK)
        log_event(LOG_LEVEL_DEBUG, "users.high_water_unknown",
                  LOG_CSTR("error", err_name(error.code)), LOG_CSTR("detail", error.detail));
}

/* A Redis that takes no writes still tells the news. */
static void do_round(struct feed *feed, bool *has_more_out)
{
    struct error error = {0};
    bool is_agreed;
    enum err err = reconcile(feed, &is_agreed, &error);

    if (err == ERR_OK)
        err = catch_up(feed, &error);
    bool has_answer = err == ERR_OK;

    if (err == ERR_OK)
        err = compare_counts(feed, &error);
    if (err == ERR_OK)
        err = put_back(feed, &error);
    if (err == ERR_OK && is_agreed && feed->rounds++ % ROUNDS_A_LOOK == 0)
        agree_on_high_water(feed);
    if (has_answer)
        clean_up(feed);
    else
        revocations_expire(feed->options.revocations, clock_wall_s());
    tell(feed, err, &error);
    *has_more_out = version_guard_restore(feed->options.guard, deadline_ns(feed));

    lock_take(&feed->lock);
    atomic_store(&feed->has_tried, true);
    lock_cond_broadcast(&feed->changed);
    lock_give(&feed->lock);
}

/* False: the end. */
static bool rest(struct feed *feed, int64_t rest_ms)
{
    int64_t until_ns = clock_deadline_ns(rest_ms);
    bool in_time = rest_ms > 0;

    lock_take(&feed->lock);
    while (!feed->is_stopping && in_time)
        in_time = lock_cond_wait(&feed->changed, &feed->lock, until_ns);
    bool go_on = !feed->is_stopping;
    lock_give(&feed->lock);
    return go_on;
}

static void *follow(void *arg)
{
    struct feed *feed = arg;
    bool has_more;

    do
        do_round(feed, &has_more);
    while (rest(feed, has_more ? 0 : POLL_MS));
    return NULL;
}

static void destroy(struct feed *feed)
{
    lock_cond_fini(&feed->changed);
    lock_fini(&feed->lock);
    arena_free(&feed->arena);
    free(feed);
}

enum err feed_open(const struct feed_options *options, struct feed **feed_out, struct error *error)
{
    struct feed *feed = calloc(1, sizeof *feed);

    *feed_out = NULL;
    if (!feed)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for the revocations");
    feed->options = *options;
    lock_init(&feed->lock, LOCK_RANK_LEAF, "revocation feed");
    lock_cond_init(&feed->changed);
    feed->arena = arena_new(ARENA_BLOCK, 0);
    if (!feed->arena) {
        destroy(feed);
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for the revocations");
    }
    *feed_out = feed;
    return ERR_OK;
}

enum err feed_start(struct feed *feed, struct error *error)
{
    enum err err = thread_start(&feed->thread, "cw-revocations", 0, follow, feed, error);

    feed->has_thread = err == ERR_OK;
    return err;
}

void feed_close(struct feed **feed)
{
    if (!*feed)
        return;
    lock_take(&(*feed)->lock);
    (*feed)->is_stopping = true;
    lock_cond_broadcast(&(*feed)->changed);
    lock_give(&(*feed)->lock);
    if ((*feed)->has_thread)
        pthread_join((*feed)->thread, NULL);
    destroy(*feed);
    *feed = NULL;
}

void feed_wait(struct feed *feed, int64_t until_ns)
{
    bool in_time = true;

    if (atomic_load(&feed->has_tried))
        return;
    lock_take(&feed->lock);
    while (!atomic_load(&feed->has_tried) && in_time)
        in_time = lock_cond_wait(&feed->changed, &feed->lock, until_ns);
    lock_give(&feed->lock);
}
