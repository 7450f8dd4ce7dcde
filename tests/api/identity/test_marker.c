/* Which control data is in Redis, and whom a token without a record may still believe. */
#include "identity/marker.h"

#include "cachewarden/clock.h"
#include "cachewarden/pipeline.h"
#include "keyspace.h"
#include "redis_server.h"
#include "suite.h"

#include <check.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <unistd.h>

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "0123456789abcdef0123456789abcdef"

static struct redis_server *redis;
static struct users *users;
static struct pool *pool;
static struct arena *arena;
static char directory[64];

static void open_all(void)
{
    char url[128];
    struct error error = {0};
    struct pool_options options = {.size = 1,
                                   .borrow_timeout_ms = 1000,
                                   .connect_timeout_ms = 1000,
                                   .command_timeout_ms = 2000};
    redis = redis_server_start(NULL);
    snprintf(directory, sizeof directory, "/tmp/cw-marker-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(url, sizeof url, "sqlite:%s/users.db", directory);
    ck_assert_int_eq(users_open(str_from(url), &users, &error), ERR_OK);
    ck_assert_int_eq(
        redis_address_parse(str_from(redis_server_url(redis)), &options.address, &error), ERR_OK);
    ck_assert_int_eq(pool_open(&options, &pool, &error), ERR_OK);
    redis_address_fini(&options.address);
    arena = arena_new(4096, 0);
}

static void close_all(void)
{
    static const char *const files[] = {"users.db", "users.db-wal", "users.db-shm"};
    char path[128];
    arena_free(&arena);
    pool_close(&pool);
    users_close(&users);
    redis_server_stop(&redis);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, files[i]);
        unlink(path);
    }
    rmdir(directory);
}

START_TEST(whom_it_allows)
{
    static const struct {
        const char *value, *id;
        int64_t issued_at_s;
        bool is_allowed;
    } cases[] = {
        {A ":" B ":1000", A, 0, true},
        {A ":" B ":1000", A, 5000, true},
        {A ":" B ":1000", B, 999,
         false}, /* it may have been spent: Redis was there a second later */
        {A ":" B ":1000", B, 1000, true},
        {A ":" B ":1000", B, 1001, true},
        {A ":" B ":1000", C, 1001, false},
        {A ":" B ":1000", "", 1001, false},
        {A ":" B ":1000", "A", 1001, false},
        {A ":" B ":-1", A, 1001, false},
        {A ":" B ":", A, 1001, false},
        {A ":" B, A, 1001, false},
        {A "::1000", A, 1001, false},
        {A "x:" B ":1000", A, 1001, false},
        {A, A, 1001, false},
        {"", "", 1001, false},
        {"x", A, 1001, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(marker_allows(str_from(cases[i].value), str_from(cases[i].id),
                                    cases[i].issued_at_s) == cases[i].is_allowed,
                      "case %zu", i);
}
END_TEST

static struct marker *open_marker(void)
{
    struct marker *marker;
    ck_assert_int_eq(marker_new(users, &marker), ERR_OK);
    return marker;
}

static const char *id_of(struct marker *marker)
{
    return marker_id(marker, arena).ptr;
}

static enum err place(struct marker *marker, int64_t now_s)
{
    struct error error = {0};
    return marker_place(marker, pool, arena, now_s, clock_deadline_ns(5000), &error);
}

static void expect_held(const char *expected)
{
    redisReply *reply = redis_server_ask(redis, "GET cw:marker");
    ck_assert_str_eq(reply->str, expected);
    freeReplyObject(reply);
}

static enum err see(struct marker *marker, const char *text, int64_t now_s, bool *is_new)
{
    struct value value = {.kind = text ? VALUE_STRING : VALUE_NIL, .text = str_from(text)};
    struct error error = {0};
    return marker_see(marker, &value, now_s, is_new, &error);
}

START_TEST(the_first_node_places_it)
{
    char expected[128];
    struct marker *first = open_marker(), *second = open_marker();
    ck_assert_str_eq(id_of(first), id_of(second)); /* from the users database */
    const char *before = id_of(first);
    bool is_new;
    ck_assert_int_eq(see(first, A ":" B ":5", 100, &is_new), ERR_OK);
    ck_assert(is_new);
    ck_assert_int_eq(see(first, A ":" B ":5", 200, &is_new), ERR_OK);
    ck_assert(!is_new);
    ck_assert_int_eq(see(first, NULL, 300, &is_new), ERR_NOT_FOUND);
    ck_assert_int_eq(place(first, 300), ERR_OK);
    ck_assert_str_ne(id_of(first), A);
    snprintf(expected, sizeof expected, "%s:" A ":200", id_of(first));
    expect_held(expected);
    /* The second comes later, and takes what is there. */
    ck_assert_str_eq(id_of(second), before);
    ck_assert_int_eq(place(second, 400), ERR_OK);
    expect_held(expected);
    ck_assert_str_eq(id_of(second), id_of(first));
    marker_free(&first);
    marker_free(&second);
}
END_TEST

START_TEST(it_outlives_the_node)
{
    bool is_new;
    struct marker *marker = open_marker();
    ck_assert_int_eq(see(marker, C ":" B ":5", 100, &is_new), ERR_OK);
    marker_free(&marker);
    marker = open_marker();
    ck_assert_str_eq(id_of(marker), C);
    ck_assert_int_eq(see(marker, C ":" B ":5", 100, &is_new), ERR_OK);
    ck_assert(!is_new);
    marker_free(&marker);
}
END_TEST

START_TEST(what_is_no_marker)
{
    bool is_new;
    struct marker *marker = open_marker();
    const char *before = id_of(marker);
    ck_assert_int_eq(see(marker, "nonsense", 100, &is_new), ERR_UPSTREAM_REFUSED);
    redis_server_do(redis, "SET cw:marker nonsense");
    ck_assert_int_eq(place(marker, 100), ERR_UPSTREAM_REFUSED);
    expect_held("nonsense"); /* whoever wrote that is to be asked first */
    ck_assert_str_eq(id_of(marker), before);
    marker_free(&marker);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/identity/marker");
    TCase *pure = tcase_create("allows");
    tcase_add_test(pure, whom_it_allows);
    suite_add_tcase(suite, pure);
    TCase *tcase = tcase_create("marker");
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, the_first_node_places_it);
    tcase_add_test(tcase, it_outlives_the_node);
    tcase_add_test(tcase, what_is_no_marker);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
