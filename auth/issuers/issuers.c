#include "issuers/issuers_private.h"

#include "issuers/issuer.h"

#include "cachewarden/arena.h"
#include "cachewarden/clock.h"
#include "cachewarden/thread.h"

#include <stdlib.h>

enum { FETCH_TIMEOUT_MS = 10000, LOOK_MS = 1000 };

/* ---- one ---- */

enum err issuer_new(const struct issuer_spec *spec, struct issuer **issuer_out, struct error *error)
{
    const char *field = NULL;
    struct error why;

    *issuer_out = NULL;
    error_clear(&why);
    enum err err = issuer_check(spec, &field, &why);
    if (err)
        return error_set(error, err, "auth.issuers: %.*s: %s%s%s", STR_ARG(spec->name),
                         field ? field : "", field ? " " : "", why.caller);
    struct issuer *issuer = calloc(1, sizeof *issuer);
    if (!issuer)
        return ERR_NO_MEMORY;
    atomic_init(&issuer->owners, 1);
    issuer->memory = arena_new(512, 0);
    err = issuer->memory ? issuer_spec_copy(issuer->memory, spec, &issuer->spec) : ERR_NO_MEMORY;
    if (!err && spec->jwks_url.len == 0)
        err = issuer_read_file(issuer, &issuer->keys, error);
    /* Somebody else's file is no reason not to start. The thread reads it again, and tells. */
    if (err && err != ERR_NO_MEMORY && err != ERR_INTERNAL) {
        issuer->was_read = false;
        err = ERR_OK;
    }
    refetch_init(&issuer->refetch, clock_mono_ns());
    if (err)
        issuer_release(&issuer);
    *issuer_out = issuer;
    return err;
}

struct str issuer_file(const struct issuer_spec *spec)
{
    return spec->jwks_file.len > 0 ? spec->jwks_file : spec->secret_file;
}

enum err issuer_read_file(struct issuer *issuer, struct issuer_keys **keys_out, struct error *error)
{
    issuer->was_read = true;
    return issuer_keys_load(&issuer->spec, &issuer->stamp, keys_out, error);
}

struct issuer *issuer_hold(struct issuer *issuer)
{
    atomic_fetch_add(&issuer->owners, 1);
    return issuer;
}

void issuer_release(struct issuer **issuer)
{
    struct issuer *released = *issuer;

    *issuer = NULL;
    if (!released || atomic_fetch_sub(&released->owners, 1) != 1)
        return;
    issuer_keys_release(&released->keys);
    arena_free(&released->memory);
    free(released);
}

/* ---- the list ---- */

static void release_list(struct issuer_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        issuer_release(&list->items[i]);
    free(list->items);
    *list = (struct issuer_list){0};
}

static enum err check_name(const struct issuers *issuers, const struct issuer_spec *specs,
                           size_t index, struct error *error)
{
    if (str_eq(specs[index].name, issuers->own_name))
        return error_set(error, ERR_BAD_INPUT,
                         "auth.issuers: %.*s is auth.issuer, the name in our own tokens",
                         STR_ARG(specs[index].name));
    for (size_t i = 0; i < index; i++) {
        if (str_eq(specs[i].name, specs[index].name))
            return error_set(error, ERR_BAD_INPUT, "auth.issuers: two have the name %.*s",
                             STR_ARG(specs[index].name));
    }
    return ERR_OK;
}

static enum err make_list(const struct issuers *issuers, const struct issuer_spec *specs,
                          size_t count, struct issuer_list *list_out, struct error *error)
{
    struct issuer_list list = {.items = calloc(count + 1, sizeof(struct issuer *))};
    enum err err = list.items ? ERR_OK : ERR_NO_MEMORY;

    for (size_t i = 0; i < count && !err; i++) {
        err = check_name(issuers, specs, i, error);
        if (!err)
            err = issuer_new(&specs[i], &list.items[list.count], error);
        if (!err)
            list.count++;
    }
    if (err)
        release_list(&list);
    *list_out = list;
    return err;
}

/* Servers are asked again; until they answer, what they said last is good. So is what a file held that
 * cannot be used now. */
