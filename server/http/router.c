#include "http/router.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    MAX_SEGMENTS = 12,
    METHODS = METHOD_OTHER, /* those a row can have */
    ALLOW_SIZE = 64,        /* "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT" and its NUL */
};

/* One path, with the row of each method. */
struct node {
    struct str path; /* without the trailing slash */
    bool both;       /* answers with and without the trailing slash */
    bool is_pattern;
    struct str segments[MAX_SEGMENTS]; /* patterns only */
    bool takes_text[MAX_SEGMENTS];     /* route_takes_text */
    size_t segment_count;
    const struct route *by_method[METHODS];
    enum error_format error_format;
    char allow_text[ALLOW_SIZE];
    struct str allow;
};

/* A spelling of a path without placeholders, and the node it leads to. */
struct router_slot {
    uint64_t hash;
    struct str path;
    const struct node *node; /* NULL: free */
};

struct router {
    struct node *nodes;
    size_t node_count;
    struct router_slot
        *slots; /* open addressing, at most half full, so a search meets a free slot */
    size_t slot_mask;
    const struct node **patterns;
    size_t pattern_count;
    char allow_text[ALLOW_SIZE]; /* every method some path has: for "OPTIONS *" */
    struct str allow;
};

enum http_method router_method(struct str name)
{
    for (int method = 0; method < METHOD_OTHER; method++)
        if (str_eq(name, str_from(method_name((enum http_method)method))))
            return (enum http_method)method;
    return METHOD_OTHER;
}

/* FNV-1a: the table is ours and small, so nobody can aim collisions at it. */
static uint64_t hash_path(struct str path)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < path.len; i++)
        hash = (hash ^ (unsigned char)path.ptr[i]) * UINT64_C(1099511628211);
    return hash;
}

static bool is_placeholder(struct str segment)
{
    return segment.len > 2 && segment.ptr[0] == '{' && segment.ptr[segment.len - 1] == '}';
}

static bool is_text(const struct route *route, struct str segment)
{
    return is_placeholder(segment) && route_takes_text(route, str_sub(segment, 1, segment.len - 2));
}

/* "/a/{b}" gives "a", "{b}"; 0 when there are more than fit. */
static size_t split_path(struct str path, struct str segments[MAX_SEGMENTS])
{
    struct str rest = str_sub(path, 1, path.len);
    size_t count = 0;
    struct str segment;

    while (str_split(&rest, '/', &segment)) {
        if (count == MAX_SEGMENTS)
            return 0;
        segments[count++] = segment;
    }
    return count;
}

/* Two patterns that match the same paths. */
static bool same_shape(const struct node *a, const struct node *b)
{
    if (a->segment_count != b->segment_count)
        return false;
    for (size_t i = 0; i < a->segment_count; i++) {
        bool hole = is_placeholder(a->segments[i]);
        if (hole != is_placeholder(b->segments[i]) ||
            (!hole && !str_eq(a->segments[i], b->segments[i])))
            return false;
    }
    return true;
}

static enum err read_path(const struct route *route, struct node *node, struct error *error)
{
    struct str path = str_from(route->path);
    size_t holes = 0;

    if (path.len < 2 || path.ptr[0] != '/')
        return error_set(error, ERR_INTERNAL, "route %s: path %s does not begin with a slash",
                         route->name, route->path);
    node->both = path.ptr[path.len - 1] == '/';
    if (node->both)
        path.len--;
    node->path = path;
    node->segment_count = split_path(path, node->segments);
    if (node->segment_count == 0)
        return error_set(error, ERR_INTERNAL, "route %s: path %s has too many segments",
                         route->name, route->path);
    for (size_t i = 0; i < node->segment_count; i++) {
        holes += is_placeholder(node->segments[i]);
        node->takes_text[i] = is_text(route, node->segments[i]);
    }
    node->is_pattern = holes > 0;
    if (holes > ROUTER_MAX_VALUES)
        return error_set(error, ERR_INTERNAL, "route %s: path %s has too many placeholders",
                         route->name, route->path);
    return ERR_OK;
}

