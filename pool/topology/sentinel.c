/*
 * One primary whose address the sentinels know: one node, and another one when the primary moves. Pipelines that are
 * under way on the old one end there; what they wrote may be lost with it, and is not called done.
 */
#include "cachewarden/redis_error.h"
#include "pool.h"
#include "stats.h"
#include "topology/node.h"
#include "topology/sentinel_watch.h"
#include "topology/topology.h"

#include "cachewarden/lock.h"
#include "cachewarden/log.h"

#include <stdlib.h>
#include <strings.h>

struct sentinel_topology {
    struct topology base;
    struct sentinel_follower follower;
    struct sentinel_watch *watch;
    struct lock lock; /* a leaf */
    /* Guarded by lock. */
    struct redis_options options; /* of a node, but for where it is */
    struct redis_node *node;      /* NULL: the primary is not known yet */
    struct redis_stats past;      /* counters of nodes that were dropped */
};

static struct sentinel_topology *self_of(struct topology *topology)
{
    return (struct sentinel_topology *)(void *)topology;
}

static struct sentinel_topology *self_of_follower(struct sentinel_follower *follower)
{
    return (struct sentinel_topology *)(void *)((char *)follower -
                                                offsetof(struct sentinel_topology, follower));
}

/* The node of now, held; NULL: none. */
static struct redis_node *hold(struct sentinel_topology *self)
{
    lock_acquire(&self->lock);
    struct redis_node *node = self->node ? node_hold(self->node) : NULL;
    lock_release(&self->lock);
    return node;
}

static bool is_current(struct sentinel_topology *self, const struct redis_node *node)
{
    lock_acquire(&self->lock);
    bool is_current = self->node == node;
    lock_release(&self->lock);
    return is_current;
}

/* ---- the primary moves ---- */

/* What the node counted counts on; what it has at the moment does not. */
static void read_counts(struct sentinel_topology *self, struct redis_stats *stats_out)
{
    struct redis_node *node = hold(self);

    *stats_out = (struct redis_stats){0};
    if (node)
        pool_stats_read(node_pool(node), stats_out);
    node_release(&node);
    stats_out->size = stats_out->idle = stats_out->busy = 0;
    stats_out->connecting = stats_out->under_way = 0;
    stats_out->breaker_open = false;
}

static bool is_there(struct sentinel_topology *self, const struct sentinel_primary *primary)
{
    struct redis_node *node = hold(self);
    bool is_there =
        node && node_port(node) == primary->port && strcasecmp(node_host(node), primary->host) == 0;

    node_release(&node);
    return is_there;
}

static enum err open_node(struct sentinel_topology *self, const struct sentinel_primary *primary,
                          struct redis_node **node_out, struct error *error)
{
    struct redis_options options;

    lock_acquire(&self->lock);
    enum err err = node_options_copy(&self->options, &options, error);
    lock_release(&self->lock);
    if (err)
        return err;
    err = node_open(&options, primary->host, primary->port, node_out, error);
    node_options_fini(&options);
    return err;
}

static void lead_to(struct sentinel_follower *follower, const struct sentinel_primary *primary)
{
    struct sentinel_topology *self = self_of_follower(follower);
    struct redis_node *node;
    struct redis_stats counts;
    struct error error = {0};

    if (is_there(self, primary))
        return;
    if (open_node(self, primary, &node, &error) != ERR_OK) {
        log_event(LOG_LEVEL_ERROR, "redis.primary_unused", LOG_CSTR("host", primary->host),
                  LOG_CSTR("why", error.caller));
        return;
    }
    read_counts(self, &counts);
    lock_acquire(&self->lock);
    struct redis_node *old = self->node;
    self->node = node;
    stats_add(&self->past, &counts);
    lock_release(&self->lock);
    node_drop(&old);
}

static bool is_in_trouble(struct sentinel_follower *follower)
{
    struct redis_node *node = hold(self_of_follower(follower));
    bool is_in_trouble = !node || pool_is_in_trouble(node_pool(node));

    node_release(&node);
    return is_in_trouble;
}

/* ---- what the front asks for ---- */

/* The first answer of the sentinels is waited for, no later one. */
static enum err hold_first(struct sentinel_topology *self, int64_t deadline_ns,
                           struct redis_node **node_out, struct error *error)
{
    struct redis_sentinels sentinels;

    *node_out = hold(self);
    if (*node_out)
        return ERR_OK;
    sentinel_watch_await(self->watch, deadline_ns);
    *node_out = hold(self);
    if (*node_out)
        return ERR_OK;
    sentinel_watch_read(self->watch, &sentinels);
    return redis_error_set(error, ERR_UPSTREAM_DOWN, REDIS_ERROR_UNAVAILABLE, "%s",
                           sentinels.trouble[0] ? sentinels.trouble
                                                : "the sentinels have not answered yet");
}

static enum err sentinel_run(struct topology *topology, struct pipeline *pipeline,
                             int64_t deadline_ns, struct error *error)
{
    struct sentinel_topology *self = self_of(topology);
    struct redis_node *node;
    enum err err = hold_first(self, deadline_ns, &node, error);

    if (err)
        return err;
    err = pool_run(node_pool(node), pipeline, deadline_ns, error);
    bool is_outdated = !err && pipeline_writes(pipeline) && !is_current(self, node);
    node_release(&node);
    if (is_outdated)
        err = redis_error_set(error, ERR_UNCERTAIN, REDIS_ERROR_UNCERTAIN,
                              "the primary moved while a write was under way");
    return err;
}

