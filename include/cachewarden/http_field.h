/* A header field of HTTP: its name and its value, as they came. */
#ifndef CACHEWARDEN_HTTP_FIELD_H
#define CACHEWARDEN_HTTP_FIELD_H

#include "cachewarden/str.h"

struct http_field {
    struct str name;
    struct str value;
};

#endif
