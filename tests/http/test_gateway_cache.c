/* What the gateway answers from its cache, and what it stores. */
#include "gateway_case.h"

static void open_stand(void)
{
    gateway_stand_open(
        "{ prefix = \"/open\"; scope = \"public\"; UPSTREAM },\n"
        "{ prefix = \"/mine\"; UPSTREAM },\n"
        "{ prefix = \"/ttl\"; scope = \"public\"; ttl_s = 3600; UPSTREAM },\n"
        "{ prefix = \"/bare\"; scope = \"public\"; pass_credentials = false; UPSTREAM },"
        "{ prefix = \"/things\"; scope = \"public\"; models = [ \"things\" ]; UPSTREAM },"
        "{ prefix = \"/parts\"; models = [ \"things\", \"parts\" ]; UPSTREAM }",
        "limits: { enabled = false; };");
}

#define CACHED "Cache-Control: max-age=3600\r\n"
#define LEN(n) "Content-Length: " #n "\r\n"
#define REUSE  "Cachewarden; hit; ttl="

/* A path that no other test has asked for. */
static const char *fresh(const char *prefix)
{
    static char path[64];
    static int count;

    snprintf(path, sizeof path, "%s/%d-%d", prefix, (int)getpid(), count++);
    return path;
}

static const struct http_reply *get(const char *path, const char *credential)
{
    return http_get(stand.http, path, credential);
}

static const struct http_reply *get_with(const char *path, const char *a, const char *b)
{
    return http_send(stand.http, "GET", path, (const char *const[]){a, b, NULL}, NULL, 0);
}

static void expect_cached(const struct http_reply *reply, int status, const char *body,
                          const char *cache)
{
    expect_body(reply, status, body);
    expect_header(reply, "X-Cache", cache);
}

/* Two requests of that credential, and what came of the second one. */
static const struct http_reply *expect_second(const char *path, const char *answer,
                                              const char *credential, const char *cache)
{
    ORIGIN_SAY(origin, answer);
    ORIGIN_SAY(origin, answer);
    int status = get(path, credential)->status;
    const struct http_reply *reply = get(path, credential);
    expect_status(reply, status);
    expect_header(reply, "X-Cache", cache);
    origin_close();
    origin_open();
    return reply;
}

/* Both go to the upstream, and the answer says why. */
static void expect_unstored(const char *why, const char *prefix, const char *credential,
                            const char *answer)
{
    const struct http_reply *reply = expect_second(fresh(prefix), answer, credential, "MISS");

    ck_assert_ptr_nonnull(strstr(http_header(reply, "Cache-Status"), why));
}

/* ---- hits and misses ---- */

START_TEST(what_is_fresh_is_served_again)
{
    const char *path = fresh("/open");

    ORIGIN_SAY(origin, OK_WITH(CACHED LEN(3) "ETag: \"a\"\r\nX-Thing: 1\r\nCache-Tag: t\r\n"
                                             "Content-Type: a/b\r\n",
                               "abc"));
    const struct http_reply *reply = get(path, NULL);
    expect_cached(reply, 200, "abc", "MISS");
    expect_header(reply, "Cache-Status", "Cachewarden; fwd=uri-miss; fwd-status=200; stored");
    expect_header(reply, "X-Cache-Enabled", "true");
    expect_header(reply, "X-Cache-Version", NULL);
    expect_header(reply, "Age", NULL);
    reply = get(path, NULL);
    expect_cached(reply, 200, "abc", "HIT");
    ck_assert(strncmp(http_header(reply, "Cache-Status"), REUSE, strlen(REUSE)) == 0);
    ck_assert_ptr_nonnull(http_header(reply, "Age"));
    expect_header(reply, "ETag", "\"a\"");
    expect_header(reply, "X-Thing", "1");
    expect_header(reply, "Content-Type", "a/b");
    expect_header(reply, "Content-Length", "3");
    expect_header(reply, "Cache-Tag", NULL);
    ck_assert_uint_eq(scripted_origin_count(origin), 1);
}
END_TEST

