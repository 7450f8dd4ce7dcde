#include "gateway/stored.h"

#include "gateway/tags.h"

#include <stdlib.h>

/* What it takes in one piece. */
static size_t size_of(const struct stored_response *response, bool has_counts, bool copies_body)
{
    size_t size = sizeof(struct stored_copy) +
                  response->fields.count * sizeof *response->fields.items +
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
static void fill(struct stored_copy *copy, const struct stored_response *from,
                 const int64_t *counts, bool copies_body)
{
    struct stored_response *to = &copy->response;
    struct http_field *fields = (struct http_field *)(copy + 1);
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
    copy->numbers.counts = names > 0 ? own_counts : NULL;
    to->body = copies_body ? put_text(&at, from->body) : STR_NONE;
}

static struct stored_copy *make(const struct stored_response *response, const int64_t *counts,
                                bool copies_body)
{
    size_t size = size_of(response, counts != NULL, copies_body);
    struct stored_copy *copy = malloc(size);

    if (!copy)
        return NULL;
    memset(copy, 0, sizeof *copy);
    copy->size = size;
    atomic_init(&copy->refs, 1);
    atomic_init(&copy->verified, -1);
    fill(copy, response, counts, copies_body);
    return copy;
}

struct stored_copy *stored_copy_new(const struct stored_response *response,
                                    const struct stored_numbers *numbers, bool has_body,
                                    uint64_t body_length, struct stored_copy *body_of)
{
    struct stored_copy *copy = make(response, numbers->counts, has_body && !body_of);

    if (!copy)
        return NULL;
    const int64_t *counts = copy->numbers.counts;
    copy->numbers = *numbers;
    copy->numbers.counts = counts;
    copy->has_body = has_body;
    copy->body_length = body_length;
    if (!body_of)
        return copy;
    /* The memory of the first that had it: no chain of those that came later. */
    copy->body_of = stored_copy_hold(body_of->body_of ? body_of->body_of : body_of);
    copy->response.body = response->body;
    copy->size += response->body.len;
    return copy;
}

struct stored_copy *stored_copy_new_note(struct str vary, const struct str *tags, size_t tag_count)
{
    const struct stored_response note = {.vary = vary, .tags = tags, .tag_count = tag_count};
    struct stored_copy *copy = make(&note, NULL, false);

    if (copy)
        copy->is_note = true;
    return copy;
}

/* Who finds none leaves its own, if nobody else is about to. */
enum { TERMS_NONE, TERMS_BEING_WRITTEN, TERMS_THERE };

static bool is_policy(const struct cache_policy *a, const struct cache_policy *b)
{
    return a->ttl_s == b->ttl_s && a->stale_while_revalidate_s == b->stale_while_revalidate_s &&
           a->stale_if_error_s == b->stale_if_error_s &&
           a->heuristic_percent == b->heuristic_percent && a->keyed_by_user == b->keyed_by_user;
}

void stored_copy_terms(struct stored_copy *copy, const struct cache_policy *policy,
                       struct cache_terms *terms_out)
{
    const struct stored_response *response = &copy->response;
    const struct response_head head = {response->status, response->fields,
                                       response->request_time_ms, response->response_time_ms};
    unsigned char none = TERMS_NONE;

    if (atomic_load_explicit(&copy->terms_state, memory_order_acquire) == TERMS_THERE &&
        is_policy(&copy->policy, policy)) {
        *terms_out = copy->terms;
        return;
    }
    cache_terms_of(&head, policy, terms_out);
    if (!atomic_compare_exchange_strong(&copy->terms_state, &none, TERMS_BEING_WRITTEN))
        return;
    copy->policy = *policy;
    copy->terms = *terms_out;
    atomic_store_explicit(&copy->terms_state, TERMS_THERE, memory_order_release);
}

struct stored_copy *stored_copy_hold(struct stored_copy *copy)
{
    atomic_fetch_add_explicit(&copy->refs, 1, memory_order_relaxed);
    return copy;
}

void stored_copy_release(struct stored_copy **copy)
{
    struct stored_copy *released = *copy;

    *copy = NULL;
    while (released && atomic_fetch_sub_explicit(&released->refs, 1, memory_order_acq_rel) == 1) {
        struct stored_copy *body_of = released->body_of;
        free(released);
        released = body_of;
    }
}
