#include "gateway/upstream.h"

#include "cachewarden/clock.h"

#include "patience.h"
#include "scripted_origin.h"
#include "self_signed.h"
#include "slowness.h"
#include "suite.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct scripted_origin *origin, *second;
static struct upstream_places *places;
static struct upstream *upstream;
static struct error error;
static struct work work = {.error = &error};

static int timeout_ms;

static void open_upstream(const char *first_url, const char *second_url, int max_connections)
{
    const struct str urls[] = {str_from(first_url), str_from(second_url)};
    const struct upstream_options options = {.urls = urls,
                                             .url_count = second_url ? 2 : 1,
                                             .timeout_ms = timeout_ms,
                                             .max_connections = max_connections,
                                             .places = places};

    upstream_free(&upstream);
    ck_assert_msg(upstream_new(&options, &upstream, &error) == ERR_OK, "%s", error.caller);
}

static void set_up(void)
{
    timeout_ms = PATIENCE_MS;
    origin = scripted_origin_start(NULL);
    second = scripted_origin_start(NULL);
    places = upstream_places_new(3);
    work.arena = arena_new(4096, 0);
    open_upstream(scripted_origin_url(origin), NULL, 0);
}

static void tear_down(void)
{
    upstream_free(&upstream);
    ck_assert_int_eq(upstream_places_taken(places), 0);
    upstream_places_free(&places);
    scripted_origin_stop(&origin);
    scripted_origin_stop(&second);
    arena_free(&work.arena);
}

static enum err ask(const char *method, struct http_peer_response *response_out)
{
    static const struct http_field host[] = {{{"Host", 4}, {"shop.example", 12}}};
    const struct http_peer_request request = {.method = str_from(method),
                                              .target = STR("/a"),
                                              .fields = host,
                                              .field_count = 1,
                                              .may_repeat = true};

    error_clear(&error);
    return upstream_send(upstream, &request, &work, response_out);
}

static void finish(struct http_peer_response *response)
{
    char buffer[100];
    size_t len = 1;

    while (len > 0)
        ck_assert_int_eq(
            response->body.next(response->body.with, &work, buffer, sizeof buffer, &len), ERR_OK);
    response->body.close(response->body.with);
}

static void expect_answer(void)
{
    struct http_peer_response response;

    ck_assert_msg(ask("GET", &response) == ERR_OK, "%s", error.detail);
    ck_assert_int_eq(response.status, 200);
    ck_assert_int_eq(response.body.length, 5);
    ck_assert_int_eq(error.code, ERR_OK);
    finish(&response);
}

START_TEST(an_answer)
{
    struct http_peer_response response;

    expect_answer();
    ck_assert_str_eq(scripted_origin_request(origin, 0)->head,
                     "GET /a HTTP/1.1\r\nHost: shop.example\r\n\r\n");
    ORIGIN_SAY(origin, "HTTP/1.1 204 No Content\r\nA: b\r\n\r\n");
    ck_assert_int_eq(ask("DELETE", &response), ERR_OK);
    ck_assert_int_eq(response.status, 204);
    ck_assert_int_eq(response.minor_version, 1);
    ck_assert_uint_eq(response.field_count, 1);
    ck_assert(str_eq(response.fields[0].value, STR("b")));
    ck_assert_int_gt(response.request_time_ms, 0);
    ck_assert_int_ge(response.response_time_ms, response.request_time_ms);
    ck_assert(!response.has_body);
    ck_assert_int_eq(upstream_active(upstream), 0);
    ORIGIN_SAY(origin, "junk", .then = ORIGIN_CLOSES);
    ck_assert_int_eq(ask("GET", &response), ERR_UPSTREAM_DOWN);
    ck_assert_int_eq(upstream_active(upstream), 0);
}
END_TEST

/* ---- places ---- */

/* Whoever takes an answer slowly has no place, so that others can wait; but there is an end to them, too. */
START_TEST(slow_readers)
{
    enum { MOST = 3 * UPSTREAM_OPEN_FACTOR };
    struct http_peer_response held[MOST], more;

    for (int i = 0; i < MOST; i++)
        ck_assert_msg(ask("GET", &held[i]) == ERR_OK, "%d: %s", i, error.detail);
    ck_assert_int_eq(upstream_places_taken(places), 0);
    ck_assert_int_eq(upstream_places_open(places), MOST);
    ck_assert_int_eq(upstream_active(upstream), MOST);
    ck_assert_int_eq(ask("GET", &more), ERR_BUSY);
    ck_assert_uint_eq(scripted_origin_count(origin), MOST);
    held[0].body.close(held[0].body.with); /* unread */
    expect_answer();
    for (int i = 1; i < MOST; i++)
        finish(&held[i]);
    ck_assert_int_eq(upstream_places_open(places), 0);
    ck_assert_int_eq(upstream_active(upstream), 0);
}
END_TEST

