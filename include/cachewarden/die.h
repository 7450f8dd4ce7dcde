/* The end of a process that must not go on. */
#ifndef CACHEWARDEN_DIE_H
#define CACHEWARDEN_DIE_H

#include "cachewarden/error.h"

/* Says why on standard error, a line that begins with "cachewarden: ", and aborts; a reader who does not
 * read delays that by two seconds at most. errno may be in the arguments, locks may be held. */
__attribute__((noreturn)) void die(const char *format, ...) CW_PRINTF(1, 2);

#endif
