/*
 * What sentinels say, and which primary is to be believed in. Nothing here talks to anybody: replies and answers
 * come in, decisions go out.
 */
#ifndef POOL_TOPOLOGY_SENTINEL_ANSWER_H
#define POOL_TOPOLOGY_SENTINEL_ANSWER_H

#include "cachewarden/redis.h"
#include "cachewarden/value.h"

enum sentinel_state {
    SENTINEL_UNASKED,
    SENTINEL_SILENT,  /* not reached, or no whole answer in time */
    SENTINEL_REFUSES, /* its password, its ACL */
    SENTINEL_GARBLED, /* its answers make no sense */
    SENTINEL_UNAWARE, /* it watches no master of that name */
    SENTINEL_NAMES    /* it names a primary */
};

enum {
    SENTINEL_HOST_SIZE = 254,
    SENTINEL_WHY_SIZE = 160,
    SENTINEL_QUESTIONS = 3, /* commands that are asked: sentinel_add_questions */
};

#define SENTINEL_EPOCH_UNTOLD (-1)

struct sentinel_primary {
    char host[SENTINEL_HOST_SIZE];
    int port;      /* 0: it names none */
    int64_t epoch; /* of its configuration: each failover has a higher one */
};

struct sentinel_answer {
    enum sentinel_state state;
    struct sentinel_primary named; /* SENTINEL_NAMES only */
    bool lacks_quorum;             /* so few sentinels are left that none can start a failover */
    char why[SENTINEL_WHY_SIZE];   /* of what is wrong; else "" */
};

/* Where the primary is, its epoch, and whether there is a quorum: the commands, as bytes. */
void sentinel_add_questions(struct strbuf *out, struct str master_name);
/* Reads the SENTINEL_QUESTIONS replies. */
void sentinel_read_answer(const struct value *replies, struct sentinel_answer *answer_out);

struct sentinel_candidate {
    const struct sentinel_primary
        *primary; /* borrowed; of those that name it, with the highest epoch */
    size_t votes; /* sentinels that name this address */
};

/*
 * Of what each of `count` sentinels named last (a port of 0: nothing yet), who may be the primary, best first:
 * whom the highest epoch names, because a failover that some sentinels have not heard of has a higher one; then whom
 * most sentinels name, because one alone may be wrong. An address of an older epoch that only a few name is that of a
 * primary which was cut off, and is not in the list. Returns how many there are, `count` at most.
 */
size_t sentinel_find_candidates(const struct sentinel_primary *named, size_t count,
                                struct sentinel_candidate *candidates_out);

bool sentinel_same_primary(const struct sentinel_primary *a, const struct sentinel_primary *b);

#endif