static void take_over_locked(const struct issuer_list *from, struct issuer_list *to)
{
    for (size_t i = 0; i < to->count; i++) {
        struct issuer *issuer = to->items[i];
        for (size_t j = 0; j < from->count && !issuer->keys; j++) {
            const struct issuer *old = from->items[j];
            if (!issuer_spec_same_keys(&issuer->spec, &old->spec))
                continue;
            issuer->keys = issuer_keys_hold(old->keys);
            issuer->refetch = old->refetch;
            issuer->was_asked = old->was_asked;
            refetch_hurry(&issuer->refetch, clock_mono_ns());
        }
    }
}

enum err issuers_set(struct issuers *issuers, const struct issuer_spec *specs, size_t count,
                     struct error *error)
{
    struct issuer_list fresh, old;
    enum err err = make_list(issuers, specs, count, &fresh, error);

    if (err)
        return err;
    lock_acquire(&issuers->lock);
    old = issuers->list;
    take_over_locked(&old, &fresh);
    issuers->list = fresh;
    atomic_store(&issuers->count, fresh.count);
    atomic_fetch_add(&issuers->generation, 1);
    lock_cond_broadcast(&issuers->changed);
    lock_release(&issuers->lock);
    release_list(&old);
    return ERR_OK;
}

/* ---- opening and closing ---- */

static enum err fill(struct issuers *issuers, const struct issuers_options *options,
                     struct error *error)
{
    issuers->memory = arena_new(256, 0);
    if (!issuers->memory)
        return ERR_NO_MEMORY;
    issuers->own_name = str_dup(issuers->memory, options->own_name);
    issuers->rules.admin_group = str_dup(issuers->memory, options->admin_group);
    if (!issuers->own_name.ptr || !issuers->rules.admin_group.ptr)
        return ERR_NO_MEMORY;
    issuers->rules.leeway_s = options->leeway_s;
    issuers->users = options->users;
    issuers->fetch_timeout_ms =
        options->fetch_timeout_ms > 0 ? options->fetch_timeout_ms : FETCH_TIMEOUT_MS;
    issuers->look_ms = options->look_ms > 0 ? options->look_ms : LOOK_MS;
    enum err err = issuer_cache_new(&issuers->cache);
    return err ? err : issuers_set(issuers, options->specs, options->spec_count, error);
}

enum err issuers_new(const struct issuers_options *options, struct issuers **issuers_out,
                     struct error *error)
{
    struct issuers *issuers = calloc(1, sizeof *issuers);

    *issuers_out = NULL;
    if (!issuers)
        return ERR_NO_MEMORY;
    lock_init(&issuers->lock, LOCK_RANK_LEAF, "issuers");
    lock_cond_init(&issuers->changed);
    atomic_init(&issuers->stops, false);
    atomic_init(&issuers->generation, 1);
    atomic_init(&issuers->count, 0);
    enum err err = fill(issuers, options, error);
    if (err)
        issuers_free(&issuers);
    *issuers_out = issuers;
    return err;
}

void issuers_free(struct issuers **issuers)
{
    struct issuers *freed = *issuers;

    *issuers = NULL;
    if (!freed)
        return;
    if (freed->has_thread) {
        lock_acquire(&freed->lock);
        atomic_store(&freed->stops, true);
        lock_cond_broadcast(&freed->changed);
        lock_release(&freed->lock);
        pthread_join(freed->thread, NULL);
    }
    release_list(&freed->list);
    issuer_cache_free(&freed->cache);
    lock_cond_fini(&freed->changed);
    lock_fini(&freed->lock);
    arena_free(&freed->memory);
    free(freed);
}

static void *run(void *arg)
{
    issuers_refresh(arg);
    return NULL;
}

enum err issuers_start(struct issuers *issuers, struct error *error)
{
    enum err err = thread_start(&issuers->thread, "cw-issuers", 0, run, issuers, error);

    issuers->has_thread = err == ERR_OK;
    return err;
}

static bool were_asked_locked(const struct issuers *issuers)
{
    for (size_t i = 0; i < issuers->list.count; i++) {
        const struct issuer *issuer = issuers->list.items[i];
        if (issuer->spec.jwks_url.len > 0 && !issuer->was_asked)
            return false;
    }
    return true;
}

bool issuers_wait(struct issuers *issuers, int64_t deadline_ns)
{
    bool in_time = true;

    if (atomic_load(&issuers->count) == 0)
        return true;
    lock_acquire(&issuers->lock);
    while (in_time && !were_asked_locked(issuers))
        in_time = lock_cond_wait(&issuers->changed, &issuers->lock, deadline_ns);
    bool were_asked = were_asked_locked(issuers);
    lock_release(&issuers->lock);
    return were_asked;
}
