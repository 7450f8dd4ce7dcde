/*
 * What Cache-Control tells a shared cache (RFC 9111, section 5.2), and what stands in its place: CDN-Cache-Control
 * (RFC 9213), Pragma of a request without Cache-Control. Pure.
 *
 * A directive that forbids holds whatever is written behind it. A number that is malformed, or there twice with
 * different values, is the one that keeps least.
 */
#ifndef API_GATEWAY_RULES_CACHE_CONTROL_H
#define API_GATEWAY_RULES_CACHE_CONTROL_H

#include "gateway/rules/fields.h"

#include <stdint.h>

/* A longer time is this one (RFC 9111, section 1.2.2). */
#define CACHE_SECONDS_MAX INT64_C(2147483648)

/* Of a number of seconds: it was not told. */
#define CACHE_NOT_TOLD INT64_C(-1)

struct response_directives {
    bool
        targeted; /* they are those of CDN-Cache-Control: Cache-Control and Expires say nothing then */
    bool no_store;
    bool no_cache; /* the whole response; one with names of fields is none */
    bool is_private;
    bool is_public;
    bool must_revalidate;
    bool proxy_revalidate;
    bool must_understand;
    int64_t max_age_s;
    int64_t s_maxage_s;
    int64_t stale_while_revalidate_s;
    int64_t stale_if_error_s;
};

struct request_directives {
    bool no_store;
    bool no_cache;
    bool only_if_cached;
    int64_t max_age_s;
    int64_t min_fresh_s;
    int64_t max_stale_s; /* without a number: CACHE_SECONDS_MAX */
    int64_t stale_if_error_s;
};

void response_directives_parse(const struct http_fields *fields,
                               struct response_directives *directives_out);
void request_directives_parse(const struct http_fields *fields,
                              struct request_directives *directives_out);

/* Whether no-cache="…" or private="…" of a response names the field: it is then not stored. */
bool response_directives_name(const struct http_fields *fields, struct str field_name);

/* Digits only, in quotes or not; CACHE_SECONDS_MAX for what is more. */
bool cache_seconds_parse(struct str text, int64_t *seconds_out);

#endif
