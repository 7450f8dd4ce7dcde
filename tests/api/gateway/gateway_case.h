/* Two nodes on one Redis (entries_case.h), each with a store of the gateway, and keys and responses for them. */
#ifndef TESTS_GATEWAY_CASE_H
#define TESTS_GATEWAY_CASE_H

#include "cachewarden/clock.h"
#include "entries/entries_case.h"
#include "gateway/clear.h"
#include "gateway/rules/fields_of.h"
#include "gateway/store.h"

enum { MEMORY_BYTES = 8 * 1024 * 1024 };

static struct gateway_store *stores[2];

static inline void open_stores(void)
{
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(gateway_store_new(nodes[i].app, MEMORY_BYTES, &stores[i], NULL), ERR_OK);
}

static inline void open_two_stores(void)
{
    open_two_nodes();
    open_stores();
}

static inline void open_two_stores_apart(void)
{
    open_two_nodes_apart();
    open_stores();
}

static inline void close_two_stores(void)
{
    gateway_store_free(&stores[1]);
    gateway_store_free(&stores[0]);
    close_two_nodes();
}

/* As a node has none in its memory that has just started. */
static inline void forget_on(int node)
{
    gateway_store_free(&stores[node]);
    ck_assert_int_eq(gateway_store_new(nodes[node].app, MEMORY_BYTES, &stores[node], NULL), ERR_OK);
}

static inline struct work in_work(void)
{
    error_clear(&error);
    return (struct work){arena, in_time(), &error};
}

static const struct str shop_models[] = {STR("Product"), STR("Shop")};

/* user_id 0: everybody's. `request`: lines of fields, which have to live as long as the key. */
static inline struct gateway_key key_of(int64_t user_id, const char *path, const char *request)
{
    struct http_fields fields = fields_of(request);
    struct http_field *items = arena_calloc(arena, fields.count, sizeof *items);

    for (size_t i = 0; i < fields.count; i++)
        items[i] = fields.items[i];
    return (struct gateway_key){.user_id = user_id,
                                .route = STR("/shop"),
                                .host = STR("shop.example"),
                                .path = str_from(path),
                                .models = shop_models,
                                .model_count = 2,
                                .request = {items, fields.count}};
}

/* Released with gateway_look_release. However slow the test is, what is fetched behind it has taken no time. */
static inline struct gateway_look look_on(int node, const struct gateway_key *key)
{
    struct gateway_look look;

    expect_ok(gateway_store_look(stores[node], key, in_work(), &look));
    look.looked_ns = clock_mono_ns() + 600 * NS_PER_S;
    return look;
}

static inline enum err try_store(int node, const struct gateway_key *key,
                                 const struct gateway_look *before, const char *fields,
                                 const char *body)
{
    const struct stored_response response = {.status = 200,
                                             .fields = fields_of(fields),
                                             .request_time_ms = 1000,
                                             .response_time_ms = 2000,
                                             .body = str_from(body)};

    return gateway_store_put(stores[node], key, before, &response, 3600000, in_work(), NULL);
}

/* A miss, and what comes of it. */
static inline void fill_on(int node, const struct gateway_key *key, const char *fields,
                           const char *body)
{
    struct gateway_look look = look_on(node, key);

    expect_ok(try_store(node, key, &look, fields, body));
    gateway_look_release(&look);
}

static inline struct str body_on(int node, const struct gateway_key *key)
{
    struct gateway_look look = look_on(node, key);
    struct str body = STR_NONE;

    if (look.stored) {
        expect_ok(gateway_store_body(stores[node], key, &look, in_work()));
        body = str_dup(arena, look.stored->body);
    }
    gateway_look_release(&look);
    return body;
}

static inline void expect_stored(int node, const struct gateway_key *key, const char *body)
{
    struct str found = body_on(node, key);

    ck_assert_msg(str_eq(found, str_from(body)), "node %d: \"%.*s\", not \"%s\"", node,
                  STR_ARG(found), body);
}

static inline bool is_stored_on(int node, const struct gateway_key *key)
{
    struct gateway_look look = look_on(node, key);
    bool is_stored = look.stored != NULL;

    gateway_look_release(&look);
    return is_stored;
}

static inline bool is_outdated_on(int node, const struct gateway_key *key)
{
    struct gateway_look look = look_on(node, key);
    bool is_outdated = look.stored && look.is_outdated;

    gateway_look_release(&look);
    return is_outdated;
}

static inline void clear_tag_on(int node, const char *tag, bool is_soft)
{
    int64_t generation = 0;

    expect_ok(gateway_clear_model(nodes[node].app, str_from(tag), is_soft, in_work(), &generation));
    ck_assert_int_gt(generation, 1);
}

static inline uint64_t trips_of(struct redis *of)
{
    struct redis_stats stats;

    redis_stats_read(of, &stats);
    return stats.round_trips;
}

#endif
