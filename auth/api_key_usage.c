#include "api_key_usage.h"

#include "api_key.h"

#include "cachewarden/clock.h"
#include "cachewarden/lock.h"
#include "cachewarden/log.h"
#include "cachewarden/thread.h"

#include <stdlib.h>

enum {
    /* Keys noted at once, or within the last minute. A key that finds no place is noted a little
       later. */
    NOTES_MAX = 256,
    THREAD_STACK_SIZE = 256 * 1024,
};

struct note {
    char id[API_KEY_ID_SIZE];
    int64_t used_at_s; /* 0: the place is free */
    bool is_written;   /* kept to know that this was written, until a minute is over */
};

struct api_key_usage {
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
static bool take_note_locked(struct api_key_usage *usage, struct note *note_out)
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

static bool write_note(struct api_key_usage *usage, const struct note *note)
{
    struct error error;
    struct str id = {note->id, sizeof note->id};

    error_clear(&error);
    enum err err = api_keys_touch(usage->users, id, note->used_at_s, &error);
    if (err)
        log_event(LOG_LEVEL_WARN, "users.key_usage_failed", LOG_STR("key", id),
                  LOG_CSTR("error", err_name(err)), LOG_CSTR("detail", error.detail));
    return err == ERR_OK;
}

static void *write_notes(void *arg)
{
    struct api_key_usage *usage = arg;
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

enum err api_key_usage_new(struct users *users, struct api_key_usage **usage_out)
{
    struct api_key_usage *usage = calloc(1, sizeof *usage);

    *usage_out = usage;
    if (!usage)
        return ERR_NO_MEMORY;
    usage->users = users;
    lock_init(&usage->lock, LOCK_RANK_LEAF, "last use of API keys");
    lock_cond_init(&usage->changed);
    return ERR_OK;
}

void api_key_usage_free(struct api_key_usage **usage)
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

/* The key's own place, else one that is free or over; NULL when there is none, or when the key was
 * noted a moment ago. */
static struct note *find_place_locked(struct api_key_usage *usage, struct str id, int64_t now_s)
{
    struct note *place = NULL;

    for (size_t i = 0; i < NOTES_MAX; i++) {
        struct note *note = &usage->notes[i];
        bool is_over = note->used_at_s == 0 ||
                       (note->is_written && now_s - note->used_at_s >= API_KEY_USAGE_INTERVAL_S);
        if (note->used_at_s != 0 && memcmp(note->id, id.ptr, sizeof note->id) == 0)
            return is_over ? note : NULL;
        if (is_over && !place)
            place = note;
    }
    return place;
}

void api_key_usage_note(struct api_key_usage *usage, struct str id, int64_t last_used_at_s,
                        int64_t now_s)
{
    if (id.len != API_KEY_ID_SIZE || now_s - last_used_at_s < API_KEY_USAGE_INTERVAL_S)
        return;
    lock_acquire(&usage->lock);
    struct note *note = find_place_locked(usage, id, now_s);
    if (note) {
        memcpy(note->id, id.ptr, sizeof note->id);
        note->used_at_s = now_s;
        note->is_written = false;
        usage->unwritten++;
        if (!usage->has_thread)
            usage->has_thread = thread_start(&usage->thread, "cw-key-use", THREAD_STACK_SIZE,
                                             write_notes, usage, NULL) == ERR_OK;
        lock_cond_signal(&usage->changed);
    }
    lock_release(&usage->lock);
}
