/*
 * What Redis is told for each route of entries, models, jobs and named caches, case by case, against
 * tests/api/commands.golden: the commands with their keys, a block a round trip. Another command, or one more round
 * trip, is a visible difference there. None may look through keys or run a script.
 *
 * After a change that is meant, write the file anew and read the difference before committing it:
 *
 *     CW_UPDATE_GOLDEN=1 build-dev/tests/api/test_commands && git diff tests/api/commands.golden
 */
#include "cachewarden/app.h"
#include "cachewarden/clock.h"
#include "cachewarden/routes.h"
#include "entries/entries_private.h"
#include "entries/lease.h"
#include "golden.h"
#include "loopback.h"
#include "redis_monitor.h"
#include "redis_server.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>

static struct redis_server *redis, *store; /* of control data, and of entries */
static struct loopback nodes[2];
static struct arena *arena;
static FILE *out;

/* Of control data, and of entries where they live elsewhere. */
static struct redis_monitor *monitors[2];

/* ---- cases ---- */

/* What came of it is a part of the case: a hit that is a miss is another one. */
static const char *outcome_of(const struct loopback_answer *answer)
{
    static const char *const outcomes[] = {[OUTCOME_CREATED] = "created",
                                           [OUTCOME_NO_CONTENT] = "no content",
                                           [OUTCOME_MISS] = "miss",
                                           [OUTCOME_ACCEPTED] = "accepted",
                                           [OUTCOME_NOT_MODIFIED] = "not modified"};

    if (answer->err != ERR_OK)
        return err_name(answer->err);
    if (answer->reply.is_refresh)
        return "hit, to be filled anew";
    if (answer->reply.cache_result == CACHE_RESULT_HIT && answer->reply.outcome == OUTCOME_OK)
        return "hit";
    const char *name = (size_t)answer->reply.outcome < sizeof outcomes / sizeof *outcomes
                           ? outcomes[answer->reply.outcome]
                           : NULL;
    return name ? name : "ok";
}

/* The lease, and the id of a job, live in the arena. */
static const char *show(const char *what, const struct loopback_request *request)
{
    struct loopback_answer *answer;
    const char *kept = NULL;

    for (int i = 0; i < 2 && monitors[i]; i++)
        redis_monitor_write(monitors[i], NULL);
    answer = loopback_call(request);
    fprintf(out, "%s, %s: %s\n", request->route, what, outcome_of(answer));
    for (int i = 0; i < 2 && monitors[i]; i++) {
        if (monitors[1])
            fprintf(out, " the Redis of %s\n", i == 0 ? "control data" : "entries");
        redis_monitor_write(monitors[i], out);
    }
    if (answer->reply.lease.len > 0)
        kept = str_dup(arena, answer->reply.lease).ptr;
    else if (answer->err == ERR_OK && answer->reply.outcome == OUTCOME_ACCEPTED)
        kept = str_dup(arena, json_string(json_get(loopback_json(answer), "id"))).ptr;
    loopback_free(&answer);
    return kept;
}

static struct principal key_of_shop(void)
{
    struct principal key = loopback_key(SCOPE_ENTRIES, 0);

    key.space = STR("shop");
    key.token_id = STR("key-1");
    return key;
}

#define SHOW_AS(who, what, route_name, ...) \
    show(what, &(struct loopback_request){  \
                   .app = nodes[0].app, .route = (route_name), .principal = (who), __VA_ARGS__})
#define SHOW(what, route_name, ...) SHOW_AS(key_of_shop(), what, route_name, __VA_ARGS__)
/* What leads to the next case, on either node. */
#define DO_AS(node, who, route_name, ...)                                                    \
    do {                                                                                     \
        struct loopback_answer *done = LOOPBACK(&nodes[node], route_name, who, __VA_ARGS__); \
        ck_assert_msg(done->err == ERR_OK, "%s: %s", route_name, done->error.detail);        \
        loopback_free(&done);                                                                \
    } while (0)
