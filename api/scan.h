/* The answer to SCAN, read strictly. Pure. */
#ifndef API_SCAN_H
#define API_SCAN_H

#include "cachewarden/value.h"

/* What a SCAN gave. */
struct scan_portion {
    uint64_t cursor; /* 0: that was all */
    const struct value *keys;
    size_t count;
};

/* Only names that begin with `literal`: whatever Redis answers, nobody touches others. False: the answer is none. */
bool scan_portion_read(const struct value *reply, struct str literal,
                       struct scan_portion *portion_out);

#endif
