/*
 * The URL of a PostgreSQL users database: libpq's (PostgreSQL's documentation, section 34.1.1.2),
 * looked through before libpq sees it. libpq repeats what it cannot make sense of, and where an
 * '@' or a '/' in a password was not percent-encoded, that is a piece of the password.
 */
#ifndef AUTH_USERS_POSTGRES_URL_H
#define AUTH_USERS_POSTGRES_URL_H

#include "cachewarden/error.h"
#include "cachewarden/str.h"

#include <stdbool.h>

/* `location` is what follows "postgresql://". ERR_BAD_INPUT says what is wrong without repeating any
 * of it. Also ERR_NO_MEMORY. */
CW_MUST_CHECK enum err users_postgres_url_check(struct str location, struct error *error);

/* Where a whole URL leads, or the environment where the URL does not say. */
struct users_postgres_hosts {
    char *hosts, *ports; /* lists with commas; NULL: libpq's defaults */
    bool is_settled;     /* by addresses, or a service file: nothing is to be looked up */
    int timeout_ms;      /* of each host; 0: not said */
};
CW_MUST_CHECK enum err users_postgres_url_hosts(const char *url,
                                                struct users_postgres_hosts *hosts_out);
void users_postgres_hosts_fini(struct users_postgres_hosts *hosts);

#endif
