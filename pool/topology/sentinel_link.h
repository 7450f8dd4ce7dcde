/*
 * The connection to one sentinel. It is asked again and again over the same one; whatever is odd ends it. One thread
 * at a time, but for sentinel_link_renew_tls.
 */
#ifndef POOL_TOPOLOGY_SENTINEL_LINK_H
#define POOL_TOPOLOGY_SENTINEL_LINK_H

#include "topology/sentinel_answer.h"

struct sentinel_link;

/* `address`: where it is, its user and password, and the files for TLS; copied. ERR_BAD_INPUT: a file for TLS is no
 * good; ERR_NO_MEMORY. Connects nothing. */
CW_MUST_CHECK enum err sentinel_link_new(const struct redis_address *address,
                                         struct sentinel_link **link_out, struct error *error);
void sentinel_link_free(struct sentinel_link **link);

/* How long one question may take. */
struct sentinel_patience {
    int64_t connect_ms, answer_ms;
};

/* Asks about a master; both times together at most, whatever the sentinel does. */
void sentinel_link_ask(struct sentinel_link *link, struct str master_name,
                       struct sentinel_patience patience, struct sentinel_answer *answer_out);

/* As redis_renew_tls. */
CW_MUST_CHECK enum err sentinel_link_renew_tls(struct sentinel_link *link,
                                               const struct redis_address *files,
                                               struct error *error);

#endif