START_TEST(what_may_not_be_stored_is_not)
{
    const char *no_store = OK_WITH("Cache-Control: no-store\r\n" LEN(1), "a");
    const char *private = OK_WITH("Cache-Control: private, max-age=9\r\n" LEN(1), "a");

    expect_unstored("=\"not stored: no-freshness\"", "/open", NULL, OK_WITH(LEN(1), "a"));
    expect_unstored(": no-store", "/open", NULL, no_store);
    expect_unstored(": no-store", "/ttl", NULL, no_store);
    expect_unstored(": private", "/open", NULL, private);
    expect_unstored(": private", "/mine", stand.alice.bearer, private);
    expect_unstored(": stale", "/open", NULL,
                    OK_WITH("Cache-Control: max-age=60\r\nAge: 60\r\n" LEN(1), "a"));
    expect_unstored(": vary", "/open", NULL, OK_WITH(CACHED "Vary: *\r\n" LEN(1), "a"));
    expect_unstored(": no-freshness", "/ttl", NULL, "HTTP/1.1 500 Broken\r\n" LEN(1) "\r\na");
    expect_unstored(": stream", "/ttl", NULL,
                    OK_WITH("Content-Type: text/event-stream\r\n" LEN(1), "a"));
}
END_TEST

START_TEST(a_route_says_how_long_what_states_none_is_fresh)
{
    expect_second(fresh("/ttl"), OK_WITH(LEN(1), "a"), NULL, "HIT");
    expect_second(fresh("/ttl"), "HTTP/1.1 404 None\r\nContent-Length: 1\r\n\r\na", NULL, "HIT");
    expect_second(fresh("/ttl"), OK_WITH("Cache-Control: max-age=0\r\n" LEN(1), "a"), NULL, "MISS");
}
END_TEST

/* No key holds these, and the upstream may answer by them. */
START_TEST(who_shows_who_they_are_gets_an_answer_of_their_own)
{
    expect_unstored(": credentials", "/open", "Cookie: a=b", OK_WITH(CACHED LEN(1), "a"));
    expect_unstored(": credentials", "/open", "X-Api-Key: k", OK_WITH(CACHED LEN(1), "a"));
    expect_unstored(": authorization", "/open", "Authorization: x", OK_WITH(CACHED LEN(1), "a"));
    expect_second(fresh("/open"), OK_WITH("Cache-Control: public, max-age=9\r\n" LEN(1), "a"),
                  "Authorization: Basic eDp5", "HIT");
    /* Where the upstream does not see them, there is one answer for all. */
    expect_second(fresh("/bare"), OK_WITH(CACHED LEN(1), "a"), "Cookie: a=b", "HIT");
    expect_second(fresh("/mine"), OK_WITH(CACHED LEN(1), "a"), stand.alice.bearer, "HIT");
}
END_TEST

/* What was answered without them is for all. */
START_TEST(who_shows_who_they_are_may_have_what_all_have)
{
    const char *path = fresh("/open");

    ORIGIN_SAY(origin, OK_WITH(CACHED LEN(1), "a"));
    get(path, NULL);
    expect_cached(get(path, "Cookie: a=b"), 200, "a", "HIT");
    ck_assert_uint_eq(scripted_origin_count(origin), 1);
}
END_TEST

START_TEST(an_answer_that_is_cut_short_is_not_stored)
{
    const char *path = fresh("/open");

    scripted_origin_say(origin, &(struct origin_answer){.bytes = OK_WITH(CACHED LEN(10), "abc"),
                                                        .then = ORIGIN_CLOSES});
    expect_status(get(path, NULL), 502);
    ORIGIN_SAY(origin, OK_WITH(CACHED LEN(3), "abc"));
    expect_cached(get(path, NULL), 200, "abc", "MISS");
}
END_TEST

START_TEST(large_bodies)
{
    enum { SIZE = 200000 };
    char *wanted = malloc(SIZE + 1);
    const char *path = fresh("/open");

    memset(wanted, 'x', SIZE);
    wanted[SIZE] = '\0';
    scripted_origin_say(origin, &(struct origin_answer){.bytes = OK_WITH(CACHED LEN(200000), ""),
                                                        .filler_size = SIZE});
    expect_cached(get(path, NULL), 200, wanted, "MISS");
    expect_cached(get(path, NULL), 200, wanted, "HIT");
    expect_cached(get(path, NULL), 200, wanted, "HIT");
    /* Of an unknown length, and more than is stored. */
    path = fresh("/open");
    for (int i = 0; i < 2; i++) {
        scripted_origin_say(origin, &(struct origin_answer){.bytes = OK_WITH(CACHED, ""),
                                                            .filler_size = 2000000,
                                                            .then = ORIGIN_CLOSES});
        const struct http_reply *reply = get(path, NULL);
        expect_status(reply, 200);
        expect_header(reply, "X-Cache", "MISS");
        ck_assert_uint_eq(reply->body_size, 2000000);
    }
    free(wanted);
}
END_TEST

