/* Connections without a thread (packaging/civetweb/waiting.inl): silent ones, slow ones, and more than
 * workers. */
#include "waiting_case.h"

START_TEST(those_who_wait_are_served)
{
    enum { WAITING = 3 };
    struct raw *busy[WORKERS], *waiting[WAITING];

    keep_busy(busy);
    for (int i = 0; i < WAITING; i++) {
        waiting[i] = raw_open(port);
        raw_print(waiting[i], "GET /b HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    }
    let_go(busy);
    for (int i = 0; i < WAITING; i++) {
        expect(waiting[i], "", 200, "GET /b");
        expect_closed(&waiting[i]);
    }
    await_waiting(0);
}
END_TEST

/* Who had said something, but waited for a worker for longer than it might have been silent, was once
 * closed. */
START_TEST(who_waits_is_not_silent)
{
    struct raw *busy[WORKERS], *fresh = raw_open(port), *kept = raw_open(port);

    expect(kept, GET("/a"), 200, "GET /a");
    await_waiting(2);
    keep_busy(busy);
    raw_print(fresh, GET("/b"));
    raw_print(kept, GET("/c"));
    poll(NULL, 0, IDLE_TIMEOUT_MS + 500); /* both have had their time */
    let_go(busy);
    expect(fresh, "", 200, "GET /b");
    expect(kept, "", 200, "GET /c");
    raw_close(&fresh);
    raw_close(&kept);
}
END_TEST

/* The rest of its head came in the last moment: its body has a time of its own. */
START_TEST(a_late_head_does_not_make_its_body_late)
{
    struct raw *busy[WORKERS], *late = raw_open(port);

    raw_print(late, "POST /patient HTTP/1.1\r\nHost: ");
    await_waiting(1);
    AWAIT(stats.bytes > 0);
    keep_busy(busy);
    poll(NULL, 0, HEAD_TIMEOUT_MS + 500); /* its time is over, and no worker has told it so */
    raw_print(late, "x\r\nContent-Length: 10\r\n\r\nhello");
    let_go_but(WORKERS - 1);
    await_unfinished(1);
    expect(late, "world", 200, "POST /patient body=10 whole");
    raw_close(&late);
    let_go(busy);
}
END_TEST

/* Nor is a worker needed to close them. */
START_TEST(who_is_silent_for_too_long_is_closed)
{
    struct raw *busy[WORKERS], *silent = raw_open(port), *kept = raw_open(port);

    expect(kept, GET("/a"), 200, "GET /a");
    await_waiting(2);
    keep_busy(busy);
    expect_closed(&silent);
    expect_closed(&kept);
    let_go(busy);
}
END_TEST

/* However many there are that say nothing, new or kept: others are served, and so are they when they
 * speak up. */
START_TEST(silent_connections_need_no_worker)
{
    enum { SILENT = 4 * WORKERS };
    struct raw *kept[SILENT], *fresh[SILENT], *other;

    for (int i = 0; i < SILENT; i++) {
        kept[i] = raw_open(port);
        expect(kept[i], GET("/a"), 200, "GET /a body=0 whole \"\" fields=1 from=127.0.0.1");
        fresh[i] = raw_open(port);
    }
    await_waiting(2 * SILENT);
    other = raw_open(port);
    expect(other, GET("/b"), 200, "GET /b");
    raw_close(&other);
    for (int i = 0; i < SILENT; i++)
        expect(kept[i], GET("/c"), 200, "GET /c body=0 whole \"\" fields=1 from=127.0.0.1");
    for (int i = 0; i < SILENT; i++) {
        raw_close(&kept[i]);
        raw_close(&fresh[i]);
    }
    await_waiting(0);
}
END_TEST

/* Clients that are in the middle of something, and how they go on in the end. */
static const struct {
    const char *name, *first, *rest;
    int status;
    const char *answer;
} slow[] = {
    {"half a head", "GET /a HTTP/1.1\r\nHos", "t: x\r\n\r\n", 200, "GET /a body=0"},
    {"half a body", "POST /patient HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nhello", "world",
     200, "POST /patient body=10 whole \"helloworld\""},
    {"half a chunk",
     "POST /patient HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\na\r\nhello",
     "world\r\n0\r\n\r\n", 200, "POST /patient body=10 whole \"helloworld\""},
    {"a refused body", "POST /refuse HTTP/1.1\r\n" HOST "Content-Length: 60000\r\n\r\n", "", 413,
     "too much"},
    {"an answer that is not taken", GET("/flood/patient"), NULL, 0, NULL},
};
enum { SLOW_KINDS = sizeof slow / sizeof *slow };

START_TEST(slow_clients_need_no_worker)
{
    enum { SLOW = 4 * WORKERS };
    struct raw *clients[SLOW];

    mg_limit_waiting(server, 100, SLOW * FLOOD);
    for (int i = 0; i < SLOW; i++) {
        clients[i] = raw_open(port);
        raw_print(clients[i], "%s", slow[_i].first);
        await_waiting(i + 1);
    }
    struct raw *other = raw_open(port);
    for (int i = 0; i < SLOW; i++) {
        expect(other, GET("/b"), 200, "GET /b");
        /* They were in nobody's way, and are all there still. */
        AWAIT(stats.waiting >= SLOW);
    }
    raw_close(&other);
    for (int i = 0; i < SLOW; i++) {
        if (slow[_i].rest)
            expect(clients[i], slow[_i].rest, slow[_i].status, slow[_i].answer);
        raw_close(&clients[i]);
    }
    await_nothing();
}
END_TEST

/* A byte now and then brings a client no worker of its own either. */
START_TEST(drips_need_no_worker)
{
    enum { SLOW = 4 * WORKERS };
    static const char request[] =
        "POST /patient HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nhelloworld";
    struct raw *clients[SLOW], *other = raw_open(port);

    for (int i = 0; i < SLOW; i++)
        clients[i] = raw_open(port);
    for (size_t at = 0; at < sizeof request - 1; at++) {
        for (int i = 0; i < SLOW; i++)
            raw_send(clients[i], request + at, 1);
        expect(other, GET("/b"), 200, "GET /b");
    }
    for (int i = 0; i < SLOW; i++) {
        expect(clients[i], "", 200, "POST /patient body=10 whole \"helloworld\"");
        raw_close(&clients[i]);
    }
    raw_close(&other);
}
END_TEST

/* ---- many ---- */

/* All have a request under way at any time; nobody is closed to make room for another. */
START_TEST(more_busy_connections_than_workers)
{
    enum { BUSY = 6 * WORKERS, ROUNDS = 5 };
    struct raw *busy[BUSY];

    for (int i = 0; i < BUSY; i++)
        busy[i] = raw_open(port);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < BUSY; i++)
            raw_print(busy[i], "GET /%d HTTP/1.1\r\n" HOST "\r\n", i);
        for (int i = 0; i < BUSY; i++) {
            char want[32];
            snprintf(want, sizeof want, "GET /%d body=0", i);
            expect(busy[i], "", 200, want);
        }
    }
    for (int i = 0; i < BUSY; i++)
        raw_close(&busy[i]);
}
END_TEST

