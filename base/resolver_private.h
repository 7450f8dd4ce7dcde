/* What a test puts in the place of the C library and of the clock's usual steps. */
#ifndef BASE_RESOLVER_PRIVATE_H
#define BASE_RESOLVER_PRIVATE_H

#include "cachewarden/resolver.h"

struct resolver_tuning {
    /* Fills in addresses without ports, or returns what getaddrinfo would. It may take for ever. */
    int (*look_up)(const char *host, struct resolver_answer *answer_out);
    int64_t refresh_ms;    /* from one look-up to the next, if that went well */
    int64_t retry_ms;      /* if not */
    int64_t interval_ms;   /* least, whoever asks for it */
    int64_t renew_wait_ms; /* how long those who look for a name wait for a renewal */
    int64_t say_ms;        /* how long the first answer is waited for before that is logged */
    int64_t overdue_ms;
};

/* Before the first look-up. */
void resolver_tune(const struct resolver_tuning *tuning);
extern const struct resolver_tuning resolver_default_tuning;

#endif