/* ---- what tells requests apart ---- */

START_TEST(users_have_answers_of_their_own)
{
    const char *path = fresh("/mine");

    ORIGIN_SAY(origin, OK_WITH(CACHED LEN(5), "alice"));
    ORIGIN_SAY(origin, OK_WITH(CACHED LEN(3), "bob"));
    const struct http_reply *reply = get(path, stand.alice.bearer);
    expect_cached(reply, 200, "alice", "MISS");
    expect_header(reply, "X-Cache-Enabled", "true");
    ck_assert_ptr_nonnull(http_header(reply, "X-Cache-Version"));
    expect_cached(get(path, stand.bob.bearer), 200, "bob", "MISS");
    expect_cached(get(path, stand.alice.bearer), 200, "alice", "HIT");
    expect_cached(get(path, stand.bob.bearer), 200, "bob", "HIT");
    expect_answer(get(path, NULL), 401, SAYS_401);
    ck_assert_uint_eq(scripted_origin_count(origin), 2);
}
END_TEST

START_TEST(what_is_asked_for_is_told_apart)
{
    char path[80], empty[96], query[96];

    snprintf(path, sizeof path, "%s", fresh("/open"));
    snprintf(empty, sizeof empty, "%s?", path);
    snprintf(query, sizeof query, "%s?b", path);
    scripted_origin_always(origin, &(struct origin_answer){.bytes = OK_WITH(CACHED LEN(1), "a")});
    expect_cached(get(path, NULL), 200, "a", "MISS");
    expect_cached(get(path, NULL), 200, "a", "HIT");
    expect_cached(get(empty, NULL), 200, "a", "MISS");
    expect_cached(get(empty, NULL), 200, "a", "HIT");
    expect_cached(get(query, NULL), 200, "a", "MISS");
    expect_cached(get_with(query, "Host: other.example", NULL), 200, "a", "MISS");
    expect_cached(get_with(query, "Host: other.example", NULL), 200, "a", "HIT");
}
END_TEST

START_TEST(vary_tells_requests_apart)
{
    const char *path = fresh("/open");

    ORIGIN_SAY(origin, OK_WITH(CACHED "Vary: X-Lang\r\n" LEN(2), "en"));
    ORIGIN_SAY(origin, OK_WITH(CACHED "Vary: X-Lang\r\n" LEN(2), "de"));
    expect_cached(get(path, "X-Lang: en"), 200, "en", "MISS");
    const struct http_reply *reply = get(path, "X-Lang: de");
    expect_cached(reply, 200, "de", "MISS");
    expect_header(reply, "Cache-Status", "Cachewarden; fwd=vary-miss; fwd-status=200; stored");
    expect_cached(get(path, "X-Lang: en"), 200, "en", "HIT");
    expect_cached(get(path, "X-Lang: de"), 200, "de", "HIT");
    expect_header(get(path, NULL), "X-Cache", "MISS");
}
END_TEST

/* ---- parts, and what the client has already ---- */

START_TEST(conditions_and_ranges_are_answered_from_what_is_stored)
{
    const char *path = fresh("/open");

    ORIGIN_SAY(origin,
               OK_WITH(CACHED LEN(10) "ETag: \"a\"\r\nContent-Type: a/b\r\n", "0123456789"));
    get(path, NULL);
    const struct http_reply *reply = get(path, "If-None-Match: W/\"a\"");
    expect_cached(reply, 304, "", "HIT");
    expect_header(reply, "ETag", "\"a\"");
    expect_header(reply, "Content-Type", NULL);
    expect_cached(get(path, "If-None-Match: \"b\""), 200, "0123456789", "HIT");
    reply = get(path, "Range: bytes=2-4");
    expect_cached(reply, 206, "234", "HIT");
    expect_header(reply, "Content-Range", "bytes 2-4/10");
    expect_header(reply, "Content-Length", "3");
    reply = get(path, "Range: bytes=20-");
    expect_status(reply, 416);
    expect_header(reply, "Content-Range", "bytes */10");
    expect_cached(get_with(path, "Range: bytes=2-4", "If-Range: \"b\""), 200, "0123456789", "HIT");
    reply = http_call(stand.http, "HEAD", path, NULL);
    expect_cached(reply, 200, "", "HIT");
    expect_header(reply, "Content-Length", "10");
    ck_assert_uint_eq(scripted_origin_count(origin), 1);
}
END_TEST

