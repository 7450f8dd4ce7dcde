#include "cachewarden/examples.h"

#define EXAMPLE_OF(route_, label_, summary_, caller_, given_, header_, target_, body_, status_, \
                   media_type_, reply_)                                                         \
    {                                                                                           \
        .route = (route_),                                                                      \
        .label = (label_),                                                                      \
        .summary = (summary_),                                                                  \
        .caller = (caller_),                                                                    \
        .given = (given_),                                                                      \
        .header = (header_),                                                                    \
        .target = (target_),                                                                    \
        .body = (body_),                                                                        \
        .status = (status_),                                                                    \
        .media_type = (media_type_),                                                            \
        .reply = (reply_),                                                                      \
    },
#define EXAMPLE(route_, label_, summary_, caller_, given_, target_, body_, status_, reply_)    \
    EXAMPLE_OF(route_, label_, summary_, caller_, given_, NULL, target_, body_, status_, NULL, \
               reply_)
static const struct route_example table[] = {
#include "examples.def"
};
#undef EXAMPLE
#undef EXAMPLE_OF

const struct route_example *routes_examples(size_t *count_out)
{
    *count_out = sizeof table / sizeof table[0];
    return table;
}
