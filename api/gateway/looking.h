/* A look under way (store_look.c): what it asks for, and what came. */
#ifndef API_GATEWAY_LOOKING_H
#define API_GATEWAY_LOOKING_H

#include "gateway/store_private.h"

struct looking {
    struct gateway_store *store;
    const struct gateway_key *key;
    struct work work;
    struct gateway_look *look; /* what comes of it */
    struct namespace space;
    /* What is asked for. */
    bool is_varied; /* the variant look->entry of look->names, or else the path's only answer */
    bool has_all_tags;
    struct stored_copy *held; /* what memory has under look->entry: its start will do then */
    const struct str *tags;
    size_t tag_count;
    /* What came. */
    const struct pipeline *pipeline;
    size_t replies_at;
    bool is_over;
};

/* Where it asks first, as far as this node remembers. */
CW_MUST_CHECK enum err looking_begin(struct looking *looking);
/* It asks for the path's only answer, or for the variant of these names. */
CW_MUST_CHECK enum err looking_at_path(struct looking *looking);
CW_MUST_CHECK enum err looking_at_variant(struct looking *looking, struct str names);
/* The tags of what is held; else those that the path's answers had, or are bound to have. */
CW_MUST_CHECK enum err looking_choose_tags(struct looking *looking);
/* Of what memory has. The look tells of tags that lie in it, until the request is over. */
CW_MUST_CHECK enum err looking_let_go(struct looking *looking);

/* One round trip, to each Redis. Errors of control_look. */
CW_MUST_CHECK enum err looking_ask(struct looking *looking);
/* What lies under the path (0), and under the variant (1). Errors of redis_run. */
CW_MUST_CHECK enum err looking_take(const struct looking *looking, size_t index,
                                    struct stored_record *found_out);
/* How long the path lives, where a variant was asked for. */
int64_t looking_path_left_ms(const struct looking *looking);

#endif
