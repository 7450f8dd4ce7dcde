#include "backup/schedule.h"

#include "backup/tick.h"
#include "cachewarden/clock.h"
#include "cachewarden/log.h"
#include "cachewarden/random.h"
#include "cachewarden/thread.h"

#include <stdlib.h>

/* How long a tick that failed is left alone, after each attempt. */
static const int64_t pauses_ms[SCHEDULE_ATTEMPTS] = {60000, 300000, 900000};

#define NEVER_MS INT64_MAX
/* A tick that is further ahead of the clock is of a clock that went wrong. */
#define AHEAD_S (INT64_C(24) * 60 * 60)
/* A tick that is done later than this is told of. */
#define LATE_S INT64_C(120)

struct backup_schedule {
    struct backup_schedule_options options;
    struct periodic *thread;
    _Atomic bool is_stopping; /* this program */
    _Atomic bool gives_up;    /* what is under way */
    /* The rest is the thread's own, but for `held` while it is held. */
    struct arena *arena; /* for one round */
    char node[TICK_NODE_SIZE];
    char words[TICK_SCHEDULE_SIZE];
    bool has_looked, has_begun;
    struct tick seen;
    char seen_text[TICK_TEXT_SIZE];
    int64_t seen_since_ns;
    struct tick held; /* ours; the thread of the beats has it while there is one */
    bool has_end;     /* `held` is to be written */
};

static int64_t wall_s(const struct backup_schedule *schedule)
{
    return schedule->options.wall_s ? schedule->options.wall_s() : clock_wall_s();
}

static int64_t mono_ns(const struct backup_schedule *schedule)
{
    return schedule->options.mono_ns ? schedule->options.mono_ns() : clock_mono_ns();
}

/* ---- what was seen ---- */

static void note_seen(struct backup_schedule *schedule, const struct tick *tick, struct str text)
{
    bool is_new = !schedule->has_looked || !str_eq(text, str_from(schedule->seen_text));

    schedule->seen = *tick;
    memcpy(schedule->seen_text, text.ptr, text.len);
    schedule->seen_text[text.len] = '\0';
    schedule->has_looked = true;
    if (is_new)
        schedule->seen_since_ns = mono_ns(schedule);
}

/* How long others are left alone with what was seen. */
static int64_t patience_ms(const struct tick *tick)
{
    bool may_be_tried = tick->attempt < SCHEDULE_ATTEMPTS;

    switch (tick->state) {
    case TICK_RUNNING:
        return may_be_tried ? SCHEDULE_CLAIM_MS : NEVER_MS;
    case TICK_LEFT:
        return 0;
    case TICK_FAILED:
        return may_be_tried ? pauses_ms[tick->attempt > 0 ? tick->attempt - 1 : 0] : NEVER_MS;
    case TICK_IDLE:
    case TICK_DONE:
        break;
    }
    return NEVER_MS;
}

static int64_t patience_left_ms(const struct backup_schedule *schedule)
{
    int64_t patience = patience_ms(&schedule->seen);
    int64_t waited = (mono_ns(schedule) - schedule->seen_since_ns) / NS_PER_MS;

    if (patience == NEVER_MS)
        return NEVER_MS;
    return patience > waited ? patience - waited : 0;
}

static int64_t rest_ms(const struct backup_schedule *schedule)
{
    const struct backup_schedule_options *options = &schedule->options;
    int64_t now_s = wall_s(schedule), rest = SCHEDULE_REST_MS;
    int64_t next_s = cron_next(&options->cron, options->offset, now_s);
    int64_t patience = patience_left_ms(schedule);

    if (next_s - now_s < rest / 1000)
        rest = (next_s - now_s) * 1000;
    return patience < rest ? patience : rest;
}

/* ---- who has the tick ---- */

static enum err write_tick(struct backup_schedule *schedule, const struct tick *tick,
                           struct str old)
{
    char text[TICK_TEXT_SIZE];
    struct error error = {0};
    enum err err = tick_replace(schedule->options.users, old, tick, &error);

    if (err == ERR_OK) {
        note_seen(schedule, tick, tick_write(tick, text));
        return ERR_OK;
    }
    /* Somebody else was faster, or it is not known what happened: either way it has to be looked at. */
    schedule->has_looked = false;
    if (err != ERR_CONFLICT)
        log_event(LOG_LEVEL_WARN, "backup.unclaimed", LOG_CSTR("error", err_name(err)),
                  LOG_CSTR("detail", error.detail));
    return err;
}

static struct tick make_tick(const struct backup_schedule *schedule, int64_t at_s,
                             enum tick_state state, int64_t attempt)
{
    struct tick tick = {.at_s = at_s, .state = state, .attempt = attempt};

