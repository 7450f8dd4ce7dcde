#include "cachewarden/clock.h"

#include "peer_case.h"
#include "sanitized.h"
#include "suite.h"

#include <malloc.h>
#include <poll.h>
#include <stdio.h>

static const char *const hello[] = {"he", "llo", NULL};

START_TEST(a_body_is_sent)
{
    struct pieces known = {.texts = hello}, unknown = {.texts = hello}, none = {0}, empty = {0};
    struct body_source sources[] = {source_of(&known, 5), source_of(&unknown, BODY_LENGTH_UNKNOWN),
                                    source_of(&none, BODY_LENGTH_UNKNOWN), source_of(&empty, 0)};
    static const char *const framings[] = {
        "\r\nContent-Length: 5\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n",
        "\r\nTransfer-Encoding: chunked\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n"};

    for (size_t i = 0; i < 4; i++) {
        struct str body;
        ck_assert_msg(send_with("PUT", &sources[i], false) == ERR_OK, "%s", error.detail);
        ck_assert_int_eq(read_body(&body), ERR_OK);
        const struct origin_request *request = scripted_origin_request(origin, 2 * i);
        ck_assert_ptr_nonnull(strstr(request->head, framings[i]));
        ck_assert_str_eq(request->body, i < 2 ? "hello" : "");
        /* The connection is good for more. */
        expect("GET", 200, "hello");
        ck_assert_int_eq(scripted_origin_request(origin, 2 * i + 1)->connection,
                         request->connection);
    }
    ck_assert_int_eq(empty.asked, 0);
}
END_TEST

/* Whoever sends it is gone: so is the connection, and the server does not take the body for whole. */
START_TEST(a_body_that_fails)
{
    for (int i = 0; i < 2; i++) {
        struct pieces pieces = {.texts = hello, .failure = ERR_THROTTLED};
        struct body_source source = source_of(&pieces, i == 0 ? BODY_LENGTH_UNKNOWN : 100);
        ck_assert_int_eq(send_with("PUT", &source, false), ERR_THROTTLED);
        ck_assert(!is_unreached);
        scripted_origin_wait_closed(origin, i);
        ck_assert(scripted_origin_request(origin, (size_t)i)->is_cut);
    }
    struct pieces pieces = {.texts = hello};
    struct body_source source = source_of(&pieces, 6);
    ck_assert_int_eq(send_with("PUT", &source, false), ERR_INTERNAL);
}
END_TEST

static bool is_over;

/* A sender that is gone once the answer has begun. */
static enum err next_until_over(void *with, const struct work *lent, char *buffer, size_t size,
                                size_t *len_out)
{
    (void)with, (void)lent;
    ck_assert_uint_gt(size, 0);
    buffer[0] = 'x';
    *len_out = 1;
    if (!is_over)
        return ERR_OK;
    scripted_origin_release(origin);
    return ERR_BUSY;
}

/* It is refused before it is read: what is left of it is of no use, and its sender is not waited for. */
START_TEST(an_early_refusal)
{
    struct pieces pieces = {.filler_size = INT64_C(1) << 50};
    struct body_source source = source_of(&pieces, BODY_LENGTH_UNKNOWN);
    struct str body;

    scripted_origin_say(origin, &(struct origin_answer){
                                    .early = "HTTP/1.1 413 No\r\nContent-Length: 3\r\n\r\nbig"});
    ck_assert_msg(send_with("POST", &source, false) == ERR_OK, "%s", error.detail);
    ck_assert_int_eq(response.status, 413);
    ck_assert_int_eq(read_body(&body), ERR_OK);
    ck_assert(str_eq(body, STR("big")));
    scripted_origin_wait_closed(origin, 0);
}
END_TEST

/* It is refused, and the connection closed, while it is sent. */
START_TEST(an_early_refusal_that_closes)
{
    struct pieces pieces = {.filler_size = INT64_C(1) << 50};
    struct body_source source = source_of(&pieces, BODY_LENGTH_UNKNOWN);

    scripted_origin_say(
        origin, &(struct origin_answer){.early = "HTTP/1.1 413 No\r\nContent-Length: 3\r\n\r\nbig",
                                        .skips_body = true,
                                        .then = ORIGIN_CLOSES});
    enum err err = send_with("POST", &source, false);
    /* A reset may take the answer away that was on its way. */
    ck_assert(err == ERR_OK || err == ERR_UPSTREAM_DOWN);
    if (!err)
        response.body.close(response.body.with);
}
END_TEST

