/* Whoever waits for a fill does not wait for one that was refused, wherever it was. */
#include "patience.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABEL    "/api/v1/entries/promised"
#define PROMISE  "cw:{app:shop}:c:promised"
#define MAX_BODY 1048576 /* server.max_body, where nobody set it */

static struct stand stand;
static char key[STAND_KEY_SIZE], other_key[STAND_KEY_SIZE];
static char lease[1024]; /* the line of the head */

static void open_stand(void)
{
    stand_open(&stand, NULL);
    stand_key(&stand, key, "shop",
              (const char *const[]){"--scope", "entries", "--namespace", "shop", NULL});
    stand_key(&stand, other_key, "blog",
              (const char *const[]){"--scope", "entries", "--namespace", "blog", NULL});
}

static void close_stand(void)
{
    stand_close(&stand);
}

/* By the first who waits. It would not end by itself. */
static void promise_a_fill(void)
{
    redis_server_do(stand.redis, "DEL " PROMISE);
    const struct http_reply *reply = http_get(stand.http, LABEL "?wait_ms=1", key);
    expect_status(reply, 404);
    snprintf(lease, sizeof lease, "X-Cache-Lease: %s", http_header(reply, "X-Cache-Lease"));
    ck_assert_int_eq(redis_server_ask_integer(stand.redis, "PERSIST " PROMISE), 1);
}

static bool is_promised(void)
{
    return redis_server_ask_integer(stand.redis, "EXISTS " PROMISE) == 1;
}

static bool is_over(const void *unused)
{
    (void)unused;
    return !is_promised();
}

/* ---- refused before it is read ---- */

struct refused {
    const char *what, *query, *line;
    size_t size;
    int status;
};
static const struct refused refused[] = {
    {"too large", "", NULL, MAX_BODY + 1, 413},
    {"no life", "?ttl=0", NULL, 1, 400},
    {"no model", "?model=a%2Fb", NULL, 1, 400},
    {"an unknown parameter", "?lifetime=1", NULL, 1, 400},
    {"a namespace behind what is wrong", "?ttl=0&namespace=app:shop", NULL, 1, 400},
    {"coded", "", "Content-Encoding: gzip", 1, 415},
    {"no type", "", "Content-Type: text", 1, 400},
    {"a part", "", "Content-Range: bytes 0-0/2", 1, 400},
};

START_TEST(a_refused_fill_keeps_nobody_waiting)
{
    const struct refused *fill = &refused[_i];
    char *bytes = calloc(1, MAX_BODY + 1);
    char target[128];

    ck_assert_ptr_nonnull(bytes);
    promise_a_fill();
    snprintf(target, sizeof target, LABEL "%s", fill->query);
    const char *const headers[] = {key, lease, fill->line, NULL};
    const struct http_reply *reply =
        http_send(stand.http, "PUT", target, headers, bytes, fill->size);
    ck_assert_msg(reply->status == fill->status, "%s: %d", fill->what, reply->status);
    ck_assert_msg(!is_promised(), "%s", fill->what);
    free(bytes);
}
END_TEST

START_TEST(nor_does_one_that_is_cut_short)
{
    struct raw *raw = raw_open(stand.server.port);

    promise_a_fill();
    raw_print(raw,
              "PUT " LABEL " HTTP/1.1\r\nHost: a\r\n%s\r\n%s\r\nContent-Length: 10\r\n\r\nfour",
              key, lease);
    raw_finish(raw);
    (void)raw_reply(raw, PATIENCE_MS); /* or it was closed */
    raw_close(&raw);
    stand_wait(is_over, NULL, "the promise is over");
}
END_TEST

/* ---- who may say so ---- */

static void expect_refused(const char *target, const char *who, const char *line, int status)
{
    const char *const headers[] = {who, line, NULL};

    expect_status(http_send(stand.http, "PUT", target, headers, NULL, 0), status);
    ck_assert_msg(is_promised(), "%s %s", target, line ? line : "no lease");
}

START_TEST(only_who_has_the_lease_ends_it)
{
    promise_a_fill();
    expect_refused(LABEL "?ttl=0", key, NULL, 400);
    expect_refused(LABEL "?ttl=0", key, "X-Cache-Lease: nonsense", 400);
    expect_refused(LABEL "?ttl=0", other_key, lease, 400);
    expect_refused(LABEL "2?ttl=0", key, lease, 400);
    expect_refused(LABEL "%00?ttl=0", key, lease, 400);
    expect_refused(LABEL "?ttl=0&namespace=app:shop", other_key, lease, 403);
    expect_refused(LABEL "?ttl=0", "x-api-key: none", lease, 401);
    expect_status(http_call(stand.http, "DELETE", LABEL, key), 200);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("promises");
    TCase *all = tcase_create("all");

    tcase_add_unchecked_fixture(all, open_stand, close_stand);
    tcase_add_loop_test(all, a_refused_fill_keeps_nobody_waiting, 0,
                        sizeof refused / sizeof *refused);
    tcase_add_test(all, nor_does_one_that_is_cut_short);
    tcase_add_test(all, only_who_has_the_lease_ends_it);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
