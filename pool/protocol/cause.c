#include "protocol/cause.h"

#include <stdarg.h>
#include <stdio.h>

enum err cause_set(struct error *error, enum err code, const char *cause, const char *format, ...)
{
    if (!error)
        return code;
    /* The arguments may be the old texts of the same error. */
    char detail[sizeof error->detail];
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    (void)error_set(error, code, "%s", cause);
    memcpy(error->detail, detail, sizeof detail);
    return code;
}

const char *cause_static(const char *cause)
{
    static const char *const causes[] = {CAUSE_TIMEOUT, CAUSE_BUSY,     CAUSE_REFUSED,
                                         CAUSE_OOM,     CAUSE_READONLY, CAUSE_LOADING,
                                         CAUSE_AUTH,    CAUSE_UNCERTAIN};
    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++)
        if (strcmp(causes[i], cause) == 0)
            return causes[i];
    return CAUSE_UNAVAILABLE;
}

const char *cause_of_fault(enum redis_fault fault)
{
    switch (fault) {
    case REDIS_FAULT_OOM:
        return CAUSE_OOM;
    case REDIS_FAULT_READONLY:
        return CAUSE_READONLY;
    case REDIS_FAULT_LOADING:
        return CAUSE_LOADING;
    case REDIS_FAULT_BUSY:
    case REDIS_FAULT_CLIENTS:
        return CAUSE_BUSY;
    case REDIS_FAULT_MASTERDOWN:
        return CAUSE_UNAVAILABLE;
    case REDIS_FAULT_AUTH:
        return CAUSE_AUTH;
    case REDIS_FAULT_NONE:
    case REDIS_FAULT_MISCONF:
    case REDIS_FAULT_NOPERM:
    case REDIS_FAULT_WRONGTYPE:
    case REDIS_FAULT_OVERFLOW:
    case REDIS_FAULT_OTHER:
        break;
    }
    return CAUSE_REFUSED;
}

struct str cause_first_word(const struct value *value)
{
    ptrdiff_t blank = str_find(value->text, ' ');
    size_t size = blank < 0 ? value->text.len : (size_t)blank;
    return str_sub(value->text, 0, size < 32 ? size : 32);
}
