/* Watches are made, shared and ended; what the thread of one does is in sentinel_round.c. */
#include "topology/sentinel_watch_private.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct lock lock;               /* of the list; a leaf */
static struct sentinel_watch *watches; /* guarded by it */

static void set_up(void)
{
    lock_init(&lock, LOCK_RANK_LEAF, "sentinel watches");
}

/* ---- one is made ---- */

static void free_watch(struct sentinel_watch *watch)
{
    atomic_store(&watch->is_ending, true);
    periodic_stop(&watch->thread);
    for (size_t i = 0; watch->peers && i < watch->count; i++) {
        sentinel_link_free(&watch->peers[i].link);
        free(watch->peers[i].name);
    }
    if (watch->password)
        secret_wipe(watch->password, strlen(watch->password));
    redis_address_fini(&watch->address);
    free(watch->peers);
    free(watch->master_name);
    free(watch->username);
    free(watch->password);
    lock_cond_fini(&watch->changed);
    lock_fini(&watch->lock);
    free(watch);
}

static bool copy_text(const char *from, char **to)
{
    *to = from ? strdup(from) : NULL;
    return !from || *to;
}

/* Its address with the passwords that are for sentinels. */
static enum err open_link(const struct redis_options *options, const char *endpoint,
                          struct sentinel_link **link_out, struct error *error)
{
    const struct redis_topology *topology = &options->topology;
    struct redis_address address;
    char url[SENTINEL_HOST_SIZE + 32];
    int written = snprintf(url, sizeof url, "redis://%s", endpoint);

    if (written < 0 || (size_t)written >= sizeof url ||
        redis_address_parse(str_from(url), &address, NULL) != ERR_OK)
        return error_set(error, ERR_BAD_INPUT, "redis.sentinels must hold \"host:port\"");
    address.tls = topology->sentinel_tls;
    bool whole = copy_text(topology->sentinel_username, &address.username);
    whole = copy_text(topology->sentinel_password, &address.password) && whole;
    enum err err = redis_address_copy_tls(&options->address, &address);
    if (!whole || err)
        err = error_set(error, ERR_NO_MEMORY, "out of memory");
    else
        err = sentinel_link_new(&address, link_out, error);
    redis_address_fini(&address);
    return err;
}

static enum err fill(struct sentinel_watch *watch, const struct redis_options *options,
                     struct error *error)
{
    const struct redis_topology *topology = &options->topology;
    enum err err = redis_address_copy(&options->address, &watch->address);
    bool whole = copy_text(topology->master_name, &watch->master_name);

    whole = copy_text(topology->sentinel_username, &watch->username) && whole;
    whole = copy_text(topology->sentinel_password, &watch->password) && whole;
    watch->peers = calloc(topology->endpoint_count, sizeof *watch->peers);
    if (err || !whole || !watch->peers)
        return error_set(error, ERR_NO_MEMORY, "out of memory");
    watch->is_tls = topology->sentinel_tls;
    watch->patience = (struct sentinel_patience){.connect_ms = options->connect_timeout_ms,
                                                 .answer_ms = options->command_timeout_ms};
    for (; watch->count < topology->endpoint_count; watch->count++) {
        struct sentinel_peer *peer = &watch->peers[watch->count];
        const char *endpoint = topology->endpoints[watch->count];
        if (!copy_text(endpoint, &peer->name))
            return error_set(error, ERR_NO_MEMORY, "out of memory");
        err = open_link(options, endpoint, &peer->link, error);
        if (err) {
            free(peer->name);
            return err;
        }
    }
    return ERR_OK;
}

static enum err make(const struct redis_options *options, struct sentinel_watch **watch_out,
                     struct error *error)
{
    struct sentinel_watch *watch = calloc(1, sizeof *watch);

    if (!watch)
        return error_set(error, ERR_NO_MEMORY, "out of memory");
    lock_init(&watch->lock, LOCK_RANK_LEAF, "sentinel watch");
    lock_cond_init(&watch->changed);
    enum err err = fill(watch, options, error);
    if (err)
        free_watch(watch);
    else
        *watch_out = watch;
    return err;
}

/* ---- it is shared ---- */

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Passwords of Redis, too: who does not get in with one may with another. */
static bool serves(const struct sentinel_watch *watch, const struct redis_options *options)
{
    const struct redis_topology *topology = &options->topology;
    const struct redis_address *address = &options->address;
    bool is_same = watch->count == topology->endpoint_count &&
                   same(watch->master_name, topology->master_name) &&
                   same(watch->username, topology->sentinel_username) &&
                   same(watch->password, topology->sentinel_password) &&
                   watch->is_tls == topology->sentinel_tls &&
                   same(watch->address.username, address->username) &&
                   same(watch->address.password, address->password) &&
                   watch->address.tls == address->tls;

    for (size_t i = 0; i < watch->count && is_same; i++)
        is_same = same(watch->peers[i].name, topology->endpoints[i]);
    return is_same;
}