    memcpy(tick.node, schedule->node, sizeof tick.node);
    memcpy(tick.schedule, schedule->words, sizeof tick.schedule);
    return tick;
}

/* What comes from here on is done. */
static void begin_anew(struct backup_schedule *schedule, int64_t due_s, struct str old)
{
    struct tick tick = make_tick(schedule, due_s, TICK_IDLE, 0);

    if (write_tick(schedule, &tick, old) != ERR_OK)
        return;
    schedule->has_begun = true;
    if (schedule->options.work.begin)
        schedule->options.work.begin(schedule->options.work.arg);
}

/* ---- the work ---- */

/* The tick is still ours if what stands there is: a beat whose answer was lost counts. */
static bool is_still_ours(struct backup_schedule *schedule)
{
    struct arena *arena = arena_new(1024, 0);
    struct tick tick;
    struct str text;
    bool is_ours = arena &&
                   tick_find(schedule->options.users, arena, &text, &tick, NULL) == ERR_OK &&
                   tick.state == TICK_RUNNING && tick.at_s == schedule->held.at_s &&
                   strcmp(tick.node, schedule->node) == 0;

    if (is_ours)
        schedule->held = tick;
    arena_free(&arena);
    return is_ours;
}

static int64_t beat(void *arg)
{
    struct backup_schedule *schedule = arg;
    struct tick next = schedule->held;
    char text[TICK_TEXT_SIZE];

    next.beat++;
    enum err err =
        tick_replace(schedule->options.users, tick_write(&schedule->held, text), &next, NULL);
    if (err == ERR_OK)
        schedule->held = next;
    else if (err == ERR_CONFLICT && !is_still_ours(schedule))
        atomic_store(&schedule->gives_up, true);
    return schedule->options.beat_ms > 0 ? schedule->options.beat_ms : SCHEDULE_BEAT_MS;
}

static bool make(struct backup_schedule *schedule)
{
    const struct backup_work *work = &schedule->options.work;
    struct error error = {0};
    size_t removed = 0;
    enum err err = work->make(work->arg, &schedule->gives_up, &error);

    if (err != ERR_OK)
        return false; /* it has said why */
    err = work->clean_up(work->arg, &schedule->gives_up, &removed, &error);
    if (err != ERR_OK)
        log_event(LOG_LEVEL_WARN, "backup.not_cleaned_up", LOG_CSTR("error", err_name(err)),
                  LOG_CSTR("why", error.caller), LOG_CSTR("detail", error.detail));
    return true;
}

/* Tried again in the next rounds while the users database does not answer: else the tick would be done twice. */
static void write_end(struct backup_schedule *schedule)
{
    const enum tick_state state = schedule->held.state;
    enum err err = ERR_CONFLICT;

    for (int i = 0; i < 2 && err == ERR_CONFLICT; i++) {
        struct tick running = schedule->held, end = schedule->held;
        char text[TICK_TEXT_SIZE];
        running.state = TICK_RUNNING;
        end.state = state;
        err = write_tick(schedule, &end, tick_write(&running, text));
        if (err == ERR_CONFLICT && !is_still_ours(schedule))
            break;
    }
    schedule->held.state = state;
    schedule->has_end = err != ERR_OK && err != ERR_CONFLICT;
}

static void run(struct backup_schedule *schedule, const struct tick *tick)
{
    struct periodic *beats = NULL;
    struct error error = {0};

    schedule->held = *tick;
    atomic_store(&schedule->gives_up, false);
    if (atomic_load(&schedule->is_stopping))
        atomic_store(&schedule->gives_up, true);
    if (periodic_start("cw-backup-beat", beat, schedule, &beats, &error) != ERR_OK)
        log_event(LOG_LEVEL_WARN, "backup.no_beat", LOG_CSTR("detail", error.detail));
    bool is_good = make(schedule);
    periodic_stop(&beats);
    schedule->held.state = is_good                               ? TICK_DONE
                           : atomic_load(&schedule->is_stopping) ? TICK_LEFT
                                                                 : TICK_FAILED;
    write_end(schedule);
}

static void claim(struct backup_schedule *schedule, int64_t at_s, int64_t attempt, struct str old)
{
    struct tick tick = make_tick(schedule, at_s, TICK_RUNNING, attempt);

    if (write_tick(schedule, &tick, old) == ERR_OK)
        run(schedule, &tick);
}

/* ---- rounds ---- */

static void tell_late(const struct backup_schedule *schedule, int64_t due_s, bool is_first)
{
    char at[CLOCK_RFC3339_SIZE];
    int64_t late_s = wall_s(schedule) - due_s;

    if (is_first || late_s > LATE_S)
        log_event(LOG_LEVEL_WARN, "backup.missed", LOG_STR("tick", clock_rfc3339(due_s * 1000, at)),
                  LOG_INT("late_s", late_s), LOG_CSTR("now", "it is made now"));
}

