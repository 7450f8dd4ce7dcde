/* Many who ask for one thing at once. */
#include "gateway_case.h"

enum { MANY = 40 }; /* five times as many as there are threads */

#define CACHED "Cache-Control: max-age=3600\r\n"

static struct raw *clients[MANY];

static void open_stand(void)
{
    gateway_stand_open("{ prefix = \"/open\"; scope = \"public\"; timeout_ms = 600000; UPSTREAM }",
                       "limits: { enabled = false; };");
}

static void ask_all(const char *path)
{
    for (int i = 0; i < MANY; i++) {
        clients[i] = raw_open(stand.server.port);
        raw_print(clients[i], "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    }
}

static void expect_all(const char *body)
{
    for (int i = 0; i < MANY; i++) {
        expect_body(raw_reply(clients[i], PATIENCE_MS), 200, body);
        raw_close(&clients[i]);
    }
}

START_TEST(many_misses_are_one_request)
{
    scripted_origin_say(
        origin, &(struct origin_answer){.bytes = OK_WITH(CACHED "Content-Length: 3\r\n", "one"),
                                        .is_held = true});
    ask_all("/open/many");
    scripted_origin_wait_count(origin, 1);
    /* They wait without workers: everybody else is served. */
    for (int i = 0; i < 20; i++)
        expect_status(http_get(stand.http, "/health", NULL), 200);
    expect_header(http_get(stand.http, "/open/other", NULL), "X-Cache", "MISS");
    scripted_origin_release(origin);
    expect_all("one");
    ck_assert_uint_eq(scripted_origin_count(origin), 2);
}
END_TEST

/* What is not for all is asked for by each, and nobody waits for another. */
START_TEST(what_cannot_be_shared_is_not_waited_for)
{
    scripted_origin_say(origin,
                        &(struct origin_answer){.bytes = OK_WITH("Cache-Control: no-store\r\n"
                                                                 "Content-Length: 3\r\n",
                                                                 "own"),
                                                .is_held = true});
    scripted_origin_always(origin,
                           &(struct origin_answer){.bytes = OK_WITH("Cache-Control: no-store\r\n"
                                                                    "Content-Length: 3\r\n",
                                                                    "own")});
    ask_all("/open/own");
    scripted_origin_wait_count(origin, 1);
    scripted_origin_release(origin);
    for (int i = 0; i < MANY; i++) {
        const struct http_reply *reply = raw_reply(clients[i], PATIENCE_MS);
        /* Where more ask at once than may wait for the upstream, some are told so. */
        if (reply && reply->status != 503)
            expect_body(reply, 200, "own");
        raw_close(&clients[i]);
    }
    ck_assert_uint_gt(scripted_origin_count(origin), 1);
}
END_TEST

START_TEST(who_leads_and_goes_away_leaves_it_to_another)
{
    scripted_origin_say(origin, &(struct origin_answer){.then = ORIGIN_IS_SILENT});
    struct raw *leader = raw_open(stand.server.port);
    raw_print(leader, "GET /open/left HTTP/1.1\r\nHost: localhost\r\n\r\n");
    scripted_origin_wait_count(origin, 1);
    scripted_origin_always(
        origin, &(struct origin_answer){.bytes = OK_WITH(CACHED "Content-Length: 3\r\n", "two")});
    struct raw *next = raw_open(stand.server.port);
    raw_print(next, "GET /open/left HTTP/1.1\r\nHost: localhost\r\n\r\n");
    raw_close(&leader);
    expect_body(raw_reply(next, PATIENCE_MS), 200, "two");
    raw_close(&next);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http/gateway_many");
    TCase *all = tcase_create("all");

    tcase_add_unchecked_fixture(all, open_stand, gateway_stand_close);
    tcase_add_checked_fixture(all, origin_open, origin_close);
    tcase_add_test(all, many_misses_are_one_request);
    tcase_add_test(all, what_cannot_be_shared_is_not_waited_for);
    tcase_add_test(all, who_leads_and_goes_away_leaves_it_to_another);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
