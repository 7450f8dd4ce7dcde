#include "topology/node.h"

#include "pool.h"

#include <stdatomic.h>
#include <stdlib.h>

struct redis_node {
    struct pool *pool;
    char *host;
    int port;
    atomic_uint holds;
};

enum err node_options_copy(const struct redis_options *from, struct redis_options *options_out,
                           struct error *error)
{
    struct redis_options copy = *from;
    enum err err = redis_address_copy(&from->address, &copy.address);

    if (!err && from->client_name && !(copy.client_name = strdup(from->client_name))) {
        redis_address_fini(&copy.address);
        err = ERR_NO_MEMORY;
    }
    if (err)
        return error_set(error, err, "out of memory");
    copy.topology = (struct redis_topology){0};
    *options_out = copy;
    return ERR_OK;
}

void node_options_fini(struct redis_options *options)
{
    redis_address_fini(&options->address);
    free((char *)(uintptr_t)options->client_name);
    options->client_name = NULL;
}

enum err node_open(const struct redis_options *options, const char *host, int port,
                   struct redis_node **node_out, struct error *error)
{
    struct redis_node *node = calloc(1, sizeof *node);
    struct redis_options own = *options;

    *node_out = NULL;
    if (!node || !(node->host = strdup(host))) {
        free(node);
        return error_set(error, ERR_NO_MEMORY, "out of memory");
    }
    node->port = port;
    /* Borrowed: the pool makes its own copy. */
    own.address.host = node->host;
    own.address.unix_path = NULL;
    own.address.port = port;
    enum err err = pool_open(&own, &node->pool, error);
    if (err) {
        free(node->host);
        free(node);
        return err;
    }
    atomic_init(&node->holds, 1);
    *node_out = node;
    return ERR_OK;
}

struct redis_node *node_hold(struct redis_node *node)
{
    atomic_fetch_add_explicit(&node->holds, 1, memory_order_relaxed);
    return node;
}

void node_release(struct redis_node **node)
{
    struct redis_node *released = *node;

    *node = NULL;
    if (!released || atomic_fetch_sub_explicit(&released->holds, 1, memory_order_acq_rel) > 1)
        return;
    pool_close(&released->pool);
    free(released->host);
    free(released);
}

void node_drop(struct redis_node **node)
{
    if (*node)
        pool_renew((*node)->pool);
    node_release(node);
}

struct pool *node_pool(const struct redis_node *node)
{
    return node->pool;
}

const char *node_host(const struct redis_node *node)
{
    return node->host;
}

int node_port(const struct redis_node *node)
{
    return node->port;
}
