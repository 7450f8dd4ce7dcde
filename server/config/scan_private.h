/* The scanner of a libconfig file, for the two files that make it up. One thread; no locks. */
#ifndef SERVER_CONFIG_SCAN_PRIVATE_H
#define SERVER_CONFIG_SCAN_PRIVATE_H

#include "config/config_private.h"

enum { SCAN_LEVELS = 32 }; /* groups in groups; ours go three deep */

/* A group that is open. */
struct scan_level {
    size_t scope;     /* index of findings->scopes */
    const char *name; /* the last one that was given a value here, or NULL */
};

struct scanner {
    const char *at, *end;
    unsigned line;
    const char *file;
    struct scan_findings *findings;
    struct scan_level levels[SCAN_LEVELS];
    size_t depth; /* of the innermost open group */
    size_t lost;  /* groups that are open deeper than there is room for */
    /* A name that may be one of a setting: it is when "=" or ":" follows. */
    struct str pending;
    unsigned pending_line;
    size_t fresh; /* 1 + index of the name whose value begins here; 0: none does */
};

/* ---- scan_names.c ---- */

void scan_name(struct scanner *scanner, struct str name);
/* "{", "}", "=", ":" and the other signs. */
void scan_sign(struct scanner *scanner, char sign);

#endif
