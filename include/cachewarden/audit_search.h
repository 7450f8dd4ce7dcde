/* Looking through the audit: the newest records of all parts, or of one, that are as somebody wants them. */
#ifndef CACHEWARDEN_AUDIT_SEARCH_H
#define CACHEWARDEN_AUDIT_SEARCH_H

#include "cachewarden/audit.h"
#include "cachewarden/json.h"
#include "cachewarden/work.h"

/* The fields of a record, in the order of the stream and of GET /api/v1/audit. */
enum audit_field {
    AUDIT_TIME,
    AUDIT_PRINCIPAL,
    AUDIT_PRINCIPAL_ID, /* 0: none */
    AUDIT_CREDENTIAL,
    AUDIT_ADDRESS,
    AUDIT_ROUTE,
    AUDIT_TARGET,
    AUDIT_RESULT,
    AUDIT_COUNT, /* empty: none */
    AUDIT_REQUEST_ID,
    AUDIT_NODE,
    AUDIT_FIELD_COUNT
};

/* What a record must be like. Of texts it is the whole that must be the same; empty: any. */
struct audit_search {
    int part; /* an enum audit_part; < 0: all */
    struct str principal, action, target, result;
    /* When Redis took the record, which its id says: from since_ms on (0: ever), and before until_ms. */
    int64_t since_ms, until_ms;
    bool has_until;
    struct str before; /* older than this id, which a search gave; empty: any */
    size_t limit;      /* 1 to 1000 records at most */
};

struct audit_found {
    struct str id;
    struct str fields[AUDIT_FIELD_COUNT];
};

/* How many records one search looks at before it says where to go on. */
#define AUDIT_LOOK_AT_MAX 10000

/*
 * Hands them to `found`, newest first; what it is given is there until it returns. *next_out is the `before` of the
 * search that goes on: empty when there is nothing older to look at. It may be there although fewer than `limit` were
 * found, even none, once AUDIT_LOOK_AT_MAX were looked at. On an error some may have been handed out.
 */
CW_MUST_CHECK enum err audit_search(struct app *app, struct work work,
                                    const struct audit_search *wanted,
                                    void (*found)(void *with, const struct audit_found *record),
                                    void *with, struct str *next_out);

/* The part of this name; < 0: there is none. */
int audit_part_of_name(struct str name);
/* One record as an object of JSON. */
void audit_found_write(struct json_writer *json, const struct audit_found *record);

#endif
