#include "cachewarden/redis_error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *redis_error_text(enum redis_error cause)
{
    switch (cause) {
    case REDIS_ERROR_NONE:
        break;
    case REDIS_ERROR_UNAVAILABLE:
        return "redis unavailable";
    case REDIS_ERROR_TIMEOUT:
        return "redis timeout";
    case REDIS_ERROR_BUSY:
        return "redis busy";
    case REDIS_ERROR_REFUSED:
        return "redis refused the command";
    case REDIS_ERROR_OUT_OF_MEMORY:
        return "redis out of memory";
    case REDIS_ERROR_READ_ONLY:
        return "redis is read-only";
    case REDIS_ERROR_LOADING:
        return "redis is loading";
    case REDIS_ERROR_AUTHENTICATION:
        return "redis authentication failed";
    case REDIS_ERROR_NO_ROOM:
        return "entries have used up their share of redis";
    case REDIS_ERROR_UNCERTAIN:
        return "outcome unknown";
    }
    return "";
}

enum err redis_error_set(struct error *error, enum err code, enum redis_error cause,
                         const char *format, ...)
{
    if (!error)
        return code;
    /* The arguments may be the old texts of the same error. */
    char detail[sizeof error->detail];
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    (void)error_set(error, code, "%s", redis_error_text(cause));
    error->redis = cause;
    memcpy(error->detail, detail, sizeof detail);
    return code;
}
