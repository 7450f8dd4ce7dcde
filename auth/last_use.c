#include "last_use.h"

#include "api_key.h"

#include "cachewarden/clock.h"
#include "cachewarden/lock.h"
#include "cachewarden/log.h"
#include "cachewarden/thread.h"

#include <stdlib.h>

enum {
    /* Keys and accounts noted at once, or within the last minute. What finds no place is noted with a later use. */
    NOTES_MAX = 256,
    THREAD_STACK_SIZE = 256 * 1024,
};

struct note {
    char key_id[API_KEY_ID_SIZE]; /* of an API key; */
    int64_t account_id;           /* > 0: it is an account's sign-in instead */
    int64_t used_at_s;            /* 0: the place is free */
    bool is_written;              /* kept to know that this was written, until a minute is over */
};

struct last_use {
    struct users *users;
    struct lock lock;
    struct lock_cond changed;
    /* guarded by lock */
    struct note notes[NOTES_MAX];
    size_t unwritten;
    bool is_stopping;
    bool has_thread;
    pthread_t thread;
};

/* An unwritten note, taken off the list of those to write. False when there is none. */
static bool take_note_locked(struct last_use *usage, struct note *note_out)
{
    for (size_t i = 0; usage->unwritten > 0 && i < NOTES_MAX; i++) {
        struct note *note = &usage->notes[i];
        if (note->used_at_s == 0 || note->is_written)
            continue;
        note->is_written = true;
        usage->unwritten--;
        *note_out = *note;
        return true;
    }
    return false;
}

static bool write_note(struct last_use *usage, const struct note *note)
{
    struct error error;
    struct str key_id = {note->key_id, sizeof note->key_id};
    bool is_key = note->account_id == 0;

    error_clear(&error);
    enum err err = is_key
                       ? api_keys_touch(usage->users, key_id, note->used_at_s, &error)
                       : users_note_login(usage->users, note->account_id, note->used_at_s, &error);
    if (err && is_key)
        log_event(LOG_LEVEL_WARN, "users.key_usage_failed", LOG_STR("key", key_id),
                  LOG_CSTR("error", err_name(err)), LOG_CSTR("detail", error.detail));
    else if (err)
        log_event(LOG_LEVEL_WARN, "users.last_login_failed", LOG_INT("user", note->account_id),
                  LOG_CSTR("error", err_name(err)), LOG_CSTR("detail", error.detail));
    return err == ERR_OK;
}

static void *write_notes(void *arg)
{
    struct last_use *usage = arg;
    struct note note;
    bool go_on = true;

    lock_acquire(&usage->lock);
    while (go_on) {
        if (take_note_locked(usage, &note)) {
            lock_release(&usage->lock);
            bool is_good = write_note(usage, &note);
            lock_acquire(&usage->lock);
            /* At the end a database that does not answer is not waited for once more. */
            go_on = is_good || !usage->is_stopping;
        } else if (usage->is_stopping) {
            go_on = false;
        } else {
            lock_cond_wait(&usage->changed, &usage->lock, INT64_MAX);
        }
    }
    lock_release(&usage->lock);
    return NULL;
}

enum err last_use_new(struct users *users, struct last_use **usage_out)
{
    struct last_use *usage = calloc(1, sizeof *usage);

    *usage_out = usage;
    if (!usage)
        return ERR_NO_MEMORY;
    usage->users = users;
    lock_init(&usage->lock, LOCK_RANK_LEAF, "last use");
    lock_cond_init(&usage->changed);
    return ERR_OK;
}

void last_use_free(struct last_use **usage)
{
    if (!*usage)
        return;
    lock_acquire(&(*usage)->lock);
    (*usage)->is_stopping = true;
    bool has_thread = (*usage)->has_thread;
    lock_cond_signal(&(*usage)->changed);
    lock_release(&(*usage)->lock);
    if (has_thread)
        pthread_join((*usage)->thread, NULL);
    lock_cond_fini(&(*usage)->changed);
    lock_fini(&(*usage)->lock);
    free(*usage);
    *usage = NULL;
}

static bool is_same(const struct note *a, const struct note *b)
{
    return a->account_id == b->account_id && memcmp(a->key_id, b->key_id, sizeof a->key_id) == 0;
}

/* Its own place, else one that is free or over; NULL when there is none, or when it was noted a
 * moment ago. */
static struct note *find_place_locked(struct last_use *usage, const struct note *wanted)
{
    struct note *place = NULL;

    for (size_t i = 0; i < NOTES_MAX; i++) {
        struct note *note = &usage->notes[i];
        bool is_over =
            note->used_at_s == 0 ||
            (note->is_written && wanted->used_at_s - note->used_at_s >= LAST_USE_INTERVAL_S);
        if (note->used_at_s != 0 && is_same(note, wanted))
            return is_over ? note : NULL;
        if (is_over && !place)
            place = note;
    }
    return place;
}

static void add_note(struct last_use *usage, const struct note *note)
{
    lock_acquire(&usage->lock);
    struct note *place = find_place_locked(usage, note);
    if (place) {
        *place = *note;
        usage->unwritten++;
        if (!usage->has_thread)
            usage->has_thread = thread_start(&usage->thread, "cw-last-use", THREAD_STACK_SIZE,
                                             write_notes, usage, NULL) == ERR_OK;
        lock_cond_signal(&usage->changed);
    }
    lock_release(&usage->lock);
}

void last_use_note_key(struct last_use *usage, struct str id, int64_t last_used_at_s, int64_t now_s)
{
    struct note note = {.used_at_s = now_s};

    if (id.len != API_KEY_ID_SIZE || now_s - last_used_at_s < LAST_USE_INTERVAL_S)
        return;
    memcpy(note.key_id, id.ptr, sizeof note.key_id);
    add_note(usage, &note);
}

void last_use_note_login(struct last_use *usage, int64_t account_id, int64_t last_login_at_s,
                         int64_t now_s)
{
    const struct note note = {.account_id = account_id, .used_at_s = now_s};

    if (account_id > 0 && now_s - last_login_at_s >= LAST_USE_INTERVAL_S)
        add_note(usage, &note);
}