#define DO(node, route_name, ...) DO_AS(node, key_of_shop(), route_name, __VA_ARGS__)

static void show_gets(void)
{
    SHOW("nothing there", "entries.get", .name = "nothing");
    SHOW("nothing there, a model named", "entries.get", .name = "nothing",
         .query = "model=Product");
    SHOW("nothing there, and nobody fills", "entries.get", .name = "nothing",
         .query = "wait_ms=100");
    DO(0, "entries.put", .name = "plain", .body = "text", .type = "text/plain");
    SHOW("a value", "entries.get", .name = "plain");
    SHOW("its head", "entries.get", .name = "plain", .is_head = true);
    SHOW("any tag", "entries.get", .name = "plain", .if_none_match = "*");
    DO(0, "entries.put", .name = "with", .query = "model=Product&model=Order", .body = "text");
    SHOW("its models named", "entries.get", .name = "with", .query = "model=Order&model=Product");
    SHOW("its models not named", "entries.get", .name = "with");
    DO(1, "models.clear", .name = "Order");
    SHOW("a model of it cleared", "entries.get", .name = "with",
         .query = "model=Order&model=Product");
    DO(0, "entries.increment", .name = "number", .body = "{\"by\":7}");
    SHOW("a counter", "entries.get", .name = "number");
    DO(1, "entries.clear", .query = NULL);
    SHOW("a value from before a clear", "entries.get", .name = "plain");
    SHOW("a counter from before a clear", "entries.get", .name = "number");
}

/* As if the fill had taken most of an hour. Whoever reads is drawn by chance, and most are. */
static void show_refresh(void)
{
    const struct namespace shop = {.app = STR("shop")};
    const struct lease_scope scope = {nodes[0].app->entries->lease_keys, &shop, STR("late")};
    struct lease lease;
    struct model_set none = {0};
    struct str text;

    ck_assert_int_eq(lease_fill_in(&lease, clock_wall_ms() - 3500000, 2, &none), ERR_OK);
    ck_assert_int_eq(lease_seal(&scope, arena, &lease, &text), ERR_OK);
    DO(0, "entries.put", .name = "late", .query = "ttl=1000", .body = "x", .lease = text.ptr);
    for (const char *given = NULL; !given;) {
        long before = ftell(out);
        given = SHOW("shortly before its end", "entries.get", .name = "late");
        if (!given)
            fseek(out, before, SEEK_SET);
    }
}

static void show_puts(void)
{
    DO(0, "entries.delete", .name = "plain");
    SHOW("nothing there", "entries.put", .name = "plain", .body = "a");
    SHOW("something there", "entries.put", .name = "plain", .body = "b");
    SHOW("a model this node does not know", "entries.put", .name = "with", .query = "model=New",
         .body = "c");
    SHOW("a model this node knows", "entries.put", .name = "with", .query = "model=New",
         .body = "c");
    const char *lease = SHOW("for a lease", "entries.get", .name = "leased", .query = "model=New");
    SHOW("with a lease", "entries.put", .name = "leased", .query = "model=New", .body = "d",
         .lease = lease);
    DO(0, "models.clear", .name = "New");
    SHOW("with a lease from before a clear", "entries.put", .name = "leased", .query = "model=New",
         .body = "d", .lease = lease);
    lease = SHOW("for a lease", "entries.get", .name = "leased");
    SHOW("with a lease that named no model", "entries.put", .name = "leased", .query = "model=New",
         .body = "d", .lease = lease);
    DO(1, "entries.clear", .query = NULL);
    SHOW("cleared elsewhere, a wrong guess", "entries.put", .name = "plain", .body = "e");
    SHOW("a whole number", "entries.put", .name = "number", .body = "42");
    SHOW("a forged lease", "entries.put", .name = "plain", .body = "e", .lease = "forged");
}

