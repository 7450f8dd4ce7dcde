/* The rules a table of routes must keep; routes_check() applies them to ours. */
#ifndef API_ROUTES_CHECK_H
#define API_ROUTES_CHECK_H

#include "cachewarden/routes.h"

/* NULL when all rows are sound, else what is wrong with the first that is not: a text of this
 * thread, good until the next call. */
const char *routes_check_rows(const struct route *rows, size_t count);

#endif
