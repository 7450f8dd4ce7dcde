/* From the configured list of named caches to targets with a pool each. */
#include "caches/targets.h"

#include "cachewarden/caches.h"
#include "keyspace.h"

#include <stdlib.h>

enum {
    /* Flushes are rare; two at once are plenty, and more are batched. */
    TARGET_POOL_SIZE = 2,
    /* A key of Redis may be 512 MiB; a configured one is a name people type. */
    KEY_LIMIT = 1024,
    /* What one flush sends in one pipeline. */
    KEYS_LIMIT = 256,
};

#define REFUSE(error, spec, text) \
    error_set((error), ERR_BAD_INPUT, "caches: %.*s: " text, STR_ARG(str_sub((spec)->name, 0, 64)))

/* As far as it shows without asking anybody. What does not show (a Unix socket and a port of one
 * server, two names of one host) is found out before each FLUSHDB, see caches.c. */
static bool is_control_database(const struct redis_address *address,
                                const struct redis_address *control)
{
    return address->database == control->database && redis_address_same_server(address, control);
}

static enum err check_spec(const struct cache_spec *spec, const struct caches *caches,
                           struct error *error)
{
    if (!key_is_cache_name(spec->name))
        return error_set(error, ERR_BAD_INPUT,
                         "caches: \"%.*s\" is no name: use 1 to 64 of a-z A-Z 0-9 . _ -",
                         STR_ARG(str_sub(spec->name, 0, 64)));
    for (size_t i = 0; i < caches->count; i++) {
        if (str_eq(caches->targets[i].name, spec->name))
            return REFUSE(error, spec, "there are two of this name; rename one");
    }
    switch (spec->kind) {
    case CACHE_KEYS:
        if (spec->key_count == 0)
            return REFUSE(error, spec, "lists no keys; name at least one");
        if (spec->key_count > KEYS_LIMIT)
            return REFUSE(error, spec, "lists more than 256 keys; split it");
        return ERR_OK;
    case CACHE_DATABASE:
        if (spec->database < 0)
            return REFUSE(error, spec, "a database has a number from 0 up");
        return ERR_OK;
    case CACHE_PREFIX:
        if (str_eq(spec->name, STR("messages")) || str_eq(spec->name, STR("search")))
            return REFUSE(error, spec,
                          "the route that empties it says at once what it removed, which a prefix "
                          "cannot; use keys or database");
        return ERR_OK;
    }
    return REFUSE(error, spec, "has no kind; give it keys, database or prefix");
}

static enum err copy_keys(struct target *target, const struct cache_spec *spec, struct arena *arena,
                          struct str environment, struct error *error)
{
    target->key_count = spec->key_count;
    target->keys = arena_calloc(arena, spec->key_count, sizeof *target->keys);
    if (!target->keys)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for the named caches");
    for (size_t i = 0; i < spec->key_count; i++) {
        struct str key = key_of_cache(arena, spec->keys[i], environment);
        if (!key.ptr)
            return error_set_detail(error, ERR_NO_MEMORY, "no memory for the named caches");
        if (key.len == 0 || key.len > KEY_LIMIT)
            return REFUSE(error, spec, "a key has 1 to 1024 bytes");
        if (key_is_ours(key))
            return REFUSE(error, spec, "keys that start with cw: are control data; name others");
        target->keys[i] = key;
    }
    return ERR_OK;
}

static enum err copy_prefix(struct target *target, const struct cache_spec *spec,
                            struct arena *arena, struct str environment, struct error *error)
{
    target->prefix = key_of_cache(arena, spec->prefix, environment);
    if (!target->prefix.ptr)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for the named caches");
    if (target->prefix.len == 0 || target->prefix.len > KEY_LIMIT)
        return REFUSE(error, spec, "a prefix has 1 to 1024 bytes");
    if (key_prefix_reaches_ours(target->prefix))
        return REFUSE(error, spec,
                      "keys that start with cw: are control data, and this prefix reaches them");
    return ERR_OK;
}

/* The server and database of a target: its own URL, or the control data's server. */
static enum err find_address(const struct cache_spec *spec, const struct redis_address *control,
                             struct redis_address *address_out, struct error *error)
{
    if (spec->redis_url.len == 0) {
        enum err err = redis_address_copy(control, address_out);
        if (err != ERR_OK)
            return error_set_detail(error, err, "no memory for the named caches");
        if (spec->kind == CACHE_DATABASE)
            address_out->database = spec->database;
        return ERR_OK;
    }

    struct error cause = {0};
    enum err err = redis_address_parse(spec->redis_url, address_out, &cause);
    if (err != ERR_OK)
        return error_set(error, err, "caches: %.*s: redis_url: %s", STR_ARG(spec->name),
                         cause.caller);
    err = redis_address_copy_tls(control, address_out);
    if (err != ERR_OK) {
        redis_address_fini(address_out);
        return error_set_detail(error, err, "no memory for the named caches");
    }
    if (spec->kind != CACHE_DATABASE || spec->database == 0)
        return ERR_OK;
    if (address_out->database != 0 && address_out->database != spec->database) {
        redis_address_fini(address_out);
        return REFUSE(error, spec, "database and redis_url name two databases; keep one");
    }
    address_out->database = spec->database;
    return ERR_OK;
}

