#include "gateway/stored.h"

#include "gateway/tags.h"

#include <stdlib.h>

/* What it takes in one piece. */
static size_t size_of(const struct stored_response *response, bool has_counts, bool copies_body)
{
    size_t size = sizeof(struct kept) + response->fields.count * sizeof *response->fields.items +
                  response->tag_count * sizeof *response->tags;

    if (has_counts)
        size += gateway_names_count(response->tag_count) * sizeof(int64_t);
    size += response->vary.len;
    for (size_t i = 0; i < response->fields.count; i++)
        size += response->fields.items[i].name.len + response->fields.items[i].value.len;
    for (size_t i = 0; i < response->tag_count; i++)
        size += response->tags[i].len;
    return copies_body ? size + response->body.len : size;
}

static struct str put_text(char **at, struct str text)
{
    struct str copy = {*at, text.len};

    if (text.len > 0)
        memcpy(*at, text.ptr, text.len);
    *at += text.len;
    return copy;
}

/* The arrays stand first, each aligned as the one before it leaves it: all are of pointers or 64-bit numbers. */
static void fill(struct kept *kept, const struct stored_response *from, const int64_t *counts,
                 bool copies_body)
{
    struct stored_response *to = &kept->response;
    struct http_field *fields = (struct http_field *)(kept + 1);
    struct str *tags = (struct str *)(fields + from->fields.count);
    int64_t *own_counts = (int64_t *)(tags + from->tag_count);
    size_t names = counts ? gateway_names_count(from->tag_count) : 0;
    char *at = (char *)(own_counts + names);

    *to = *from;
    to->fields.items = fields;
    for (size_t i = 0; i < from->fields.count; i++)
        fields[i] = (struct http_field){put_text(&at, from->fields.items[i].name),
                                        put_text(&at, from->fields.items[i].value)};
    for (size_t i = 0; i < from->tag_count; i++)
        tags[i] = put_text(&at, from->tags[i]);
    to->tags = tags;
    to->vary = put_text(&at, from->vary);
    if (names > 0)
        memcpy(own_counts, counts, names * sizeof *counts);
    kept->numbers.counts = names > 0 ? own_counts : NULL;
    to->body = copies_body ? put_text(&at, from->body) : STR_NONE;
}

static struct kept *make(const struct stored_response *response, const int64_t *counts,
                         bool copies_body)
{
    size_t size = size_of(response, counts != NULL, copies_body);
    struct kept *kept = malloc(size);

    if (!kept)
        return NULL;
    memset(kept, 0, sizeof *kept);
    kept->size = size;
    atomic_init(&kept->refs, 1);
    atomic_init(&kept->verified, -1);
    fill(kept, response, counts, copies_body);
    return kept;
}

struct kept *kept_new(const struct stored_response *response, const struct stored_numbers *numbers,
                      bool has_body, uint64_t body_length, struct kept *body_of)
{
    struct kept *kept = make(response, numbers->counts, has_body && !body_of);

    if (!kept)
        return NULL;
    const int64_t *counts = kept->numbers.counts;
    kept->numbers = *numbers;
    kept->numbers.counts = counts;
    kept->has_body = has_body;
    kept->body_length = body_length;
    if (!body_of)
        return kept;
    /* The memory of the first that had it: no chain of those that came later. */
    kept->body_of = kept_hold(body_of->body_of ? body_of->body_of : body_of);
    kept->response.body = response->body;
    kept->size += response->body.len;
    return kept;
}

struct kept *kept_new_note(struct str vary, const struct str *tags, size_t tag_count)
{
    const struct stored_response note = {.vary = vary, .tags = tags, .tag_count = tag_count};
    struct kept *kept = make(&note, NULL, false);

    if (kept)
        kept->is_note = true;
    return kept;
}

struct kept *kept_hold(struct kept *kept)
{
    atomic_fetch_add_explicit(&kept->refs, 1, memory_order_relaxed);
    return kept;
}

void kept_release(struct kept **kept)
{
    struct kept *released = *kept;

    *kept = NULL;
    while (released && atomic_fetch_sub_explicit(&released->refs, 1, memory_order_acq_rel) == 1) {
        struct kept *body_of = released->body_of;
        free(released);
        released = body_of;
    }
}