static enum err add_route(struct router *router, const struct route *route, struct error *error)
{
    struct node *node = &router->nodes[router->node_count];
    enum err err = read_path(route, node, error);

    if (err != ERR_OK)
        return err;
    for (size_t i = 0; i < router->node_count; i++) {
        struct node *other = &router->nodes[i];
        if (!same_shape(node, other))
            continue;
        if (!str_eq(node->path, other->path) || node->both != other->both ||
            memcmp(node->takes_text, other->takes_text, sizeof node->takes_text) != 0)
            return error_set(error, ERR_INTERNAL,
                             "route %s: path %s is spelt differently by another route", route->name,
                             route->path);
        memset(node, 0, sizeof *node);
        node = other;
        break;
    }
    if (node == &router->nodes[router->node_count])
        router->node_count++;
    if (route->method >= METHOD_OPTIONS)
        return error_set(error, ERR_INTERNAL, "route %s: OPTIONS is answered by the router",
                         route->name);
    if (node->by_method[route->method])
        return error_set(error, ERR_INTERNAL, "route %s: %s has that method already", route->name,
                         route->path);
    node->by_method[route->method] = route;
    node->error_format = route->error_format;
    return ERR_OK;
}

/* Methods in the order of the alphabet, which is how Allow lists them. */
static const enum http_method by_name[] = {METHOD_DELETE, METHOD_GET,  METHOD_HEAD, METHOD_OPTIONS,
                                           METHOD_PATCH,  METHOD_POST, METHOD_PUT};

static struct str write_allow(char text[ALLOW_SIZE], unsigned methods)
{
    size_t len = 0;

    methods |= 1u << METHOD_OPTIONS;
    if (methods & (1u << METHOD_GET))
        methods |= 1u << METHOD_HEAD;
    for (size_t i = 0; i < sizeof by_name / sizeof *by_name; i++)
        if (methods & (1u << by_name[i]))
            len += (size_t)snprintf(text + len, ALLOW_SIZE - len, "%s%s", len > 0 ? ", " : "",
                                    method_name(by_name[i]));
    return (struct str){text, len};
}

static void finish_nodes(struct router *router)
{
    unsigned all = 0;

    for (size_t i = 0; i < router->node_count; i++) {
        struct node *node = &router->nodes[i];
        unsigned methods = 0;
        for (unsigned method = 0; method < METHODS; method++)
            if (node->by_method[method])
                methods |= 1u << method;
        all |= methods;
        node->allow = write_allow(node->allow_text, methods);
        if (node->is_pattern)
            router->patterns[router->pattern_count++] = node;
    }
    router->allow = write_allow(router->allow_text, all);
}

static void add_slot(struct router *router, struct str path, const struct node *node)
{
    uint64_t hash = hash_path(path);
    size_t at = hash & router->slot_mask;

    while (router->slots[at].node)
        at = (at + 1) & router->slot_mask;
    router->slots[at] = (struct router_slot){hash, path, node};
}

static void fill_slots(struct router *router)
{
    for (size_t i = 0; i < router->node_count; i++) {
        const struct node *node = &router->nodes[i];
        if (node->is_pattern)
            continue;
        add_slot(router, node->path, node);
        if (node->both) /* the table's own spelling ends in the slash */
            add_slot(router, (struct str){node->path.ptr, node->path.len + 1}, node);
    }
}

enum err router_new(const struct route *routes, size_t count, struct router **router_out,
                    struct error *error)
{
    struct router *router = calloc(1, sizeof *router);
    size_t slot_count = 16;

