#include "topology/topology.h"

enum err topology_open(const struct redis_options *options, struct topology **topology_out,
                       struct error *error)
{
    *topology_out = NULL;
    switch (options->topology.kind) {
    case REDIS_STANDALONE:
        return standalone_open(options, topology_out, error);
    case REDIS_SENTINEL:
        return sentinel_open(options, topology_out, error);
    case REDIS_CLUSTER:
        break;
    }
    return error_set(error, ERR_BAD_INPUT, "this topology of Redis is not known");
}

void topology_close(struct topology **topology)
{
    if (*topology)
        (*topology)->ops->close(*topology);
    *topology = NULL;
}
