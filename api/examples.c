#include "cachewarden/examples.h"

#define EXAMPLE(route_, label_, summary_, caller_, given_, target_, body_, status_, reply_) \
    {                                                                                       \
        .route = (route_),                                                                  \
        .label = (label_),                                                                  \
        .summary = (summary_),                                                              \
        .caller = (caller_),                                                                \
        .given = (given_),                                                                  \
        .target = (target_),                                                                \
        .body = (body_),                                                                    \
        .status = (status_),                                                                \
        .reply = (reply_),                                                                  \
    },
static const struct route_example table[] = {
#include "examples.def"
};
#undef EXAMPLE

const struct route_example *routes_examples(size_t *count_out)
{
    *count_out = sizeof table / sizeof table[0];
    return table;
}
