#include "gateway/fetches.h"

#include "cachewarden/clock.h"
#include "cachewarden/lock.h"

#include <stdlib.h>

/* How long it is remembered of a thing that it could not be stored, and of how many. A power of two. */
enum { LONE_MS = 10000, LONE_COUNT = 1024 };

struct lone {
    struct gateway_digest entry;
    int64_t until_ns; /* 0: it is none */
};

struct fetches {
    struct lock lock; /* LOCK_RANK_LEAF; guards what follows */
    struct lock_cond left;
    int most, count, sleepers;
    struct lone lone[LONE_COUNT];
    struct gateway_digest under_way[];
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
static struct lone *lone_of(struct fetches *fetches, const struct gateway_digest *entry)
{
    size_t at = (size_t)entry->bytes[0] << 8 | entry->bytes[1];

    return &fetches->lone[at % LONE_COUNT];
}

static bool is_lone_locked(struct fetches *fetches, const struct gateway_digest *entry)
{
    const struct lone *lone = lone_of(fetches, entry);

    return lone->until_ns > 0 && gateway_digest_eq(&lone->entry, entry) &&
           clock_mono_ns() < lone->until_ns;
}

/* -1: it is not under way. */
static int find_locked(const struct fetches *fetches, const struct gateway_digest *entry)
{
    for (int i = 0; i < fetches->count; i++)
        if (gateway_digest_eq(&fetches->under_way[i], entry))
            return i;
    return -1;
}

enum fetch_turn fetches_enter(struct fetches *fetches, const struct gateway_digest *entry)
{
    enum fetch_turn turn = FETCH_ALONE;

    lock_acquire(&fetches->lock);
    if (is_lone_locked(fetches, entry)) {
        turn = FETCH_ALONE;
    } else if (find_locked(fetches, entry) >= 0) {
        turn = FETCH_WAITS;
    } else if (fetches->count < fetches->most) {
        fetches->under_way[fetches->count++] = *entry;
        turn = FETCH_LEADS;
    }
    lock_release(&fetches->lock);
    return turn;
}

void fetches_leave(struct fetches *fetches, const struct gateway_digest *entry, bool is_shared)
{
    lock_acquire(&fetches->lock);
    int at = find_locked(fetches, entry);
    if (at >= 0)
        fetches->under_way[at] = fetches->under_way[--fetches->count];
    *lone_of(fetches, entry) =
        is_shared ? (struct lone){0} : (struct lone){*entry, clock_deadline_ns(LONE_MS)};
    lock_cond_broadcast(&fetches->left);
    lock_release(&fetches->lock);
}

bool fetches_is_under_way(struct fetches *fetches, const struct gateway_digest *entry)
{
    lock_acquire(&fetches->lock);
    bool is_under_way = find_locked(fetches, entry) >= 0;
    lock_release(&fetches->lock);
    return is_under_way;
}

void fetches_sleep(struct fetches *fetches, const struct gateway_digest *entry, int64_t until_ns)
{
    lock_acquire(&fetches->lock);
    if (fetches->sleepers < (fetches->most + 1) / 2) {
        bool is_in_time = true;
        fetches->sleepers++;
        while (is_in_time && find_locked(fetches, entry) >= 0)
            is_in_time = lock_cond_wait(&fetches->left, &fetches->lock, until_ns);
        fetches->sleepers--;
    }
    lock_release(&fetches->lock);
}
