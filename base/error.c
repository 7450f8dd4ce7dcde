#include "cachewarden/error.h"

#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What is defined below is the functions, not what the analyzer is told of them. */
#undef error_set
#undef error_set_detail

const char *err_name(enum err err)
{
    static const char *const names[ERR_COUNT] = {
        [ERR_OK] = "ok",
        [ERR_BAD_INPUT] = "bad_input",
        [ERR_UNAUTHENTICATED] = "unauthenticated",
        [ERR_FORBIDDEN] = "forbidden",
        [ERR_NOT_FOUND] = "not_found",
        [ERR_CONFLICT] = "conflict",
        [ERR_PRECONDITION] = "precondition",
        [ERR_TOO_LARGE] = "too_large",
        [ERR_UNSUPPORTED_TYPE] = "unsupported_type",
        [ERR_UNPROCESSABLE] = "unprocessable",
        [ERR_THROTTLED] = "throttled",
        [ERR_BUSY] = "busy",
        [ERR_TIMEOUT] = "timeout",
        [ERR_UPSTREAM_DOWN] = "upstream_down",
        [ERR_UPSTREAM_REFUSED] = "upstream_refused",
        [ERR_UNCERTAIN] = "uncertain",
        [ERR_NO_MEMORY] = "no_memory",
        [ERR_INTERNAL] = "internal",
    };

    /* Through int: the compiler may choose an unsigned type for the enum, or a signed one. */
    int index = (int)err;
    if (index < 0 || index >= ERR_COUNT)
        return "unknown";
    return names[index];
}

/* Copies `text` and cuts it between two characters, so that what is left is still UTF-8. */
static void copy_cut(char *out, size_t size, const char *text)
{
    size_t length = text_utf8_prefix(text, strlen(text), size - 1);

    memcpy(out, text, length);
    out[length] = '\0';
}

void error_clear(struct error *error)
{
    error->code = ERR_OK;
    error->redis = REDIS_ERROR_NONE;
    error->caller[0] = '\0';
    error->detail[0] = '\0';
}

/*
 * Both setters format into memory of their own first: the arguments may be the old texts of the
 * same error ("while reading the file: %s").
 */
enum { TEXT_SIZE = sizeof((struct error *)0)->detail + sizeof((struct error *)0)->caller };

enum err error_set(struct error *error, enum err code, const char *format, ...)
{
    if (!error)
        return code;

    char text[TEXT_SIZE];
    va_list args;
    va_start(args, format);
    if (vsnprintf(text, sizeof text, format, args) < 0)
        text[0] = '\0';
    va_end(args);

    error->code = code;
    error->redis = REDIS_ERROR_NONE;
    copy_cut(error->caller, sizeof error->caller, text);
    copy_cut(error->detail, sizeof error->detail, text);
    return code;
}

enum err error_set_detail(struct error *error, enum err code, const char *format, ...)
{
    if (!error)
        return code;

    char text[TEXT_SIZE];
    va_list args;
    va_start(args, format);
    if (vsnprintf(text, sizeof text, format, args) < 0)
        text[0] = '\0';
    va_end(args);

    error->code = code;
    error->redis = REDIS_ERROR_NONE;
    error->caller[0] = '\0';
    copy_cut(error->detail, sizeof error->detail, text);
    return code;
}
