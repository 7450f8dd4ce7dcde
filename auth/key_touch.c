#include "key_touch.h"

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

struct key_touch {
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
static bool take_note_locked(struct key_touch *touch, struct note *note_out)
{
    for (size_t i = 0; touch->unwritten > 0 && i < NOTES_MAX; i++) {
        struct note *note = &touch->notes[i];
        if (note->used_at_s == 0 || note->is_written)
            continue;
        note->is_written = true;
        touch->unwritten--;
        *note_out = *note;
        return true;
    }
    return false;
}

static bool write_note(struct key_touch *touch, const struct note *note)
{
    struct error error;
    struct str id = {note->id, sizeof note->id};

    error_clear(&error);
    enum err err = api_keys_touch(touch->users, id, note->used_at_s, &error);
    if (err)
        log_event(LOG_LEVEL_WARN, "users.key_touch_failed", LOG_STR("key", id),
                  LOG_CSTR("error", err_name(err)), LOG_CSTR("detail", error.detail));
    return err == ERR_OK;
}

static void *write_notes(void *arg)
{
    struct key_touch *touch = arg;
    struct note note;
    bool go_on = true;

    lock_acquire(&touch->lock);
    while (go_on) {
        if (take_note_locked(touch, &note)) {
            lock_release(&touch->lock);
            bool is_good = write_note(touch, &note);
            lock_acquire(&touch->lock);
            /* At the end a database that does not answer is not waited for once more. */
            go_on = is_good || !touch->is_stopping;
        } else if (touch->is_stopping) {
            go_on = false;
        } else {
            lock_cond_wait(&touch->changed, &touch->lock, INT64_MAX);
        }
    }
    lock_release(&touch->lock);
    return NULL;
}

enum err key_touch_new(struct users *users, struct key_touch **touch_out)
{
    struct key_touch *touch = calloc(1, sizeof *touch);

    *touch_out = touch;
    if (!touch)
        return ERR_NO_MEMORY;
    touch->users = users;
    lock_init(&touch->lock, LOCK_RANK_LEAF, "last use of API keys");
    lock_cond_init(&touch->changed);
    return ERR_OK;
}

void key_touch_free(struct key_touch **touch)
{
    if (!*touch)
        return;
    lock_acquire(&(*touch)->lock);
    (*touch)->is_stopping = true;
    bool has_thread = (*touch)->has_thread;
    lock_cond_signal(&(*touch)->changed);
    lock_release(&(*touch)->lock);
    if (has_thread)
        pthread_join((*touch)->thread, NULL);
    lock_cond_fini(&(*touch)->changed);
    lock_fini(&(*touch)->lock);
    free(*touch);
    *touch = NULL;
}

/* The key's own place, else one that is free or over; NULL when there is none, or when the key was
 * noted a moment ago. */
static struct note *find_place_locked(struct key_touch *touch, struct str id, int64_t now_s)
{
    struct note *place = NULL;

    for (size_t i = 0; i < NOTES_MAX; i++) {
        struct note *note = &touch->notes[i];
        bool is_over = note->used_at_s == 0 ||
                       (note->is_written && now_s - note->used_at_s >= KEY_TOUCH_INTERVAL_S);
        if (note->used_at_s != 0 && memcmp(note->id, id.ptr, sizeof note->id) == 0)
            return is_over ? note : NULL;
        if (is_over && !place)
            place = note;
    }
    return place;
}

void key_touch_note(struct key_touch *touch, struct str id, int64_t last_used_at_s, int64_t now_s)
{
    if (id.len != API_KEY_ID_SIZE || now_s - last_used_at_s < KEY_TOUCH_INTERVAL_S)
        return;
    lock_acquire(&touch->lock);
    struct note *note = find_place_locked(touch, id, now_s);
    if (note) {
        memcpy(note->id, id.ptr, sizeof note->id);
        note->used_at_s = now_s;
        note->is_written = false;
        touch->unwritten++;
        if (!touch->has_thread)
            touch->has_thread = thread_start(&touch->thread, "cw-key-use", THREAD_STACK_SIZE,
                                             write_notes, touch, NULL) == ERR_OK;
        lock_cond_signal(&touch->changed);
    }
    lock_release(&touch->lock);
}
