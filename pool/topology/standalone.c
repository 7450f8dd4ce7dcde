/* One server whose address the settings name: one pool, for as long as the front is there. */
#include "pool.h"
#include "topology/topology.h"

#include <stdlib.h>

static void standalone_visit(struct topology *topology, topology_visit *visit, void *with)
{
    visit(topology->pool, with);
}

static enum err standalone_renew_tls(struct topology *topology, const struct redis_address *files,
                                     bool changed_out[TLS_PARTS], struct error *error)
{
    return pool_renew_tls(topology->pool, files, changed_out, error);
}

static enum err standalone_renew_login(struct topology *topology,
                                       const struct redis_address *address, bool *changed_out,
                                       struct error *error)
{
    return pool_renew_login(topology->pool, address, changed_out, error);
}

static bool standalone_is_down(struct topology *topology)
{
    return pool_is_down(topology->pool);
}

static void standalone_close(struct topology *topology)
{
    pool_close(&topology->pool);
    free(topology);
}

enum err standalone_open(const struct redis_options *options, struct topology **topology_out,
                         struct error *error)
{
    static const struct topology_ops ops = {
        .visit = standalone_visit,
        .renew_tls = standalone_renew_tls,
        .renew_login = standalone_renew_login,
        .is_down = standalone_is_down,
        .close = standalone_close,
    };
    struct topology *topology = calloc(1, sizeof *topology);

    if (!topology)
        return error_set(error, ERR_NO_MEMORY, "out of memory");
    topology->ops = &ops;
    enum err err = pool_open(options, &topology->pool, error);
    if (err)
        free(topology);
    else
        *topology_out = topology;
    return err;
}