static void show_conditions(void)
{
    SHOW("if nothing is there, and nothing is", "entries.put", .name = "once", .body = "a",
         .if_none_match = "*");
    SHOW("if nothing is there, and something is", "entries.put", .name = "once", .body = "b",
         .if_none_match = "*");
    SHOW("a whole number if nothing is there, and nothing is", "entries.put", .name = "one",
         .body = "1", .if_none_match = "*");
    DO(0, "entries.clear", .query = NULL);
    SHOW("if nothing is there, and something out of date is", "entries.put", .name = "once",
         .body = "c", .if_none_match = "*");
}

static void show_increments(void)
{
    SHOW("the first", "entries.increment", .name = "visits", .body = "{}");
    SHOW("the next", "entries.increment", .name = "visits", .body = "{\"by\":2}");
    DO(1, "entries.clear", .query = NULL);
    SHOW("cleared elsewhere, a wrong guess", "entries.increment", .name = "visits", .body = "{}");
    SHOW("text is there", "entries.increment", .name = "plain-2", .body = "{}");
    DO(0, "entries.put", .name = "plain", .body = "text");
    SHOW("on a text", "entries.increment", .name = "plain", .body = "{}");
    DO(0, "entries.clear", .query = NULL);
    SHOW("a text out of date is there", "entries.increment", .name = "plain", .body = "{}");
    DO(0, "entries.increment", .name = "visits", .body = "{}");
    SHOW("too large", "entries.increment", .name = "visits",
         .body = "{\"by\":9223372036854775807}");
    SHOW("a fraction", "entries.increment", .name = "visits", .body = "{\"by\":1.5}");
}

static void show_drops(void)
{
    DO(0, "entries.put", .name = "plain", .body = "text");
    SHOW("something there", "entries.delete", .name = "plain");
    SHOW("nothing there", "entries.delete", .name = "plain");
    SHOW("all of an application", "entries.clear", .query = NULL);
    SHOW("a model", "models.clear", .name = "Product");
}

static void show_account(void)
{
    struct principal alice = loopback_user(7);

    SHOW_AS(alice, "nothing there", "entries.get", .name = "k");
    SHOW_AS(alice, "nothing there", "entries.put", .name = "k", .body = "a");
    SHOW_AS(alice, "a value", "entries.get", .name = "k");
    SHOW_AS(alice, "all of an account", "entries.clear", .query = NULL);
    DO_AS(0, alice, "cache.disable", .query = NULL);
    SHOW_AS(alice, "switched off", "entries.get", .name = "k");
    SHOW_AS(alice, "switched off", "entries.put", .name = "k", .body = "a");
    SHOW_AS(alice, "switched off", "entries.increment", .name = "k", .body = "{}");
}

static void show_jobs(void)
{
    struct principal admin = loopback_admin();

    const char *id = SHOW_AS(admin, "a pattern", "entries.clear",
                             .query = "namespace=app:shop&pattern=products:*");
    SHOW_AS(admin, "a pattern, while another runs", "entries.clear",
            .query = "namespace=app:shop&pattern=orders:*");
    SHOW_AS(admin, "one that runs", "jobs.show", .name = id);
    SHOW_AS(admin, "one that nobody knows", "jobs.show",
            .name = "00000000000000000000000000000000");
    SHOW_AS(admin, "one that runs", "jobs.cancel", .name = id);
    SHOW_AS(admin, "one that has ended", "jobs.cancel", .name = id);
    SHOW_AS(admin, "one that has ended", "jobs.show", .name = id);
}

static void show_caches(void)
{
    struct principal admin = loopback_admin();

    DO_AS(0, admin, "search.clear",
          .query = NULL); /* it has connections of its own, and opens them */
    SHOW_AS(admin, "keys", "messages.flush", .query = NULL);
    SHOW_AS(admin, "a database", "search.clear", .query = NULL);
    SHOW_AS(admin, "all", "caches.list", .query = NULL);
    SHOW_AS(admin, "keys", "caches.flush", .name = "messages");
    SHOW_AS(admin, "keys, to be counted", "caches.flush", .name = "messages",
            .query = "dry_run=true");
    SHOW_AS(admin, "a database", "caches.flush", .name = "search");
    SHOW_AS(admin, "a prefix", "caches.flush", .name = "sessions");
}

