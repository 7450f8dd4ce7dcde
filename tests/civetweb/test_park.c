/* Connections without a thread (packaging/civetweb/park.inl): silent ones, and more than workers. */
#include "echo_server.h"

static void await_parked(int count)
{
    int64_t start_ms = now_ms();

    while (mg_get_parked_connections(server) != count) {
        ck_assert_msg(now_ms() - start_ms < PATIENCE_MS, "%d are parked, not %d",
                      mg_get_parked_connections(server), count);
        poll(NULL, 0, 1);
    }
}

/* Both workers are in the middle of a request. */
START_TEST(those_who_wait_are_served)
{
    enum { WAITING = 3 };
    struct raw *busy[WORKERS], *waiting[WAITING];

    for (int i = 0; i < WORKERS; i++) {
        busy[i] = raw_open(port);
        expect(busy[i], "GET /a HTTP/1.1\r\n" HOST "\r\n", 200, "GET /a");
        raw_print(busy[i], "G"); /* and now it has HEAD_TIMEOUT_MS for the rest */
    }
    for (int i = 0; i < WAITING; i++)
        waiting[i] = raw_open(port);
    await_parked(WAITING);
    for (int i = 0; i < WORKERS; i++)
        raw_close(&busy[i]);
    for (int i = 0; i < WAITING; i++) {
        expect(waiting[i], "GET /b HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", 200, "GET /b");
        raw_close(&waiting[i]);
    }
    await_parked(0);
}
END_TEST

/* Who had said something, but waited for a worker for longer than it might have been silent, was once
 * closed. */
START_TEST(who_waits_is_not_silent)
{
    struct raw *busy[WORKERS], *fresh, *kept;

    kept = raw_open(port);
    expect(kept, "GET /a HTTP/1.1\r\n" HOST "\r\n", 200, "GET /a");
    __atomic_store_n(&is_holding, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < WORKERS; i++) {
        busy[i] = raw_open(port);
        raw_print(busy[i], "GET /hold HTTP/1.1\r\n" HOST "\r\n");
    }
    await_parked(1);
    fresh = raw_open(port);
    raw_print(fresh, "GET /b HTTP/1.1\r\n" HOST "\r\n");
    raw_print(kept, "GET /c HTTP/1.1\r\n" HOST "\r\n");
    poll(NULL, 0, IDLE_TIMEOUT_MS + 500); /* both have had their time */
    __atomic_store_n(&is_holding, 0, __ATOMIC_SEQ_CST);
    const struct http_reply *reply = raw_reply(fresh, PATIENCE_MS);
    ck_assert(reply && reply->status == 200);
    reply = raw_reply(kept, PATIENCE_MS);
    ck_assert(reply && reply->status == 200);
    raw_close(&fresh);
    raw_close(&kept);
    for (int i = 0; i < WORKERS; i++)
        raw_close(&busy[i]);
}
END_TEST

/* Its time was over before it spoke, and no worker had seen that yet: it is closed. That half a request
 * was there by then was once answered 400, as if there could be no other half. */
START_TEST(who_speaks_too_late_is_not_heard)
{
    struct raw *busy[WORKERS], *late = raw_open(port);

    __atomic_store_n(&is_holding, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < WORKERS; i++) {
        busy[i] = raw_open(port);
        raw_print(busy[i], "GET /hold HTTP/1.1\r\n" HOST "\r\n");
    }
    await_parked(1);
    poll(NULL, 0, HEAD_TIMEOUT_MS + 700); /* it has had its time, and the master its look */
    raw_print(late, "GET /b HTTP/1.1\r\n");
    __atomic_store_n(&is_holding, 0, __ATOMIC_SEQ_CST);
    const struct http_reply *reply = raw_reply(late, PATIENCE_MS);
    /* 408 where the master was late itself. */
    ck_assert_msg(!reply || reply->status == 408, "%d", reply->status);
    raw_close(&late);
    for (int i = 0; i < WORKERS; i++)
        raw_close(&busy[i]);
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
        expect(kept[i], "GET /a HTTP/1.1\r\n" HOST "\r\n", 200,
               "GET /a body=0 last=0 fields=1 from=127.0.0.1 resumed=0");
        fresh[i] = raw_open(port);
    }
    await_parked(2 * SILENT);
    other = raw_open(port);
    expect(other, "GET /b HTTP/1.1\r\n" HOST "\r\n", 200, "GET /b");
    raw_close(&other);
    for (int i = 0; i < SILENT; i++)
        expect(kept[i], "GET /c HTTP/1.1\r\n" HOST "\r\n", 200,
               "GET /c body=0 last=0 fields=1 from=127.0.0.1 resumed=1");
    for (int i = 0; i < SILENT; i++) {
        raw_close(&kept[i]);
        raw_close(&fresh[i]);
    }
    await_parked(0);
}
END_TEST

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
            const struct http_reply *reply = raw_reply(busy[i], PATIENCE_MS);
            ck_assert_msg(reply && reply->status == 200, "round %d, connection %d", round, i);
            ck_assert_msg(strncmp(reply->body, want, strlen(want)) == 0, "%s", reply->body);
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
        raw_print(others[i], "GET /other HTTP/1.1\r\n" HOST "\r\n");
    }
    raw_print(raw, "GET /1 HTTP/1.1\r\n" HOST "\r\nGET /2 HTTP/1.1\r\n" HOST
                   "\r\nGET /3 HTTP/1.1\r\n" HOST "\r\n");
    for (int i = 1; i <= 3; i++) {
        char want[32];
        snprintf(want, sizeof want, "GET /%d body=0", i);
        const struct http_reply *reply = raw_reply(raw, PATIENCE_MS);
        ck_assert_msg(reply && strncmp(reply->body, want, strlen(want)) == 0, "request %d", i);
    }
    raw_close(&raw);
    for (int i = 0; i < OTHERS; i++) {
        const struct http_reply *reply = raw_reply(others[i], PATIENCE_MS);
        ck_assert(reply && reply->status == 200);
        raw_close(&others[i]);
    }
}
END_TEST

/* It may idle for all of its time. */
START_TEST(an_idle_connection_is_kept)
{
    struct raw *raw = raw_open(port);

    for (int i = 0; i < 3; i++) {
        expect(raw, "GET /a HTTP/1.1\r\n" HOST "\r\n", 200, "GET /a");
        poll(NULL, 0, IDLE_TIMEOUT_MS / 4);
    }
    raw_close(&raw);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("civetweb/park");
    TCase *tcase = tcase_create("park");

    tcase_add_checked_fixture(tcase, start, stop);
    tcase_add_test(tcase, those_who_wait_are_served);
    tcase_add_test(tcase, who_waits_is_not_silent);
    tcase_add_test(tcase, who_speaks_too_late_is_not_heard);
    tcase_add_test(tcase, silent_connections_need_no_worker);
    tcase_add_test(tcase, more_busy_connections_than_workers);
    tcase_add_test(tcase, pipelined_requests_beside_others);
    tcase_add_test(tcase, an_idle_connection_is_kept);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
