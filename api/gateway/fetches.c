#include "gateway/fetches.h"

#include "cachewarden/clock.h"
#include "cachewarden/lock.h"

#include <stdlib.h>

/* How long it is remembered of a thing that it could not be shared; of how many something is. A power of two. */
enum { REMEMBERED_MS = 10000, NOTES = 1024 };

/*
 * What is remembered of a thing; or, of who rests, of one fetch of it. Another that falls on the same place takes it:
 * then one request more is made.
 */
struct fetch_note {
    struct gateway_digest about;
    int64_t until_ns; /* 0: it is none */
    enum fetch_note_kind { NOTE_ALONE, NOTE_FAILED, NOTE_RESTS } kind;
};

struct fetches {
    struct lock lock; /* LOCK_RANK_LEAF; guards what follows */
    struct lock_cond left;
    int most, count, sleepers;
    struct fetch_note notes[NOTES];
    struct gateway_digest under_way[]; /* by what they began under */
};

enum err fetches_new(int most, struct fetches **fetches_out, struct error *error)
{
    struct fetches *fetches =
        calloc(1, sizeof *fetches + (size_t)most * sizeof *fetches->under_way);

    *fetches_out = fetches;
    if (!fetches)
        return error_set(error, ERR_NO_MEMORY, "out of memory");
    fetches->most = most;
    lock_init(&fetches->lock, LOCK_RANK_LEAF, "gateway fetches");
    lock_cond_init(&fetches->left);
    return ERR_OK;
}

void fetches_free(struct fetches **fetches)
{
    if (!*fetches)
        return;
    lock_cond_fini(&(*fetches)->left);
    lock_fini(&(*fetches)->lock);
    free(*fetches);
    *fetches = NULL;
}

/* Digests are spread evenly. */
static struct fetch_note *place_of(struct fetches *fetches, const struct gateway_digest *about)
{
    size_t at = (size_t)about->bytes[0] << 8 | about->bytes[1];

    return &fetches->notes[at % NOTES];
}

static bool is_noted_locked(struct fetches *fetches, const struct gateway_digest *about,
                            enum fetch_note_kind kind)
{
    const struct fetch_note *note = place_of(fetches, about);

    return note->until_ns > 0 && note->kind == kind && gateway_digest_eq(&note->about, about) &&
           clock_mono_ns() < note->until_ns;
}

/* Of another one that took the place nothing is forgotten. */
static void forget_locked(struct fetches *fetches, const struct gateway_digest *about)
{
    struct fetch_note *place = place_of(fetches, about);

    if (gateway_digest_eq(&place->about, about))
        place->until_ns = 0;
}

/* -1: it is not under way. */
static int find_locked(const struct fetches *fetches, const struct gateway_digest *begun)
{
    for (int i = 0; i < fetches->count; i++)
        if (gateway_digest_eq(&fetches->under_way[i], begun))
            return i;
    return -1;
}

static bool is_under_way_locked(struct fetches *fetches, const struct gateway_digest *begun)
{
    return find_locked(fetches, begun) >= 0 || is_noted_locked(fetches, begun, NOTE_RESTS);
}

enum fetch_turn fetches_enter(struct fetches *fetches, const struct fetch_name *name, bool has_turn)
{
    enum fetch_turn turn = FETCH_BESIDE;

    lock_acquire(&fetches->lock);
    if (is_noted_locked(fetches, &name->entry, NOTE_ALONE)) {
        turn = FETCH_ALONE;
    } else if (is_noted_locked(fetches, &name->entry, NOTE_FAILED)) {
        turn = FETCH_BESIDE;
    } else if (has_turn ? find_locked(fetches, &name->begun) >= 0
                        : is_under_way_locked(fetches, &name->begun)) {
        turn = FETCH_WAITS;
    } else if (fetches->count < fetches->most) {
        fetches->under_way[fetches->count++] = name->begun;
        turn = FETCH_LEADS;
    }
    lock_release(&fetches->lock);
    return turn;
}

static void end_locked(struct fetches *fetches, const struct gateway_digest *begun)
{
    int at = find_locked(fetches, begun);

    if (at >= 0)
        fetches->under_way[at] = fetches->under_way[--fetches->count];
    forget_locked(fetches, begun);
    lock_cond_broadcast(&fetches->left);
}

/* What is remembered of it from now on. */
static void note_locked(struct fetches *fetches, const struct gateway_digest *entry,
                        enum fetch_end how)
{
    struct fetch_note note = {*entry, clock_deadline_ns(REMEMBERED_MS), NOTE_ALONE};

    switch (how) {
    case FETCH_SHARED:
    case FETCH_LEFT:
        forget_locked(fetches, entry);
        return;
    case FETCH_FAILED:
        note.kind = NOTE_FAILED;
        break;
    case FETCH_UNSHARED:
        break;
    }
    *place_of(fetches, entry) = note;
}

void fetches_leave(struct fetches *fetches, const struct fetch_name *name, enum fetch_end how)
{
    lock_acquire(&fetches->lock);
    end_locked(fetches, &name->begun);
    note_locked(fetches, &name->entry, how);
    lock_release(&fetches->lock);
}

void fetches_rest(struct fetches *fetches, const struct gateway_digest *begun, int64_t until_ns)
{
    lock_acquire(&fetches->lock);
    end_locked(fetches, begun);
    *place_of(fetches, begun) = (struct fetch_note){*begun, until_ns, NOTE_RESTS};
    lock_release(&fetches->lock);
}

void fetches_end_rest(struct fetches *fetches, const struct gateway_digest *begun)
{
    lock_acquire(&fetches->lock);
    forget_locked(fetches, begun);
    lock_cond_broadcast(&fetches->left);
    lock_release(&fetches->lock);
}

bool fetches_is_under_way(struct fetches *fetches, const struct gateway_digest *begun)
{
    lock_acquire(&fetches->lock);
    bool is_under_way = is_under_way_locked(fetches, begun);
    lock_release(&fetches->lock);
    return is_under_way;
}

/* When it may be over: who rests wakes nobody. */
static int64_t wake_ns_locked(struct fetches *fetches, const struct gateway_digest *begun,
                              int64_t until_ns)
{
    int64_t rested_ns = place_of(fetches, begun)->until_ns;

    return find_locked(fetches, begun) < 0 && rested_ns < until_ns ? rested_ns : until_ns;
}

void fetches_sleep(struct fetches *fetches, const struct gateway_digest *begun, int64_t until_ns)
{
    lock_acquire(&fetches->lock);
    if (fetches->sleepers < (fetches->most + 1) / 2) {
        fetches->sleepers++;
        while (is_under_way_locked(fetches, begun) && clock_mono_ns() < until_ns)
            (void)lock_cond_wait(&fetches->left, &fetches->lock,
                                 wake_ns_locked(fetches, begun, until_ns));
        fetches->sleepers--;
    }
    lock_release(&fetches->lock);
}