static enum err open_pool(struct target *target, const struct cache_spec *spec,
                          const struct redis_options *control, struct error *error)
{
    struct redis_options options = *control;
    enum err err = find_address(spec, &control->address, &options.address, error);

    if (err != ERR_OK)
        return err;
    if (spec->kind == CACHE_DATABASE && is_control_database(&options.address, &control->address)) {
        err = REFUSE(error, spec, "its database holds the control data; give it one of its own");
    } else {
        options.size = TARGET_POOL_SIZE;
        if (spec->redis_url.len > 0) /* which leads to one server */
            options.topology = (struct redis_topology){0};
        /* A scan is of one Redis, and begins anew on another one. */
        options.asks_replication_id = spec->kind == CACHE_PREFIX;
        err = redis_open(&options, &target->redis, error);
        target->owns_redis = err == ERR_OK;
    }
    redis_address_fini(&options.address);
    return err;
}

static enum err add_target(struct caches *caches, const struct app_options *options,
                           const struct cache_spec *spec, struct redis *control,
                           struct error *error)
{
    struct target *target = &caches->targets[caches->count];
    enum err err = check_spec(spec, caches, error);

    if (err != ERR_OK)
        return err;
    target->kind = spec->kind;
    target->name = str_dup(caches->arena, spec->name);
    target->counts = arena_calloc(caches->arena, 1, sizeof *target->counts);
    if (!target->name.ptr || !target->counts)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for the named caches");
    if (spec->kind == CACHE_KEYS)
        err = copy_keys(target, spec, caches->arena, options->environment, error);
    else if (spec->kind == CACHE_PREFIX)
        err = copy_prefix(target, spec, caches->arena, options->environment, error);
    if (err != ERR_OK)
        return err;

    if (spec->kind == CACHE_KEYS && spec->redis_url.len == 0)
        target->redis = control;
    else
        err = open_pool(target, spec, &options->control, error);
    if (err == ERR_OK)
        caches->count++;
    return err;
}

enum err caches_open(const struct app_options *options, struct redis *control,
                     struct caches **caches_out, struct error *error)
{
    struct caches *caches = calloc(1, sizeof *caches);
    enum err err = ERR_OK;

    if (!caches)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for the named caches");
    caches->arena = arena_new(4096, 0);
    if (caches->arena)
        caches->targets =
            arena_calloc(caches->arena, options->cache_count, sizeof *caches->targets);
    if (!caches->targets)
        err = error_set_detail(error, ERR_NO_MEMORY, "no memory for the named caches");
    for (size_t i = 0; i < options->cache_count && err == ERR_OK; i++)
        err = add_target(caches, options, &options->caches[i], control, error);
    if (err != ERR_OK)
        caches_close(&caches);
    *caches_out = caches;
    return err;
}

enum err caches_renew_tls(struct caches *caches, const struct redis_address *files,
                          bool changed_out[TLS_PARTS], struct error *error)
{
    memset(changed_out, 0, TLS_PARTS * sizeof *changed_out);
    for (size_t i = 0; i < caches->count; i++) {
        bool changed[TLS_PARTS];
        if (!caches->targets[i].owns_redis)
            continue;
        enum err err = redis_renew_tls(caches->targets[i].redis, files, changed, error);
        if (err != ERR_OK)
            return err;
        for (int part = 0; part < TLS_PARTS; part++)
            changed_out[part] = changed_out[part] || changed[part];
    }
    return ERR_OK;
}

static enum err renew_login(const struct target *target, const struct redis_address *control,
                            const struct cache_spec *spec, bool *changed_out, struct error *error)
{
    struct redis_address address;
    enum err err = find_address(spec, control, &address, error);

    if (err != ERR_OK)
        return err;
    err = redis_renew_login(target->redis, &address, changed_out, error);
    redis_address_fini(&address);
    return err;
}

enum err caches_renew_login(struct caches *caches, const struct redis_address *control,
                            const struct cache_spec *specs, size_t count, bool *changed_out,
                            struct error *error)
{
    enum err err = ERR_OK;

    *changed_out = false;
    for (size_t i = 0; i < caches->count; i++) {
        const struct target *target = &caches->targets[i];
        for (size_t k = 0; err == ERR_OK && target->owns_redis && k < count; k++) {
            bool changed = false;
            if (str_eq(specs[k].name, target->name))
                err = renew_login(target, control, &specs[k], &changed, error);
            *changed_out = *changed_out || changed;
        }
    }
    return err;
}

void caches_close(struct caches **caches)
{
    if (!*caches)
        return;
    for (size_t i = 0; i < (*caches)->count; i++) {
        if ((*caches)->targets[i].owns_redis)
            redis_close(&(*caches)->targets[i].redis);
    }
    arena_free(&(*caches)->arena);
    free(*caches);
    *caches = NULL;
}