/* An answer to a condition is for who made it. */
START_TEST(answers_to_conditions_are_not_stored)
{
    const char *path = fresh("/open");
    const char *answer = "HTTP/1.1 412 No\r\n" CACHED "Content-Length: 0\r\n\r\n";

    ORIGIN_SAY(origin, answer);
    expect_status(get(path, "If-Match: \"x\""), 412);
    expect_cached(get(path, NULL), 200, "hello", "MISS");
    path = fresh("/open");
    ORIGIN_SAY(origin, "HTTP/1.1 416 No\r\n" CACHED "Content-Length: 0\r\n\r\n");
    expect_status(get(path, "Range: bytes=9-"), 416);
    expect_cached(get(path, NULL), 200, "hello", "MISS");
}
END_TEST

START_TEST(a_head_tells_of_what_is_stored)
{
    const char *path = fresh("/open");

    ORIGIN_SAY(origin, OK_WITH("Cache-Control: max-age=0\r\nETag: \"a\"\r\n" LEN(3), "abc"));
    get(path, NULL);
    /* It is the same still, and fresh again. */
    ORIGIN_SAY(origin, OK_WITH(CACHED "ETag: \"a\"\r\n" LEN(3), ""));
    expect_cached(http_call(stand.http, "HEAD", path, NULL), 200, "", "MISS");
    expect_cached(get(path, NULL), 200, "abc", "HIT");
    /* It is another one now. */
    ORIGIN_SAY(origin, OK_WITH(CACHED "ETag: \"b\"\r\n" LEN(4), ""));
    http_send(stand.http, "HEAD", path, (const char *const[]){"Cache-Control: no-cache", NULL},
              NULL, 0);
    expect_cached(get(path, NULL), 200, "hello", "MISS");
}
END_TEST

START_TEST(what_is_stale_is_asked_about)
{
    const char *path = fresh("/open");

    ORIGIN_SAY(origin, OK_WITH("Cache-Control: max-age=0\r\nETag: \"a\"\r\n" LEN(3), "abc"));
    ORIGIN_SAY(origin, "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n" CACHED "X-New: 1\r\n\r\n");
    expect_cached(get(path, NULL), 200, "abc", "MISS");
    const struct http_reply *reply = get(path, NULL);
    expect_cached(reply, 200, "abc", "MISS");
    expect_header(reply, "Cache-Status", "Cachewarden; fwd=stale; fwd-status=304; stored");
    expect_header(reply, "X-New", "1");
    expect_line(head_at(1), "If-None-Match: \"a\"");
    /* Fresh again, with what the upstream said. */
    reply = get(path, NULL);
    expect_cached(reply, 200, "abc", "HIT");
    expect_header(reply, "X-New", "1");
    /* Who wants no stored answer gets the upstream's. */
    ORIGIN_SAY(origin, OK_WITH(CACHED "ETag: \"b\"\r\n" LEN(3), "new"));
    reply = get(path, "Cache-Control: no-cache");
    expect_cached(reply, 200, "new", "MISS");
    expect_header(reply, "Cache-Status", "Cachewarden; fwd=request; fwd-status=200; stored");
    expect_cached(get(path, NULL), 200, "new", "HIT");
}
END_TEST

