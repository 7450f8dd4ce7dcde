#include "gateway/upstream.h"

#include "cachewarden/clock.h"
#include "cachewarden/http_client.h"
#include "cachewarden/lock.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { LEFT_OUT_FIRST_S = 1, LEFT_OUT_MAX_S = 30 };

/* ---- places ---- */

struct upstream_places {
    int max;
    atomic_int taken, open;
};

struct upstream_places *upstream_places_new(int max_waiting)
{
    struct upstream_places *places = calloc(1, sizeof *places);

    if (places)
        places->max = max_waiting;
    return places;
}

void upstream_places_free(struct upstream_places **places)
{
    free(*places);
    *places = NULL;
}

int upstream_places_taken(const struct upstream_places *places)
{
    return atomic_load(&places->taken);
}

int upstream_places_open(const struct upstream_places *places)
{
    return atomic_load(&places->open);
}

static bool take_place(atomic_int *taken, int max)
{
    if (atomic_fetch_add(taken, 1) < max)
        return true;
    atomic_fetch_sub(taken, 1);
    return false;
}

/* ---- an upstream ---- */

struct upstream_address {
    struct http_peer *peer;
    char *url; /* for the log */
    /* guarded by the upstream's lock */
    int left_out_s; /* how long after the last failure; 0: it is well */
    int64_t left_out_until_ns, failed_ns;
};

struct upstream {
    struct upstream_places *places;
    int max_connections;
    atomic_int active;
    size_t count;
    struct lock lock;
    size_t next; /* whose turn it is; guarded by lock */
    struct upstream_address addresses[];
};

/* Several addresses share the time of one, so that trying them in turn takes no longer than that. */
static enum err add_addresses(struct upstream *upstream, const struct upstream_options *options,
                              struct error *error)
{
    int connect_ms = options->timeout_ms / (int)options->url_count;
    enum err err = ERR_OK;

    for (size_t i = 0; !err && i < options->url_count; i++) {
        const struct http_peer_options peer = {.url = options->urls[i],
                                               .ca_file = options->ca_file,
                                               .connect_timeout_ms =
                                                   connect_ms > 0 ? connect_ms : 1,
                                               .timeout_ms = options->timeout_ms,
                                               .stops = options->stops};
        struct upstream_address *address = &upstream->addresses[i];
        upstream->count++;
        address->url = strndup(options->urls[i].ptr, options->urls[i].len);
        err = address->url ? http_peer_new(&peer, &address->peer, error) : ERR_NO_MEMORY;
    }
    return err;
}

enum err upstream_new(const struct upstream_options *options, struct upstream **upstream_out,
                      struct error *error)
{
    struct upstream *upstream;

    *upstream_out = NULL;
    if (options->url_count == 0)
        return error_set(error, ERR_BAD_INPUT, "names no address");
    upstream = calloc(1, sizeof *upstream + options->url_count * sizeof *upstream->addresses);
    if (!upstream)
        return ERR_NO_MEMORY;
    lock_init(&upstream->lock, LOCK_RANK_LEAF, "upstream");
    upstream->places = options->places;
    upstream->max_connections = options->max_connections > 0 ? options->max_connections : INT_MAX;
    enum err err = add_addresses(upstream, options, error);
    if (err)
        upstream_free(&upstream);
    *upstream_out = upstream;
    return err;
}

void upstream_free(struct upstream **upstream)
{
    struct upstream *freed = *upstream;

    *upstream = NULL;
    if (!freed)
        return;
    for (size_t i = 0; i < freed->count; i++) {
        http_peer_free(&freed->addresses[i].peer);
        free(freed->addresses[i].url);
    }
    lock_fini(&freed->lock);
    free(freed);
}

int upstream_active(const struct upstream *upstream)
{
    return atomic_load(&upstream->active);
}

/* ---- which address ---- */

/*
 * The next one in turn that is not left out; of those that are, the one whose time ends first. `tried` are not asked
 * again. Whoever is the first to try one again when its time is over does so alone: the others leave it out until
 * that is known.
 */
static struct upstream_address *choose_locked(struct upstream *upstream, const bool *tried)
    CW_NEEDS_LOCK(&upstream->lock)
{
    struct upstream_address *best = NULL;
    int64_t now_ns = clock_mono_ns();

    for (size_t i = 0; i < upstream->count; i++) {
        size_t at = (upstream->next + i) % upstream->count;
        struct upstream_address *address = &upstream->addresses[at];
        if (tried[at])
            continue;
        if (address->left_out_until_ns <= now_ns) {
            upstream->next = at + 1;
            if (address->left_out_s > 0)
                address->left_out_until_ns = now_ns + address->left_out_s * NS_PER_S;
            return address;
        }
        if (!best || address->left_out_until_ns < best->left_out_until_ns)
            best = address;
    }
    return best;
}

static struct upstream_address *choose(struct upstream *upstream, bool *tried)
{
    lock_acquire(&upstream->lock);
    struct upstream_address *address = choose_locked(upstream, tried);
    lock_release(&upstream->lock);
    if (address)
        tried[address - upstream->addresses] = true;
    return address;
}

/* Of many that fail at once, one counts: who began before the last failure says nothing new. */
static void note(struct upstream *upstream, struct upstream_address *address, bool has_failed,
                 int64_t began_ns)
{
    lock_acquire(&upstream->lock);
    if (!has_failed) {
        address->left_out_s = 0;
        address->left_out_until_ns = 0;
    } else if (began_ns > address->failed_ns) {
        int longer_s = address->left_out_s * 2;
        address->left_out_s = longer_s == 0               ? LEFT_OUT_FIRST_S
                              : longer_s > LEFT_OUT_MAX_S ? LEFT_OUT_MAX_S
                                                          : longer_s;
        address->failed_ns = clock_mono_ns();
        address->left_out_until_ns = address->failed_ns + address->left_out_s * NS_PER_S;
    }
    lock_release(&upstream->lock);
}

