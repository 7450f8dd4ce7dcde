/*
 * A node that keeps nothing in its memory still answers from the cache, and what it answers with lives until it is
 * sent. Memory that is given back is overwritten at once, so that whoever reads it afterwards shows.
 */
#include "gateway_case.h"

static void open_stand(void)
{
    static const char *const environment[] = {"CACHEWARDEN_GATEWAY_MEMORY_MB=0",
                                              "MALLOC_PERTURB_=165", NULL};

    gateway_stand_open_in(environment, "{ prefix = \"/open\"; scope = \"public\"; UPSTREAM }",
                          "limits: { enabled = false; };");
}

enum { LARGE = 300000 };

static const char *answer_of(size_t size)
{
    static char answer[LARGE + 1024];
    int head = snprintf(answer, sizeof answer,
                        "HTTP/1.1 200 OK\r\nCache-Control: max-age=3600\r\nETag: \"%zu\"\r\n"
                        "X-Long: %0200d\r\nContent-Type: a/b\r\nContent-Length: %zu\r\n\r\n",
                        size, 7, size);

    memset(answer + head, 'x', size);
    answer[(size_t)head + size] = '\0';
    return answer;
}

static void expect_hit_of(const struct http_reply *reply, int status, size_t size, size_t sent)
{
    char tag[32], number[210];

    snprintf(tag, sizeof tag, "\"%zu\"", size);
    snprintf(number, sizeof number, "%0200d", 7);
    expect_status(reply, status);
    expect_header(reply, "X-Cache", "HIT");
    expect_header(reply, "ETag", tag);
    expect_header(reply, "X-Long", status == 304 ? http_header(reply, "X-Long") : number);
    ck_assert_uint_eq(reply->body_size, sent);
    for (size_t i = 0; i < sent; i++)
        ck_assert_int_eq(reply->body[i], 'x');
}

START_TEST(what_is_answered_lives_until_it_is_sent)
{
    static const size_t sizes[] = {10, 3000, LARGE};
    char path[64], condition[64];

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t size = sizes[i];
        snprintf(path, sizeof path, "/open/%zu", size);
        snprintf(condition, sizeof condition, "If-None-Match: \"%zu\"", size);
        ORIGIN_SAY(origin, answer_of(size));
        expect_status(http_get(stand.http, path, NULL), 200);
        for (int again = 0; again < 3; again++) {
            expect_hit_of(http_get(stand.http, path, NULL), 200, size, size);
            expect_hit_of(http_send(stand.http, "HEAD", path, NULL, NULL, 0), 200, size, 0);
            expect_hit_of(
                http_send(stand.http, "GET", path, (const char *const[]){condition, NULL}, NULL, 0),
                304, size, 0);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http/gateway_memory");
    TCase *tcase = tcase_create("none");

    tcase_add_unchecked_fixture(tcase, open_stand, gateway_stand_close);
    tcase_add_checked_fixture(tcase, origin_open, origin_close);
    tcase_add_test(tcase, what_is_answered_lives_until_it_is_sent);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
