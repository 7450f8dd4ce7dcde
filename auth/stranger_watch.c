#include "stranger_watch.h"

#include "cachewarden/arena.h"
#include "cachewarden/clock.h"
#include "cachewarden/log.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    SEEN_MAX = 4096,    /* numbers in use at once; more are looked up more often, not wrong */
    LOOK_EVERY_S = 60,  /* an account may be made after the stranger came */
    WRITE_EVERY_S = 60, /* one that is found stands for all */
    AWAY_S = 10,        /* the database is left alone when it did not answer */
};

/* Two numbers with one hash in one minute hide one of them from this look, and not from the next. */
struct stranger_watch {
    struct users *users;
    struct account_cache *accounts;
    _Atomic uint64_t seen[SEEN_MAX]; /* hashes of number and minute; 0: none */
    _Atomic int64_t next_look_s, next_write_s;
    atomic_bool is_looking; /* one request at a time waits for the database */
};

enum err stranger_watch_new(struct users *users, struct account_cache *accounts,
                            struct stranger_watch **watch_out)
{
    struct stranger_watch *watch = calloc(1, sizeof *watch);

    *watch_out = watch;
    if (!watch)
        return ERR_NO_MEMORY;
    watch->users = users;
    watch->accounts = accounts;
    return ERR_OK;
}

void stranger_watch_free(struct stranger_watch **watch)
{
    free(*watch);
    *watch = NULL;
}

static uint64_t hash_of(int64_t number, int64_t minute)
{
    uint64_t hash = ((uint64_t)number * UINT64_C(0x9fb21c651e98df25)) ^ (uint64_t)minute;

    hash = (hash ^ (hash >> 32)) * UINT64_C(0x9e3779b97f4a7c15);
    return (hash ^ (hash >> 29)) | 1;
}

/* True once: of all who ask for the time that has come, one has the turn. */
static bool take_turn(_Atomic int64_t *next_s, int64_t now_s, int64_t every_s)
{
    int64_t next = atomic_load(next_s);

    return now_s >= next && atomic_compare_exchange_strong(next_s, &next, now_s + every_s);
}

static void write_down(struct stranger_watch *watch, int64_t number, int64_t now_s)
{
    struct arena *arena = arena_new(256, 0);
    struct error error = {0};

    if (!arena)
        return;
    struct str id = str_format(arena, "%" PRId64, number);
    struct str seen = str_format(arena, "%" PRId64, now_s);
    enum err err = id.ptr && seen.ptr
                       ? users_fact_set(watch->users, STR(USERS_FACT_STRANGER), id, &error)
                       : ERR_NO_MEMORY;
    if (!err)
        err = users_fact_set(watch->users, STR(USERS_FACT_STRANGER_SEEN), seen, &error);
    log_event(LOG_LEVEL_WARN, "auth.number_of_two", LOG_INT("user_id", number),
              LOG_CSTR("effect", "an account here and a user elsewhere share a cache"),
              LOG_CSTR("fix", "see cachewarden doctor"),
              LOG_CSTR("recorded", err ? err_name(err) : "yes"));
    arena_free(&arena);
}

/* False: the database did not answer. */
static bool look(struct stranger_watch *watch, int64_t number, int64_t now_s)
{
    struct account account;

    if (account_by_id(watch->accounts, number, clock_mono_ns(), TTL_CACHE_STALE_NS, &account,
                      NULL) != ERR_OK)
        return false;
    if (account.is_usable && take_turn(&watch->next_write_s, now_s, WRITE_EVERY_S))
        write_down(watch, number, now_s);
    return true;
}

void stranger_watch_note(struct stranger_watch *watch, int64_t number, int64_t now_s)
{
    uint64_t hash = hash_of(number, now_s / LOOK_EVERY_S);
    _Atomic uint64_t *slot = &watch->seen[hash >> 52];

    if (atomic_load_explicit(slot, memory_order_relaxed) == hash ||
        now_s < atomic_load_explicit(&watch->next_look_s, memory_order_relaxed) ||
        atomic_exchange(&watch->is_looking, true))
        return;
    if (look(watch, number, now_s))
        atomic_store_explicit(slot, hash, memory_order_relaxed);
    else
        atomic_store(&watch->next_look_s, now_s + AWAY_S);
    atomic_store(&watch->is_looking, false);
}
