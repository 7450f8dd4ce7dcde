/* The life of the store, and dropping what lies under a path. */
#include "gateway/store.h"

#include "cachewarden/clock.h"
#include "cachewarden/digest.h"
#include "cachewarden/entries.h"
#include "cachewarden/redis_error.h"
#include "entries/service.h"
#include "gateway/store_private.h"

#include <stdlib.h>

enum err gateway_store_new(struct app *app, size_t memory_bytes, struct gateway_store **store_out,
                           struct error *error)
{
    struct gateway_store *store = calloc(1, sizeof *store);

    *store_out = NULL;
    if (!store)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for the gateway");
    store->app = app;
    enum err err = memory_new(memory_bytes, &store->memory, error);
    if (err == ERR_OK)
        *store_out = store;
    else
        gateway_store_free(&store);
    return err;
}

void gateway_store_free(struct gateway_store **store)
{
    struct gateway_store *closing = *store;

    *store = NULL;
    if (closing)
        memory_free(&closing->memory);
    free(closing);
}

void gateway_store_read_use(struct gateway_store *store, struct memory_use *use_out)
{
    memory_read_use(store->memory, use_out);
}

/*
 * What is stored and good still tells of all clears and drops at once, and not of those that are about something else.
 * Where nothing is, nobody knows which tags the response will have, and any clear may be about one. The base of
 * the hash of models is not among it: of many who miss at once some look before it is made, others behind that.
 */
enum err gateway_look_begun(const struct gateway_look *look, struct gateway_digest *begun_out)
{
    bool is_good = look->stored && !look->is_outdated;
    unsigned char whole[DIGEST_SHA256_SIZE] = {0};
    const struct str parts[] = {
        {(const char *)look->entry.bytes, sizeof look->entry.bytes},
        {(const char *)&look->numbers_version, sizeof look->numbers_version},
        {(const char *)look->drop, sizeof look->drop},
        is_good ? (struct str){(const char *)look->seen, sizeof look->seen}
                : (struct str){(const char *)&look->tags.any, sizeof look->tags.any},
    };
    enum err err = digest_sha256_of(parts, sizeof parts / sizeof *parts, whole);

    memcpy(begun_out->bytes, whole, sizeof begun_out->bytes);
    return err;
}

struct entry_request store_models_request(const struct gateway_store *store, struct work work)
{
    return (struct entry_request){.app = store->app, .work = work, .space = namespace_of_gateway()};
}

/* A stamp is a few bytes for minutes, in the place of what goes, so that it need not wait for room. But whoever can
 * make many changes must not fill Redis with stamps. */
static bool may_stamp(struct gateway_store *store, size_t count, int64_t deadline_ns)
{
    int64_t now_ns = clock_mono_ns(), since_ns = atomic_load(&store->unroomed_since_ns);

    if (entries_take_room(store->app->entries, count * STORED_STAMP_SIZE, deadline_ns))
        return true;
    if (now_ns - since_ns > STORE_LIFE_MIN_MS * NS_PER_MS &&
        atomic_compare_exchange_strong(&store->unroomed_since_ns, &since_ns, now_ns))
        atomic_store(&store->unroomed, 0);
    return atomic_fetch_add(&store->unroomed, (int64_t)count) + (int64_t)count <=
           STORE_UNROOMED_MAX;
}

enum err gateway_store_drop_paths(struct gateway_store *store, const struct gateway_path *paths,
                                  size_t count, struct work work)
{
    struct pipeline *pipeline = pipeline_new(work.arena, PIPELINE_WRITE);
    bool is_stamped = may_stamp(store, count, work.deadline_ns);

    for (size_t i = 0; i < count; i++) {
        const struct gateway_key key = {.user_id = paths[i].user_id};
        const struct namespace space = gateway_key_space(&key);
        struct key name = key_response(&space, paths[i].digest.bytes);
        store_record_drop(pipeline, &name, is_stamped);
    }
    enum err err = redis_run(entries_redis(store->app->entries), pipeline, work);
    return err == ERR_OK && !is_stamped
               ? redis_error_set(work.error, ERR_UPSTREAM_REFUSED, REDIS_ERROR_NO_ROOM,
                                 "dropped, but there is no room for entries to remember it")
               : err;
}

enum err gateway_store_drop(struct gateway_store *store, const struct gateway_key *key,
                            struct work work)
{
    struct gateway_path path = {.user_id = key->user_id};
    enum err err = gateway_key_path(key, work.arena, &path.digest);

    return err == ERR_OK ? gateway_store_drop_paths(store, &path, 1, work) : err;
}