static void open_all(void)
{
    static const struct str keys[] = {{"whatsapp:{env}:in", 17}, {"whatsapp:{env}:out", 18}};
    static const struct cache_spec caches[] = {
        {.name = {"messages", 8}, .kind = CACHE_KEYS, .keys = keys, .key_count = 2},
        {.name = {"search", 6}, .kind = CACHE_DATABASE, .database = 1},
        {.name = {"sessions", 8}, .kind = CACHE_PREFIX, .prefix = {"sess:", 5}}};
    struct loopback_options options = {.redis_url = redis_server_url(redis),
                                       .entries_redis_url = redis_server_url(store),
                                       .caches = caches,
                                       .cache_count = 3,
                                       .is_unwatched = true,
                                       .pool_size = 1};

    arena = arena_new(65536, 0);
    loopback_open(&nodes[0], &options);
    options.shares = &nodes[0];
    loopback_open(&nodes[1], &options);
    /* The first of each node agrees to the control data, and opens its connections. */
    DO(0, "entries.get", .name = "nothing");
    DO(1, "entries.get", .name = "nothing");
    monitors[0] = redis_monitor_open(redis);
    if (store != redis)
        monitors[1] = redis_monitor_open(store);
}

static void close_all(void)
{
    redis_monitor_close(&monitors[1]);
    redis_monitor_close(&monitors[0]);
    loopback_close(&nodes[1]);
    loopback_close(&nodes[0]);
    if (store != redis)
        redis_server_stop(&store);
    redis_server_stop(&redis);
    arena_free(&arena);
}

static void show_one_redis(void)
{
    redis = store = redis_server_start(NULL);
    open_all();
    show_gets();
    show_refresh();
    show_puts();
    show_conditions();
    show_increments();
    show_drops();
    show_account();
    show_jobs();
    show_caches();
    close_all();
}

static void show_two_redis(void)
{
    redis = redis_server_start(NULL);
    store = redis_server_start(NULL);
    open_all();
    fputs("\n# Entries on a Redis of their own\n\n", out);
    show_gets();
    show_puts();
    close_all();
}

/* A case begins with the name of its route, and what Redis was told is indented. */
static void expect_shown(const char *text, const char *name)
{
    char begin[64];

    snprintf(begin, sizeof begin, "\n%s, ", name);
    ck_assert_msg(strncmp(text, begin + 1, strlen(begin + 1)) == 0 || strstr(text, begin),
                  "%s is in no case: show it in tests/api/test_commands.c", name);
}

static void expect_all_shown(const char *text)
{
    static const char *const prefixes[] = {"entries.", "models.",   "jobs.",
                                           "caches.",  "messages.", "search."};
    size_t count;
    const struct route *rows = routes_table(&count);

    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < sizeof prefixes / sizeof *prefixes; k++)
            if (str_starts(str_from(rows[i].name), str_from(prefixes[k])))
                expect_shown(text, rows[i].name);
}

START_TEST(every_route_in_its_cases)
{
    static const char *const forbidden[] = {"    KEYS ", "    SCAN ",   "    EVAL ",
                                            "    SORT ", "    EVALSHA", "    FCALL"};
    char *text;
    size_t size;

    out = open_memstream(&text, &size);
    show_one_redis();
    show_two_redis();
    fclose(out);
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
        ck_assert_msg(!strstr(text, forbidden[i]), "a route uses%s", forbidden[i]);
    expect_all_shown(text);
    golden_expect("tests/api/commands.golden", text);
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/commands");
    TCase *all = tcase_create("all");

    tcase_add_test(all, every_route_in_its_cases);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