static struct sentinel_watch *find_locked(const struct redis_options *options) CW_NEEDS_LOCK(&lock)
{
    struct sentinel_watch *watch = watches;

    while (watch && !serves(watch, options))
        watch = watch->next;
    if (watch)
        watch->users++;
    return watch;
}

/* Two that open the first front at once may both make one: that costs questions, and harms nothing. */
static enum err find_or_make(const struct redis_options *options, struct sentinel_watch **watch_out,
                             struct error *error)
{
    pthread_once(&once, set_up);
    lock_acquire(&lock);
    struct sentinel_watch *watch = find_locked(options);
    lock_release(&lock);
    if (watch) {
        *watch_out = watch;
        return ERR_OK;
    }
    enum err err = make(options, &watch, error);
    if (err)
        return err;
    watch->users = 1;
    lock_acquire(&lock);
    watch->next = watches;
    watches = watch;
    lock_release(&lock);
    *watch_out = watch;
    return ERR_OK;
}

/* True: it was the last. */
static bool unlist(struct sentinel_watch *watch)
{
    lock_acquire(&lock);
    bool is_last = --watch->users == 0;
    struct sentinel_watch **at = &watches;
    while (is_last && *at != watch)
        at = &(*at)->next;
    if (is_last)
        *at = watch->next;
    lock_release(&lock);
    return is_last;
}

/* ---- followers ---- */

static void wait_told_locked(struct sentinel_watch *watch) CW_NEEDS_LOCK(&watch->lock)
{
    while (watch->is_telling)
        (void)lock_cond_wait(&watch->changed, &watch->lock, INT64_MAX);
}

static void add_follower(struct sentinel_watch *watch, struct sentinel_follower *follower)
{
    lock_acquire(&watch->lock);
    wait_told_locked(watch);
    follower->next = watch->followers;
    watch->followers = follower;
    struct sentinel_primary primary = watch->primary;
    lock_release(&watch->lock);
    /* Before the thread starts, or beside it: it tells again what it knows then. */
    if (primary.port > 0)
        follower->lead_to(follower, &primary);
}

static void remove_follower(struct sentinel_watch *watch, struct sentinel_follower *follower)
{
    lock_acquire(&watch->lock);
    wait_told_locked(watch);
    struct sentinel_follower **at = &watch->followers;
    while (*at && *at != follower)
        at = &(*at)->next;
    if (*at)
        *at = follower->next;
    lock_release(&watch->lock);
}

enum err sentinel_watch_join(const struct redis_options *options,
                             struct sentinel_follower *follower, struct sentinel_watch **watch_out,
                             struct error *error)
{
    struct sentinel_watch *watch;
    enum err err = find_or_make(options, &watch, error);

    *watch_out = NULL;
    if (err)
        return err;
    add_follower(watch, follower);
    lock_acquire(&lock);
    bool is_first = !watch->is_started;
    watch->is_started = true;
    lock_release(&lock);
    if (is_first)
        err = periodic_start("cw-sentinel", sentinel_watch_round, watch, &watch->thread, error);
    *watch_out = watch;
    if (err)
        sentinel_watch_leave(watch_out, follower);
    return err;
}

void sentinel_watch_leave(struct sentinel_watch **watch, struct sentinel_follower *follower)
{
    struct sentinel_watch *left = *watch;

    *watch = NULL;
    if (!left)
        return;
    remove_follower(left, follower);
    if (unlist(left))
        free_watch(left);
}

void sentinel_watch_await(struct sentinel_watch *watch, int64_t deadline_ns)
{
    if (watch->thread)
        (void)periodic_wait_first(watch->thread, deadline_ns);
}

void sentinel_watch_read(struct sentinel_watch *watch, struct redis_sentinels *sentinels_out)
{
    lock_acquire(&watch->lock);
    sentinel_watch_report_locked(watch, sentinels_out);
    lock_release(&watch->lock);
}

enum err sentinel_watch_renew_tls(struct sentinel_watch *watch, const struct redis_address *files,
                                  struct error *error)
{
    enum err err = ERR_OK;

    for (size_t i = 0; i < watch->count && !err; i++)
        err = sentinel_link_renew_tls(watch->peers[i].link, files, error);
    if (err)
        return err;
    lock_acquire(&watch->lock);
    err = redis_address_copy_tls(files, &watch->address);
    lock_release(&watch->lock);
    return err ? error_set(error, err, "out of memory") : ERR_OK;
}

enum err sentinel_watch_renew_login(struct sentinel_watch *watch,
                                    const struct redis_address *address)
{
    bool ignored;

    lock_acquire(&watch->lock);
    enum err err = redis_address_copy_login(address, &watch->address, &ignored);
    lock_release(&watch->lock);
    return err;
}