/* A sender that is slow, while as many others are served as there are places. */
static enum err next_slowly(void *with, const struct work *lent, char *buffer, size_t size,
                            size_t *len_out)
{
    int *depth = with;

    (void)lent;
    *len_out = 0;
    ck_assert_uint_gt(size, 0);
    ck_assert_int_eq(upstream_places_taken(places), 0);
    if (++*depth == 1) {
        expect_answer();
        expect_answer();
        buffer[0] = 'x';
        *len_out = 1;
    }
    return ERR_OK;
}

START_TEST(slow_senders)
{
    int depth = 0;
    struct http_peer_response response;
    const struct body_source body = {
        .length = BODY_LENGTH_UNKNOWN, .next = next_slowly, .with = &depth};
    const struct http_peer_request request = {
        .method = STR("POST"), .target = STR("/"), .body = &body};

    upstream_free(&upstream);
    upstream_places_free(&places);
    places = upstream_places_new(1);
    open_upstream(scripted_origin_url(origin), NULL, 0);
    ck_assert_msg(upstream_send(upstream, &request, &work, &response) == ERR_OK, "%s",
                  error.detail);
    finish(&response);
    ck_assert_int_eq(depth, 2);
}
END_TEST

/* ---- what may have been done ---- */

START_TEST(what_was_sent)
{
    struct http_peer_response response;

    expect_answer();
    scripted_origin_say(origin, &(struct origin_answer){.then = ORIGIN_CLOSES});
    scripted_origin_say(origin, &(struct origin_answer){.then = ORIGIN_CLOSES});
    ck_assert_int_eq(ask("PUT", &response), ERR_UPSTREAM_DOWN);
    ck_assert(response.was_sent);
    ORIGIN_SAY(origin, "HTTP/1.1 200 OK\r\nA\r\n\r\n");
    ck_assert_int_eq(ask("PUT", &response), ERR_UPSTREAM_DOWN);
    ck_assert(response.was_sent);
    open_upstream("unix:/nonexistent/socket", NULL, 0);
    ck_assert_int_eq(ask("PUT", &response), ERR_UPSTREAM_DOWN);
    ck_assert(!response.was_sent);
}
END_TEST

START_TEST(places_of_one)
{
    struct http_peer_response held, more;
    struct upstream *other;

    open_upstream(scripted_origin_url(origin), NULL, 1);
    other = upstream;
    upstream = NULL;
    open_upstream(scripted_origin_url(second), NULL, 1);
    ck_assert_int_eq(ask("GET", &held), ERR_OK);
    ck_assert_int_eq(ask("GET", &more), ERR_BUSY);
    struct upstream *full = upstream;
    upstream = other;
    expect_answer(); /* what one is full of is not the other's */
    upstream = full;
    finish(&held);
    expect_answer();
    upstream_free(&other);
}
END_TEST

static void *ask_in_vain(void *arg)
{
    struct error own_error;
    struct work own = {.arena = arena_new(4096, 0), .error = &own_error};
    const struct http_peer_request request = {.method = STR("GET"), .target = STR("/")};
    struct http_peer_response response;

    (void)arg;
    ck_assert_int_eq(upstream_send(upstream, &request, &own, &response), ERR_OK);
    response.body.close(response.body.with);
    arena_free(&own.arena);
    return NULL;
}

/* Whoever waits for an answer has a place, too; who comes then is told so at once. */
START_TEST(those_who_wait)
{
    pthread_t threads[3];
    struct http_peer_response response;

    scripted_origin_always(
        origin, &(struct origin_answer){.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
                                        .is_held = true});
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_in_vain, NULL), 0);
    scripted_origin_wait_count(origin, 3);
    ck_assert_int_eq(ask("GET", &response), ERR_BUSY);
    ck_assert_int_eq(upstream_places_taken(places), 3);
    scripted_origin_release(origin);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}
END_TEST

/* ---- addresses ---- */

START_TEST(in_turn)
{
    open_upstream(scripted_origin_url(origin), scripted_origin_url(second), 0);
    for (int i = 0; i < 4; i++)
        expect_answer();
    ck_assert_uint_eq(scripted_origin_count(origin), 2);
    ck_assert_uint_eq(scripted_origin_count(second), 2);
}
END_TEST

/* Sockets whose names are nobody else's, so that a server can go and come again. */
static char paths[2][64], urls[2][80];

static struct scripted_origin *start_at(const char *path)
{
    return scripted_origin_start(&(struct scripted_origin_options){.unix_path = path});
}

static void move_to_sockets(void)
{
    scripted_origin_stop(&origin);
    scripted_origin_stop(&second);
    for (int i = 0; i < 2; i++) {
        snprintf(paths[i], sizeof paths[i], "/tmp/cw-upstream-%d-%d.sock", (int)getpid(), i);
        snprintf(urls[i], sizeof urls[i], "unix:%s", paths[i]);
    }
    origin = start_at(paths[0]);
    second = start_at(paths[1]);
    open_upstream(urls[0], urls[1], 0);
}

