/*
 * The head of a response or a request, as an upstream or a client may send it, in lines of "Name: value": what
 * becomes of it in the rules of a shared cache stays in its bounds, and what forbids is seen in any place of it.
 */
#include "gateway/rules/freshness.h"
#include "gateway/rules/hop_by_hop.h"

#include "field_lines.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_MS INT64_C(1780000000000)

static void must(bool condition)
{
    if (!condition)
        abort();
}

static bool is_seconds(int64_t seconds)
{
    return seconds >= CACHE_NOT_TOLD && seconds <= CACHE_SECONDS_MAX;
}

static void check_directives(const struct http_fields *fields)
{
    struct response_directives response;
    struct request_directives request;

    response_directives_parse(fields, &response);
    must(is_seconds(response.max_age_s) && is_seconds(response.s_maxage_s));
    must(is_seconds(response.stale_while_revalidate_s) && is_seconds(response.stale_if_error_s));
    must(response.no_store || response.targeted ||
         !field_list_has(fields, STR("cache-control"), STR("no-store")));
    request_directives_parse(fields, &request);
    must(is_seconds(request.max_age_s) && is_seconds(request.min_fresh_s));
    must(is_seconds(request.max_stale_s) && is_seconds(request.stale_if_error_s));
    (void)response_directives_name(fields, STR("a"));
}

static void check_terms(const struct response_head *head)
{
    const struct cache_policy policy = {60, 30, 30, 10, false};
    struct cache_terms terms;

    cache_terms_of(head, &policy, &terms);
    must(terms.lifetime_s >= 0 && terms.lifetime_s <= CACHE_SECONDS_MAX);
    must(terms.source != FRESHNESS_NONE || terms.lifetime_s == 0);
    must(!terms.stale_forbidden || terms.stale_if_error_s + terms.stale_while_revalidate_s == 0);
    must(cache_age_ms(&terms, NOW_MS) >= 0);
    must(cache_age_ms(&terms, NOW_MS + 5) >= cache_age_ms(&terms, NOW_MS));
    must(cache_age_ms(&terms, INT64_MAX) <= CACHE_SECONDS_MAX * 1000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_field items[64];
    const struct str text = {(const char *)data, size};
    struct http_fields fields = {items, read_field_lines(text, items, 64)}, passed;
    struct arena *arena = arena_new(4096, (size_t)1 << 20);

    if (arena && fields_end_to_end(arena, &fields, &passed) == ERR_OK) {
        must(passed.count <= fields.count && fields_find(&passed, STR("connection")) == NULL);
        check_directives(&fields);
        check_terms(&(struct response_head){200, fields, NOW_MS - 5, NOW_MS});
        check_terms(&(struct response_head){0, passed, INT64_MAX, INT64_MIN});
    }
    arena_free(&arena);
    return 0;
}
