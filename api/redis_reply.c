#include "redis_reply.h"

#include "cachewarden/redis_error.h"

#include <stdarg.h>
#include <stdio.h>

enum err refuse_reply(struct error *error, const char *format, ...)
{
    char detail[sizeof error->detail];
    va_list args;

    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    /* To the caller it is the same as a command that Redis refused. */
    return redis_error_set(error, ERR_UPSTREAM_REFUSED, REDIS_ERROR_REFUSED, "%s", detail);
}

bool texts_made(size_t count, const struct str *texts)
{
    for (size_t i = 0; i < count; i++) {
        if (!texts[i].ptr)
            return false;
    }
    return true;
}