/* The one that is not there costs nobody an answer. */
START_TEST(one_is_away)
{
    move_to_sockets();
    scripted_origin_stop(&second);
    for (int i = 0; i < 6; i++)
        expect_answer();
    ck_assert_uint_eq(scripted_origin_count(origin), 6);
    /* It is asked again, by itself. */
    second = start_at(paths[1]);
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);
    while (scripted_origin_count(second) == 0) {
        ck_assert_int_gt(clock_left_ms(deadline_ns), 0);
        expect_answer();
    }
}
END_TEST

START_TEST(all_are_away)
{
    struct http_peer_response response;

    move_to_sockets();
    scripted_origin_stop(&origin);
    scripted_origin_stop(&second);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(ask("GET", &response), ERR_UPSTREAM_DOWN);
    /* Left out or not: where no other is there, it is asked at once. */
    origin = start_at(paths[0]);
    expect_answer();
}
END_TEST

/* An address that fails is left out for a second, then for two: so many tries need so much time. */
START_TEST(one_is_left_out)
{
    char folder[] = "/tmp/cw-upstream-XXXXXX", certificate[64], path[80];
    int64_t began_ns = clock_mono_ns();

    /* Its certificate is nobody's whom we know: each try to connect fails, and is counted. */
    ck_assert_ptr_nonnull(mkdtemp(folder));
    self_signed_write(folder, "server");
    snprintf(certificate, sizeof certificate, "%s/server", folder);
    scripted_origin_stop(&second);
    second = scripted_origin_start(&(struct scripted_origin_options){.certificate = certificate});
    open_upstream(scripted_origin_url(second), scripted_origin_url(origin), 0);
    for (int i = 0; i < 60; i++)
        expect_answer();
    ck_assert_uint_eq(scripted_origin_count(origin), 60);
    int tries = scripted_origin_connections(second);
    int64_t took_s = (clock_mono_ns() - began_ns) / NS_PER_S;
    ck_assert_int_ge(tries, 1);
    ck_assert_msg(tries <= 1 + took_s, "%d tries in %lld s", tries, (long long)took_s);
    static const char *const ends[] = {"pem", "key"};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s.%s", certificate, ends[i]);
        ck_assert_int_eq(unlink(path), 0);
    }
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

/* One that takes connections and never answers is no better than one that takes none. */
START_TEST(one_is_silent)
{
    const struct http_peer_request request = {.method = STR("POST"), .target = STR("/")};
    struct http_peer_response response;

    timeout_ms = (int)slowness_stretch_ms(1000);
    scripted_origin_always(second, &(struct origin_answer){.then = ORIGIN_IS_SILENT});
    open_upstream(scripted_origin_url(second), scripted_origin_url(origin), 0);
    expect_answer();
    ck_assert_uint_eq(scripted_origin_count(second), 1);
    /* It is left out, so that who follows does not wait. */
    expect_answer();
    ck_assert_uint_eq(scripted_origin_count(second), 1);
    /* What must not be done twice is not sent to another. */
    open_upstream(scripted_origin_url(second), scripted_origin_url(origin), 0);
    ck_assert_int_eq(upstream_send(upstream, &request, &work, &response), ERR_TIMEOUT);
    ck_assert(response.was_sent);
    ck_assert_uint_eq(scripted_origin_count(origin), 2);
    /* Which one it was is for the log. */
    ck_assert_ptr_nonnull(strstr(error.detail, scripted_origin_url(second)));
}
END_TEST

/* A server that was reached and broke HTTP is there: no other gets the request, too. */
START_TEST(one_that_was_reached)
{
    struct http_peer_response response;

    open_upstream(scripted_origin_url(origin), scripted_origin_url(second), 0);
    ORIGIN_SAY(origin, "junk", .then = ORIGIN_CLOSES);
    ck_assert_int_eq(ask("GET", &response), ERR_UPSTREAM_DOWN);
    ck_assert_uint_eq(scripted_origin_count(second), 0);
}
END_TEST

START_TEST(what_is_refused)
{
    static const struct str url = {"ftp://shop", 10};
    struct upstream_options options = {.urls = &url, .places = places};
    struct upstream *none;

    ck_assert_int_eq(upstream_new(&options, &none, &error), ERR_BAD_INPUT);
    options.url_count = 1;
    ck_assert_int_eq(upstream_new(&options, &none, &error), ERR_BAD_INPUT);
    ck_assert_ptr_null(none);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/gateway/upstream");
    TCase *tcase = tcase_create("upstream");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, an_answer);
    tcase_add_test(tcase, slow_readers);
    tcase_add_test(tcase, slow_senders);
    tcase_add_test(tcase, what_was_sent);
    tcase_add_test(tcase, places_of_one);
    tcase_add_test(tcase, those_who_wait);
    tcase_add_test(tcase, in_turn);
    tcase_add_test(tcase, one_is_away);
    tcase_add_test(tcase, all_are_away);
    tcase_add_test(tcase, one_is_left_out);
    tcase_add_test(tcase, one_is_silent);
    tcase_add_test(tcase, one_that_was_reached);
    tcase_add_test(tcase, what_is_refused);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