START_TEST(stale_answers_are_better_than_none_where_that_is_said)
{
    const char *path = fresh("/open");

    ORIGIN_SAY(origin, OK_WITH("Cache-Control: max-age=0, stale-if-error=3600\r\n" LEN(3), "abc"));
    get(path, NULL);
    ORIGIN_SAY(origin, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    expect_cached(get(path, NULL), 200, "abc", "STALE");
    scripted_origin_say(origin, &(struct origin_answer){.then = ORIGIN_CLOSES});
    scripted_origin_say(origin, &(struct origin_answer){.then = ORIGIN_CLOSES});
    expect_cached(get(path, NULL), 200, "abc", "STALE");
}
END_TEST

START_TEST(what_is_stale_is_served_while_one_request_refreshes_it)
{
    const char *path = fresh("/open");
    const struct http_reply *reply;

    ORIGIN_SAY(origin,
               OK_WITH("Cache-Control: max-age=0, stale-while-revalidate=3600\r\n" LEN(3), "old"));
    scripted_origin_say(
        origin, &(struct origin_answer){.bytes = OK_WITH(CACHED LEN(3), "new"), .is_held = true});
    get(path, NULL);
    reply = get(path, NULL);
    expect_cached(reply, 200, "old", "STALE");
    ck_assert(strncmp(http_header(reply, "Cache-Status"), REUSE, strlen(REUSE)) == 0);
    scripted_origin_wait_count(origin, 2);
    /* It is under way, and for nobody else to do. */
    expect_cached(get_with(path, "Range: bytes=0-0", NULL), 206, "o", "STALE");
    expect_cached(get(path, NULL), 200, "old", "STALE");
    scripted_origin_release(origin);
    do
        reply = get(path, NULL);
    while (strcmp(reply->body, "old") == 0);
    expect_cached(reply, 200, "new", "HIT");
    ck_assert_uint_eq(scripted_origin_count(origin), 2);
}
END_TEST

START_TEST(only_what_is_cached_where_that_is_asked)
{
    const struct http_reply *reply = get(fresh("/open"), "Cache-Control: only-if-cached");
    expect_status(reply, 504);
    expect_header(reply, "X-Cache", "MISS");
    /* It went nowhere. */
    expect_header(reply, "Cache-Status", "Cachewarden; detail=\"only-if-cached\"");
    expect_header(reply, "Content-Type", "application/json");
    ck_assert(strncmp(reply->body, "{\"detail\":\"", 11) == 0);
    ck_assert_uint_eq(scripted_origin_count(origin), 0);
}
END_TEST

/* ---- clears ---- */

START_TEST(a_clear_is_a_miss_for_its_user)
{
    const char *path = fresh("/mine");
    char wanted[32];

    scripted_origin_always(origin, &(struct origin_answer){.bytes = OK_WITH(CACHED LEN(1), "a")});
    long before = strtol(http_header(get(path, stand.alice.bearer), "X-Cache-Version"), NULL, 10);
    snprintf(wanted, sizeof wanted, "%ld", before + 1);
    get(path, stand.bob.bearer);
    expect_status(http_post(stand.http, "/api/cache/clear/", stand.alice.bearer), 200);
    const struct http_reply *reply = get(path, stand.alice.bearer);
    expect_cached(reply, 200, "a", "MISS");
    expect_header(reply, "X-Cache-Version", wanted);
    expect_cached(get(path, stand.alice.bearer), 200, "a", "HIT");
    expect_cached(get(path, stand.bob.bearer), 200, "a", "HIT");
}
END_TEST

static void expect_of(const struct cw_server *node, const char *path, const char *credential,
                      const char *cache)
{
    struct http_client *client = http_client_new(node->base_url);
    const struct http_reply *reply = http_send(
        client, "GET", path, (const char *const[]){"Host: app.example", credential, NULL}, NULL, 0);

    expect_status(reply, 200);
    expect_header(reply, "X-Cache", cache);
    http_client_free(&client);
}

/* With the stand's Redis and accounts. */
static void start_other_node(struct cw_server *node)
{
    const char *environment[40];
    char database[400];
    size_t count = 0;

    snprintf(database, sizeof database, "DATABASE_URL=sqlite:%s/users.db", stand.directory);
    environment[count++] = database;
    /* What is freed looks like nothing that was ever meant. */
    environment[count++] = "MALLOC_PERTURB_=165";
    environment[count++] = "GLIBC_TUNABLES=glibc.malloc.tcache_count=0";
    for (char **variable = stand.environment; *variable; variable++)
        environment[count++] = *variable;
    environment[count] = NULL;
    cw_server_start(
        node, &(struct cw_server_options){.environment = environment, .config = gateway_config});
}

/* What a node has in memory needs no telling: it asks before it serves. */
START_TEST(a_clear_is_in_force_on_every_node)
{
    struct cw_server other;
    char mine[80], things[80];

    start_other_node(&other);
    scripted_origin_always(origin, &(struct origin_answer){.bytes = OK_WITH(CACHED LEN(1), "a")});
    snprintf(mine, sizeof mine, "%s", fresh("/mine"));
    snprintf(things, sizeof things, "%s", fresh("/things"));
    expect_of(&stand.server, mine, stand.alice.bearer, "MISS");
    expect_of(&stand.server, things, NULL, "MISS");
    for (int i = 0; i < 2; i++) {
        expect_of(&other, mine, stand.alice.bearer, "HIT");
        expect_of(&other, things, NULL, "HIT");
    }
    expect_status(http_post(stand.http, "/api/cache/clear/", stand.alice.bearer), 200);
    expect_of(&other, mine, stand.alice.bearer, "MISS");
    expect_of(&stand.server, mine, stand.alice.bearer, "HIT");
    expect_of(&other, things, NULL, "HIT");
    expect_status(http_post(stand.http, "/things/new", NULL), 200);
    expect_of(&other, things, NULL, "MISS");
    expect_of(&stand.server, things, NULL, "HIT");
    cw_server_stop(&other);
}
END_TEST

/* Head and body come in two steps where a node does not have them. */
START_TEST(a_large_response_is_whole_on_every_node)
{
    enum { SIZE = 200000 };
    struct cw_server other;
    char path[80];

    start_other_node(&other);
    struct http_client *client = http_client_new(other.base_url);
    const char *const host[] = {"Host: app.example", NULL};
    const char *const range[] = {"Host: app.example", "Range: bytes=0-2", NULL};
    snprintf(path, sizeof path, "%s", fresh("/open"));
    scripted_origin_say(
        origin, &(struct origin_answer){.bytes = OK_WITH(CACHED LEN(200000) "ETag: \"large\"\r\n"
                                                                            "X-Thing: thing\r\n",
                                                         ""),
                                        .filler_size = SIZE});
    expect_of(&stand.server, path, NULL, "MISS");
    const struct http_reply *reply = http_send(client, "GET", path, range, NULL, 0);
    expect_cached(reply, 206, "xxx", "HIT");
    expect_header(reply, "ETag", "\"large\"");
    expect_header(reply, "X-Thing", "thing");
    reply = http_send(client, "GET", path, host, NULL, 0);
    expect_status(reply, 200);
    expect_header(reply, "X-Cache", "HIT");
    expect_header(reply, "X-Thing", "thing");
    ck_assert_uint_eq(reply->body_size, SIZE);
    http_client_free(&client);
    cw_server_stop(&other);
    ck_assert_uint_eq(scripted_origin_count(origin), 1);
}
END_TEST

START_TEST(what_was_cleared_softly_is_told_as_stale)
{
    const char *path = fresh("/things");

    scripted_origin_always(origin, &(struct origin_answer){.bytes = OK_WITH(CACHED LEN(1), "a")});
    get(path, NULL);
    http_call(stand.http, "DELETE", "/api/v1/models/things?namespace=gateway&soft=true",
              stand.root.bearer);
    const struct http_reply *reply = get(path, NULL);
    expect_cached(reply, 200, "a", "STALE");
    expect_header(reply, "Cache-Status", "Cachewarden; hit; ttl=-1; detail=\"cleared softly\"");
    scripted_origin_wait_count(origin, 2); /* fetched anew, and not in the test behind this one */
}
END_TEST

START_TEST(a_cache_that_is_off_is_not_asked)
{
    const char *path = fresh("/mine");

    scripted_origin_always(origin, &(struct origin_answer){.bytes = OK_WITH(CACHED LEN(1), "a")});
    get(path, stand.bob.bearer);
    expect_status(http_post(stand.http, "/api/cache/disable/", stand.bob.bearer), 200);
    const struct http_reply *reply = get(path, stand.bob.bearer);
    expect_cached(reply, 200, "a", "BYPASS");
    expect_header(reply, "X-Cache-Enabled", "false");
    expect_header(reply, "X-Cache-Version", NULL);
    expect_header(reply, "Cache-Status", "Cachewarden; fwd=bypass; detail=\"switched off\"");
    expect_cached(get(path, stand.alice.bearer), 200, "a", "MISS");
    expect_status(http_post(stand.http, "/api/cache/enable/", stand.bob.bearer), 200);
    ck_assert_uint_eq(scripted_origin_count(origin), 3);
}
END_TEST

START_TEST(a_change_clears_the_models_of_its_route_for_all)
{
    char open[80], mine[80];

    scripted_origin_always(origin, &(struct origin_answer){.bytes = OK_WITH(CACHED LEN(1), "a")});
    snprintf(open, sizeof open, "%s", fresh("/things"));
    snprintf(mine, sizeof mine, "%s", fresh("/parts"));
    get(open, NULL);
    get(mine, stand.alice.bearer);
    expect_cached(get(open, NULL), 200, "a", "HIT");
    /* One that fails has changed nothing, nor has one that only asks. */
    ORIGIN_SAY(origin, "HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n");
    expect_status(http_post(stand.http, "/things/new", NULL), 400);
    expect_status(http_call(stand.http, "OPTIONS", "/things/new", NULL), 200);
    expect_cached(get(open, NULL), 200, "a", "HIT");
    expect_cached(get(mine, stand.alice.bearer), 200, "a", "HIT");
    const struct http_reply *reply = http_post(stand.http, "/things/new", NULL);
    expect_status(reply, 200);
    expect_header(reply, "X-Cache", "BYPASS");
    expect_cached(get(open, NULL), 200, "a", "MISS");
    expect_cached(get(mine, stand.alice.bearer), 200, "a", "MISS");
}
END_TEST

START_TEST(a_change_drops_its_own_target)
{
    const char *path = fresh("/open");

    scripted_origin_always(origin, &(struct origin_answer){.bytes = OK_WITH(CACHED LEN(1), "a")});
    get(path, NULL);
    expect_cached(get(path, NULL), 200, "a", "HIT");
    expect_status(http_call(stand.http, "PUT", path, NULL), 200);
    expect_cached(get(path, NULL), 200, "a", "MISS");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http/gateway_cache");
    TCase *all = tcase_create("all");

    tcase_add_unchecked_fixture(all, open_stand, gateway_stand_close);
    tcase_add_checked_fixture(all, origin_open, origin_close);
    tcase_add_test(all, what_is_fresh_is_served_again);
    tcase_add_test(all, what_may_not_be_stored_is_not);
    tcase_add_test(all, a_route_says_how_long_what_states_none_is_fresh);
    tcase_add_test(all, who_shows_who_they_are_gets_an_answer_of_their_own);
    tcase_add_test(all, who_shows_who_they_are_may_have_what_all_have);
    tcase_add_test(all, a_head_tells_of_what_is_stored);
    tcase_add_test(all, an_answer_that_is_cut_short_is_not_stored);
    tcase_add_test(all, large_bodies);
    tcase_add_test(all, users_have_answers_of_their_own);
    tcase_add_test(all, what_is_asked_for_is_told_apart);
    tcase_add_test(all, vary_tells_requests_apart);
    tcase_add_test(all, conditions_and_ranges_are_answered_from_what_is_stored);
    tcase_add_test(all, answers_to_conditions_are_not_stored);
    tcase_add_test(all, what_is_stale_is_asked_about);
    tcase_add_test(all, stale_answers_are_better_than_none_where_that_is_said);
    tcase_add_test(all, what_is_stale_is_served_while_one_request_refreshes_it);
    tcase_add_test(all, only_what_is_cached_where_that_is_asked);
    tcase_add_test(all, a_clear_is_a_miss_for_its_user);
    tcase_add_test(all, a_clear_is_in_force_on_every_node);
    tcase_add_test(all, a_large_response_is_whole_on_every_node);
    tcase_add_test(all, what_was_cleared_softly_is_told_as_stale);
    tcase_add_test(all, a_cache_that_is_off_is_not_asked);
    tcase_add_test(all, a_change_clears_the_models_of_its_route_for_all);
    tcase_add_test(all, a_change_drops_its_own_target);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