/* ---- a request ---- */

/* The bodies of a request and of its response. */
struct upstream_bodies {
    struct upstream *upstream;
    struct body_source request, response;
};

/* Its answer has ended. */
static void leave(struct upstream *upstream)
{
    atomic_fetch_sub(&upstream->active, 1);
    atomic_fetch_sub(&upstream->places->open, 1);
}

static enum err enter(struct upstream *upstream, struct error *error)
{
    if (!take_place(&upstream->active, upstream->max_connections))
        return error_set_detail(error, ERR_BUSY, "all connections of the upstream are in use");
    if (!take_place(&upstream->places->open, upstream->places->max * UPSTREAM_OPEN_FACTOR)) {
        atomic_fetch_sub(&upstream->active, 1);
        return error_set_detail(error, ERR_BUSY, "too many answers of upstreams are under way");
    }
    if (!take_place(&upstream->places->taken, upstream->places->max)) {
        leave(upstream);
        return error_set_detail(error, ERR_BUSY, "too many requests wait for upstreams");
    }
    return ERR_OK;
}

/* Waiting for the client is no waiting for the upstream. Who has a request under way gets its place back, whoever has
 * come meanwhile: then there is one more for a while, and nobody new is let in. */
static enum err next_of_request(void *with, const struct work *work, char *buffer, size_t size,
                                size_t *len_out)
{
    const struct upstream_bodies *bodies = with;
    atomic_int *taken = &bodies->upstream->places->taken;

    atomic_fetch_sub(taken, 1);
    enum err err = bodies->request.next(bodies->request.with, work, buffer, size, len_out);
    atomic_fetch_add(taken, 1);
    return err;
}

static enum err next_of_response(void *with, const struct work *work, char *buffer, size_t size,
                                 size_t *len_out)
{
    const struct upstream_bodies *bodies = with;
    atomic_int *taken = &bodies->upstream->places->taken;

    atomic_fetch_add(taken, 1);
    enum err err = bodies->response.next(bodies->response.with, work, buffer, size, len_out);
    atomic_fetch_sub(taken, 1);
    return err;
}

static void close_response(void *with)
{
    struct upstream_bodies *bodies = with;

    bodies->response.close(bodies->response.with);
    leave(bodies->upstream);
    free(bodies);
}

static void name_address(const struct upstream_address *address, enum err err, struct error *error)
{
    if (!error || error->code != err)
        return;
    const struct error why = *error;
    error_set_detail(error, err, "%s: %s", address->url, why.detail);
}

/* An address that somebody had no more patience with has not failed by that. */
static bool has_gone(const struct http_peer_request *request)
{
    return request->is_unwanted && request->is_unwanted(request->unwanted_with);
}

/* Asks one address after another until one is reached; what may be done twice, until one answers in time. */
static enum err ask(struct upstream *upstream, const struct http_peer_request *request,
                    const struct work *work, struct http_peer_response *response_out)
{
    bool *tried = arena_calloc(work->arena, upstream->count, sizeof *tried);
    struct upstream_address *address;
    bool was_sent = false;
    enum err err = tried ? ERR_INTERNAL : ERR_NO_MEMORY;

    while (tried && (address = choose(upstream, tried)) != NULL) {
        bool is_unreached;
        int64_t began_ns = clock_mono_ns();
        err = http_peer_send(address->peer, request, work, response_out, &is_unreached);
        was_sent = response_out->was_sent = response_out->was_sent || was_sent;
        if (err == ERR_BAD_INPUT || err == ERR_NO_MEMORY || (err && has_gone(request)))
            break;
        note(upstream, address, is_unreached || err == ERR_TIMEOUT, began_ns);
        if (err == ERR_UPSTREAM_DOWN || err == ERR_TIMEOUT)
            name_address(address, err, work->error);
        bool may_go_on = err == ERR_TIMEOUT && request->may_repeat && !request->body;
        if (!is_unreached && !may_go_on)
            break;
    }
    /* What one before it failed with is nobody's failure then. */
    if (!err && work->error)
        error_clear(work->error);
    return err;
}

static enum err send_with(struct upstream_bodies *bodies, const struct http_peer_request *request,
                          const struct work *work, struct http_peer_response *response_out)
{
    struct body_source body = {0};

    if (request->body) {
        bodies->request = *request->body;
        body = (struct body_source){
            .length = request->body->length, .next = next_of_request, .with = bodies};
    }
    struct http_peer_request sent = *request;
    sent.body = request->body ? &body : NULL;
    return ask(bodies->upstream, &sent, work, response_out);
}

enum err upstream_send(struct upstream *upstream, const struct http_peer_request *request,
                       const struct work *work, struct http_peer_response *response_out)
{
    struct upstream_bodies *bodies;

    *response_out = (struct http_peer_response){0};
    enum err err = enter(upstream, work->error);
    if (err)
        return err;
    bodies = calloc(1, sizeof *bodies);
    if (bodies)
        bodies->upstream = upstream;
    err = bodies ? send_with(bodies, request, work, response_out) : ERR_NO_MEMORY;
    atomic_fetch_sub(&upstream->places->taken, 1);
    if (err || !response_out->has_body) {
        free(bodies);
        leave(upstream);
        return err;
    }
    bodies->response = response_out->body;
    response_out->body = (struct body_source){.length = bodies->response.length,
                                              .is_at_hand = bodies->response.is_at_hand,
                                              .watch = bodies->response.watch,
                                              .next = next_of_response,
                                              .close = close_response,
                                              .with = bodies};
    return ERR_OK;
}
