/* The life of the limits; what the rest of the program asks of them is cachewarden/limits.h. */
#ifndef API_LIMITS_SERVICE_H
#define API_LIMITS_SERVICE_H

#include "cachewarden/limits.h"

CW_MUST_CHECK enum err limits_open(const struct limit_settings *settings,
                                   struct limits **limits_out, struct error *error);
void limits_close(struct limits **limits);

#endif