    while (slot_count < count * 4) /* two spellings a row, half full */
        slot_count *= 2;
    if (router) {
        router->nodes = calloc(count + 1, sizeof *router->nodes);
        router->patterns = calloc(count + 1, sizeof *router->patterns);
        router->slots = calloc(slot_count, sizeof *router->slots);
        router->slot_mask = slot_count - 1;
    }
    if (!router || !router->nodes || !router->patterns || !router->slots) {
        router_free(&router);
        return error_set(error, ERR_NO_MEMORY, "out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        enum err err = add_route(router, &routes[i], error);
        if (err != ERR_OK) {
            router_free(&router);
            return err;
        }
    }
    finish_nodes(router);
    fill_slots(router);
    *router_out = router;
    return ERR_OK;
}

void router_free(struct router **router)
{
    if (!*router)
        return;
    free((*router)->nodes);
    free((void *)(*router)->patterns);
    free((*router)->slots);
    free(*router);
    *router = NULL;
}

static const struct node *find_static(const struct router *router, struct str path)
{
    uint64_t hash = hash_path(path);

    for (size_t at = hash & router->slot_mask; router->slots[at].node;
         at = (at + 1) & router->slot_mask)
        if (router->slots[at].hash == hash && str_eq(router->slots[at].path, path))
            return router->slots[at].node;
    return NULL;
}

/*
 * May these bytes stand for a placeholder that takes no text? Whatever a proxy on the way could read as
 * another path is refused: dot segments in any spelling, encoded slashes, encoded NUL, ';' and '\\', which
 * some take for separators.
 */
static bool is_value(struct str segment)
{
    size_t dots = 0, others = 0;

    if (segment.len == 0)
        return false;
    for (size_t i = 0; i < segment.len; i++) {
        struct str escape = str_sub(segment, i, 3);
        char c = segment.ptr[i];
        if (c == ';' || c == '\\' || str_eq(escape, STR("%00")) ||
            str_eq_nocase(escape, STR("%5c")) || str_eq_nocase(escape, STR("%2f")))
            return false;
        if (str_eq_nocase(escape, STR("%2e"))) {
            dots++;
            i += 2;
        } else if (c == '.') {
            dots++;
        } else {
            others++;
        }
    }
    return others > 0 || dots > 2;
}

static bool match_pattern(const struct node *node, const struct str segments[],
                          struct router_match *match)
{
    match->value_count = 0;
    for (size_t i = 0; i < node->segment_count; i++) {
        struct str wanted = node->segments[i];
        if (!is_placeholder(wanted)) {
            if (!str_eq(wanted, segments[i]))
                return false;
        } else {
            if (!node->takes_text[i] && !is_value(segments[i]))
                return false;
            match->values[match->value_count++] = segments[i];
        }
    }
    return true;
}

static const struct node *find_among(const struct router *router, struct str path, bool has_slash,
                                     struct router_match *match)
{
    struct str segments[MAX_SEGMENTS];
    size_t count = split_path(path, segments);

    for (size_t i = 0; i < router->pattern_count; i++) {
        const struct node *node = router->patterns[i];
        if (node->segment_count == count && (node->both || !has_slash) &&
            match_pattern(node, segments, match))
            return node;
    }
    return NULL;
}

/* A slash at the end is one more segment first, an empty one: a text of no bytes is refused as that. */
static const struct node *find_pattern(const struct router *router, struct str path,
                                       struct router_match *match)
{
    if (path.len == 0 || path.ptr[0] != '/')
        return NULL;
    const struct node *node = find_among(router, path, false, match);
    if (!node && path.len > 1 && path.ptr[path.len - 1] == '/')
        node = find_among(router, str_sub(path, 0, path.len - 1), true, match);
    return node;
}

enum router_answer router_find(const struct router *router, enum http_method method,
                               struct str path, struct router_match *match_out)
{
    memset(match_out, 0, sizeof *match_out);
    if (method == METHOD_OPTIONS && str_eq(path, STR("*"))) {
        match_out->allow = router->allow;
        return ROUTER_OPTIONS;
    }

    const struct node *node = find_static(router, path);
    if (!node)
        node = find_pattern(router, path, match_out);
    if (!node)
        return ROUTER_NO_PATH;

    match_out->allow = node->allow;
    match_out->error_format = node->error_format;
    if (method == METHOD_OPTIONS) {
        match_out->route = node->by_method[METHOD_GET];
        return ROUTER_OPTIONS;
    }
    if (method != METHOD_OTHER)
        match_out->route = node->by_method[method];
    if (!match_out->route && method == METHOD_HEAD)
        match_out->route = node->by_method[METHOD_GET];
    return match_out->route ? ROUTER_FOUND : ROUTER_NO_METHOD;
}