/* With what stands there; `due_s` is the last tick of the clock. */
static void act(struct backup_schedule *schedule, int64_t due_s)
{
    char text[TICK_TEXT_SIZE];
    struct tick seen = schedule->seen;
    struct str old = str_from(memcpy(text, schedule->seen_text, sizeof text));
    bool is_first = !schedule->has_begun;

    if ((is_first && strcmp(seen.schedule, schedule->words) != 0) ||
        seen.at_s > wall_s(schedule) + AHEAD_S) {
        begin_anew(schedule, due_s, old);
        return;
    }
    schedule->has_begun = true;
    if (due_s > seen.at_s) {
        tell_late(schedule, due_s, is_first);
        claim(schedule, due_s, 1, old);
    } else if (seen.state == TICK_RUNNING && strcmp(seen.node, schedule->node) == 0) {
        run(schedule, &seen); /* it was not known whether we had it */
    } else if (patience_left_ms(schedule) == 0) {
        log_event(LOG_LEVEL_WARN, "backup.again", LOG_INT("attempts", seen.attempt),
                  LOG_CSTR("after", seen.state == TICK_FAILED ? "a failure" : "its node ended"));
        /* What a stop has ended was no attempt. */
        claim(schedule, seen.at_s, seen.attempt + (seen.state != TICK_LEFT), old);
    }
}

static bool look(struct backup_schedule *schedule, int64_t due_s)
{
    struct error error = {0};
    struct str text = STR_NONE;
    struct tick tick;
    enum err err = tick_find(schedule->options.users, schedule->arena, &text, &tick, &error);

    if (err == ERR_NOT_FOUND || err == ERR_CONFLICT) {
        begin_anew(schedule, due_s, text);
        return true;
    }
    if (err != ERR_OK) {
        log_event(LOG_LEVEL_DEBUG, "backup.schedule_unknown", LOG_CSTR("error", err_name(err)),
                  LOG_CSTR("detail", error.detail));
        return false;
    }
    note_seen(schedule, &tick, text);
    if (schedule->options.work.learn)
        schedule->options.work.learn(schedule->options.work.arg, schedule->arena);
    return true;
}

static bool is_due(const struct backup_schedule *schedule, int64_t due_s)
{
    return !schedule->has_looked || !schedule->has_begun || due_s > schedule->seen.at_s ||
           schedule->seen.at_s > wall_s(schedule) + AHEAD_S || patience_left_ms(schedule) == 0;
}

int64_t backup_schedule_round(struct backup_schedule *schedule)
{
    const struct backup_schedule_options *options = &schedule->options;
    int64_t due_s = cron_last(&options->cron, options->offset, wall_s(schedule));

    arena_reset(schedule->arena);
    if (schedule->has_end)
        write_end(schedule);
    if (schedule->has_end)
        return SCHEDULE_RETRY_MS;
    if (is_due(schedule, due_s)) {
        if (!look(schedule, due_s))
            return SCHEDULE_RETRY_MS;
        if (schedule->has_looked)
            act(schedule, due_s);
    }
    return schedule->has_looked ? rest_ms(schedule) : SCHEDULE_AGAIN_MS;
}

/* ---- life ---- */

static int64_t do_round(void *arg)
{
    return backup_schedule_round(arg);
}

enum err backup_schedule_new(const struct backup_schedule_options *options,
                             struct backup_schedule **schedule_out, struct error *error)
{
    struct backup_schedule *schedule = calloc(1, sizeof *schedule);
    size_t length =
        options->words.len < TICK_SCHEDULE_SIZE ? options->words.len : TICK_SCHEDULE_SIZE - 1;
    uint64_t number;

    *schedule_out = schedule;
    if (!schedule)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for the schedule of backups");
    schedule->options = *options;
    memcpy(schedule->words, length > 0 ? options->words.ptr : "", length);
    random_bytes(&number, sizeof number);
    str_put_hex64(schedule->node, number);
    schedule->arena = arena_new(2048, 0);
    if (schedule->arena)
        return ERR_OK;
    backup_schedule_free(schedule_out);
    return error_set_detail(error, ERR_NO_MEMORY, "no memory for the schedule of backups");
}

enum err backup_schedule_start(struct backup_schedule *schedule, struct error *error)
{
    return periodic_start("cw-backup", do_round, schedule, &schedule->thread, error);
}

void backup_schedule_free(struct backup_schedule **schedule)
{
    struct backup_schedule *closing = *schedule;

    if (!closing)
        return;
    atomic_store(&closing->is_stopping, true);
    atomic_store(&closing->gives_up, true);
    periodic_stop(&closing->thread);
    arena_free(&closing->arena);
    free(closing);
    *schedule = NULL;
}