static void sentinel_visit(struct topology *topology, topology_visit *visit, void *with)
{
    struct redis_node *node = hold(self_of(topology));

    if (node)
        visit(node_pool(node), with);
    node_release(&node);
}

static void sentinel_add_past(struct topology *topology, struct redis_stats *stats)
{
    struct sentinel_topology *self = self_of(topology);

    lock_acquire(&self->lock);
    stats_add(stats, &self->past);
    lock_release(&self->lock);
}

static enum err sentinel_renew_tls(struct topology *topology, const struct redis_address *files,
                                   bool changed_out[TLS_PARTS], struct error *error)
{
    struct sentinel_topology *self = self_of(topology);
    struct redis_node *node = hold(self);
    enum err err = ERR_OK;

    memset(changed_out, 0, TLS_PARTS * sizeof *changed_out);
    if (node)
        err = pool_renew_tls(node_pool(node), files, changed_out, error);
    node_release(&node);
    if (!err)
        err = sentinel_watch_renew_tls(self->watch, files, error);
    if (err)
        return err;
    lock_acquire(&self->lock);
    err = redis_address_copy_tls(files, &self->options.address);
    lock_release(&self->lock);
    return err ? error_set(error, err, "out of memory") : ERR_OK;
}

/* First for the nodes that are yet to come. */
static enum err sentinel_renew_login(struct topology *topology, const struct redis_address *address,
                                     bool *changed_out, struct error *error)
{
    struct sentinel_topology *self = self_of(topology);
    bool of_node = false;

    lock_acquire(&self->lock);
    enum err err = redis_address_copy_login(address, &self->options.address, changed_out);
    lock_release(&self->lock);
    if (!err) /* or who is named next would refuse it, and not be taken */
        err = sentinel_watch_renew_login(self->watch, address);
    if (err)
        return error_set(error, err, "out of memory");
    struct redis_node *node = hold(self);
    if (node)
        err = pool_renew_login(node_pool(node), address, &of_node, error);
    node_release(&node);
    return err;
}

static bool sentinel_is_down(struct topology *topology)
{
    struct redis_node *node = hold(self_of(topology));
    bool is_down = !node || pool_is_down(node_pool(node));

    node_release(&node);
    return is_down;
}

static void sentinel_read(struct topology *topology, struct redis_sentinels *sentinels_out)
{
    sentinel_watch_read(self_of(topology)->watch, sentinels_out);
}

static void sentinel_close(struct topology *topology)
{
    struct sentinel_topology *self = self_of(topology);

    sentinel_watch_leave(&self->watch, &self->follower);
    node_release(&self->node);
    node_options_fini(&self->options);
    lock_fini(&self->lock);
    free(self);
}

static enum err check(const struct redis_options *options, struct error *error)
{
    const struct redis_topology *topology = &options->topology;

    if (topology->endpoint_count == 0 || topology->endpoint_count > REDIS_SENTINELS_MAX)
        return error_set(error, ERR_BAD_INPUT, "redis.sentinels must name 1 to %d sentinels",
                         REDIS_SENTINELS_MAX);
    if (!topology->master_name || !topology->master_name[0])
        return error_set(error, ERR_BAD_INPUT, "redis.master_name is missing");
    if (options->address.unix_path)
        return error_set(error, ERR_BAD_INPUT, "sentinels name no Unix sockets");
    return ERR_OK;
}

/* A pool that is never used shows what is wrong with the options and the files for TLS. */
static enum err try_options(const struct redis_options *options, struct error *error)
{
    struct redis_node *node;
    enum err err = node_open(options, "sentinel", 1, &node, error);

    if (!err)
        node_release(&node);
    return err;
}

enum err sentinel_open(const struct redis_options *options, struct topology **topology_out,
                       struct error *error)
{
    static const struct topology_ops ops = {
        .run = sentinel_run,
        .visit = sentinel_visit,
        .add_past = sentinel_add_past,
        .renew_tls = sentinel_renew_tls,
        .renew_login = sentinel_renew_login,
        .is_down = sentinel_is_down,
        .read_sentinels = sentinel_read,
        .close = sentinel_close,
    };
    enum err err = check(options, error);

    if (!err)
        err = try_options(options, error);
    if (err)
        return err;
    struct sentinel_topology *self = calloc(1, sizeof *self);
    if (!self)
        return error_set(error, ERR_NO_MEMORY, "out of memory");
    self->base.ops = &ops;
    self->follower = (struct sentinel_follower){.lead_to = lead_to, .is_in_trouble = is_in_trouble};
    lock_init(&self->lock, LOCK_RANK_LEAF, "sentinel topology");
    err = node_options_copy(options, &self->options, error);
    if (!err)
        err = sentinel_watch_join(options, &self->follower, &self->watch, error);
    if (err)
        sentinel_close(&self->base);
    else
        *topology_out = &self->base;
    return err;
}