/* The answer begins before the request has ended, and takes its rest along. */
START_TEST(an_early_answer)
{
    struct pieces pieces = {.filler_size = 50000000};
    struct body_source source = source_of(&pieces, 50000000);
    struct str body;

    scripted_origin_say(
        origin, &(struct origin_answer){
                    .early = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
                    .bytes = "1\r\nb\r\n0\r\n\r\n"});
    ck_assert_msg(send_with("POST", &source, false) == ERR_OK, "%s", error.detail);
    ck_assert_msg(read_body(&body) == ERR_OK, "%s", error.detail);
    ck_assert(str_eq(body, STR("ab")));
    ck_assert_int_eq(scripted_origin_request(origin, 0)->body_size, 50000000);
    /* Both went to their ends: the connection is good for more. */
    expect("GET", 200, "hello");
    ck_assert_int_eq(scripted_origin_connections(origin), 1);
}
END_TEST

/* Who sends the request's body is gone, but the answer is there: it comes whole. */
START_TEST(a_body_that_fails_behind_an_early_answer)
{
    struct body_source source = {.length = BODY_LENGTH_UNKNOWN, .next = next_until_over};
    struct str body;

    scripted_origin_say(
        origin, &(struct origin_answer){
                    .early = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
                    .bytes = "1\r\nb\r\n0\r\n\r\n",
                    .skips_body = true,
                    .is_held = true});
    ck_assert_msg(send_with("POST", &source, false) == ERR_OK, "%s", error.detail);
    is_over = true;
    ck_assert_msg(read_body(&body) == ERR_OK, "%s", error.detail);
    ck_assert(str_eq(body, STR("ab")));
    /* The connection is in the middle of a request. */
    expect("GET", 200, "hello");
    ck_assert_int_eq(scripted_origin_connections(origin), 2);
}
END_TEST

static int64_t sent_ns;

static enum err next_slowly(void *with, const struct work *lent, char *buffer, size_t size,
                            size_t *len_out)
{
    poll(NULL, 0, 2 * SHORT_MS);
    sent_ns = clock_mono_ns();
    return next_piece(with, lent, buffer, size, len_out);
}

/* Nor is the time in which the sender of the request's body is slow. */
START_TEST(a_slow_sender)
{
    struct pieces pieces = {.texts = hello};
    struct body_source source = {.length = 5, .next = next_slowly, .with = &pieces};

    open_peer(scripted_origin_url(origin), NULL, SHORT_MS);
    scripted_origin_say(origin, &(struct origin_answer){.then = ORIGIN_IS_SILENT});
    ck_assert_int_eq(send_with("PUT", &source, false), ERR_TIMEOUT);
    ck_assert_int_eq(pieces.asked, 2);
    ck_assert_int_ge(clock_mono_ns() - sent_ns, SHORT_MS * NS_PER_MS);
}
END_TEST

/* ---- much of it ---- */

static int64_t used_memory(void)
{
    struct mallinfo2 info = mallinfo2();

    return (int64_t)(info.uordblks + info.hblkhd);
}

START_TEST(a_gigabyte_down)
{
    int64_t size = IS_SANITIZED ? 64 << 20 : 1 << 30, got = 0, peak = 0;
    char head[100];
    size_t len = 1;

    for (int i = 0; i < 2; i++) {
        snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\n%s%lld\r\n\r\n",
                 i == 0 ? "Content-Length: " : "X: ", (long long)size);
        scripted_origin_say(origin, &(struct origin_answer){
                                        .bytes = head, .filler_size = size, .then = ORIGIN_CLOSES});
        ck_assert_int_eq(ask("GET"), ERR_OK);
        int64_t before = used_memory();
        for (got = 0, len = 1; len > 0; got += (int64_t)len) {
            static char buffer[65536];
            ck_assert_int_eq(
                response.body.next(response.body.with, &work, buffer, sizeof buffer, &len), ERR_OK);
            if (used_memory() - before > peak)
                peak = used_memory() - before;
        }
        ck_assert_int_eq(got, size);
        response.body.close(response.body.with);
    }
    /* The origin's own, in this process, is a part of it. */
    ck_assert_int_lt(peak, 1 << 20);
}
END_TEST

START_TEST(a_gigabyte_up)
{
    int64_t size = IS_SANITIZED ? 64 << 20 : 1 << 30, before = used_memory();
    struct pieces pieces = {.filler_size = size};
    struct body_source source = source_of(&pieces, BODY_LENGTH_UNKNOWN);

    ck_assert_msg(send_with("PUT", &source, false) == ERR_OK, "%s", error.detail);
    response.body.close(response.body.with);
    ck_assert_int_eq(scripted_origin_request(origin, 0)->body_size, size);
    ck_assert_int_lt(used_memory() - before, 4 << 20);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/http_exchange");
    TCase *tcase = tcase_create("http_exchange");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_body_is_sent);
    tcase_add_test(tcase, a_body_that_fails);
    tcase_add_test(tcase, an_early_refusal);
    tcase_add_test(tcase, an_early_refusal_that_closes);
    tcase_add_test(tcase, an_early_answer);
    tcase_add_test(tcase, a_body_that_fails_behind_an_early_answer);
    tcase_add_test(tcase, a_gigabyte_down);
    tcase_add_test(tcase, a_gigabyte_up);
    tcase_add_test(tcase, a_slow_sender);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
