/*
 * What errors say to callers. Refusals have words of their own; failures have none but for admins, for those would be
 * about what is inside.
 */
#ifndef SERVER_HTTP_ERROR_TEXTS_H
#define SERVER_HTTP_ERROR_TEXTS_H

#include "http/exchange.h"

#define SENTENCE_401 "Authentication credentials were not provided."
#define SENTENCE_403 "You do not have permission to perform this action."
#define SENTENCE_404 "Not found."
#define SENTENCE_500 "Internal server error."
#define SENTENCE_503 "Service temporarily unavailable."
/* ERR_UNCERTAIN: honest where a retry could do it twice. */
#define SENTENCE_UNCERTAIN \
    "Service temporarily unavailable: the outcome is unknown, the change may have been made."

/* `given`, unless it is empty. */
struct str error_text_or(struct str given, const char *otherwise);
/* What {"detail":…} says. In the call's arena, or static. */
struct str error_text_detail(struct exchange *exchange, enum err err);
/* "redis timeout": the cause of a failure, as far as a caller may know it. */
const char *error_text_cause(enum err err, const struct error *error);

#endif
