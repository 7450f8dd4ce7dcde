/* Counters on the two nodes of entries_case.h. */
#ifndef TESTS_ENTRIES_RAISED_H
#define TESTS_ENTRIES_RAISED_H

#include "entries_case.h"

static inline enum err try_raise(int node, struct namespace space, const char *label, int64_t by,
                                 int64_t *value_out, bool *is_enabled_out)
{
    struct entry_request request = ask_on(node, space, label, NULL);

    return entries_increment(&request, by, 3600, value_out, is_enabled_out);
}

static inline int64_t raise_on(int node, struct namespace space, const char *label, int64_t by)
{
    int64_t value;
    bool is_enabled;

    expect_ok(try_raise(node, space, label, by, &value, &is_enabled));
    return value;
}

#endif