/* Requests that came together are answered one by one, however many others wait. */
START_TEST(pipelined_requests_beside_others)
{
    enum { OTHERS = 2 * WORKERS };
    struct raw *others[OTHERS], *raw = raw_open(port);

    for (int i = 0; i < OTHERS; i++) {
        others[i] = raw_open(port);
        raw_print(others[i], GET("/other"));
    }
    raw_print(raw, GET("/1") GET("/2") GET("/3"));
    expect(raw, "", 200, "GET /1 body=0");
    expect(raw, "", 200, "GET /2 body=0");
    expect(raw, "", 200, "GET /3 body=0");
    raw_close(&raw);
    for (int i = 0; i < OTHERS; i++) {
        expect(others[i], "", 200, "GET /other");
        raw_close(&others[i]);
    }
}
END_TEST

/* It may idle for all of its time. */
START_TEST(an_idle_connection_is_kept)
{
    struct raw *raw = raw_open(port);

    for (int i = 0; i < 3; i++) {
        expect(raw, GET("/a"), 200, "GET /a");
        poll(NULL, 0, IDLE_TIMEOUT_MS / 4);
    }
    raw_close(&raw);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("civetweb/waiting");
    TCase *timed = tcase_create("timed"), *patient = tcase_create("patient");

    tcase_add_checked_fixture(timed, start, stop);
    tcase_add_test(timed, who_waits_is_not_silent);
    tcase_add_test(timed, a_late_head_does_not_make_its_body_late);
    tcase_add_test(timed, who_is_silent_for_too_long_is_closed);
    tcase_add_test(timed, an_idle_connection_is_kept);
    suite_add_tcase(suite, timed);
    tcase_add_checked_fixture(patient, start_patient, stop);
    tcase_add_test(patient, those_who_wait_are_served);
    tcase_add_test(patient, silent_connections_need_no_worker);
    tcase_add_loop_test(patient, slow_clients_need_no_worker, 0, SLOW_KINDS);
    tcase_add_test(patient, drips_need_no_worker);
    tcase_add_test(patient, more_busy_connections_than_workers);
    tcase_add_test(patient, pipelined_requests_beside_others);
    suite_add_tcase(suite, patient);
    return suite_run(suite);
}
