/* Connections without a thread (packaging/civetweb/waiting.inl): silent ones, slow ones, and more than
 * workers. */
#include "echo_server.h"

#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"

/* Nobody's time is over before the test is. */
static void start_patient(void)
{
    start_with("60000", "60000");
}

static void await_holders(int count)
{
    int64_t start_ms = now_ms();

    while (__atomic_load_n(&holders, __ATOMIC_SEQ_CST) != count) {
        ck_assert_int_lt(now_ms() - start_ms, PATIENCE_MS);
        poll(NULL, 0, 1);
    }
}

/* All workers are in the middle of a request, one after the other, until let_go. */
static void keep_busy(struct raw *busy[WORKERS])
{
    __atomic_store_n(&held_back, WORKERS, __ATOMIC_SEQ_CST);
    for (int i = 0; i < WORKERS; i++) {
        busy[i] = raw_open(port);
        raw_print(busy[i], "GET /hold HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
        await_holders(i + 1);
    }
}

/* But so many. */
static void let_go_but(int count)
{
    __atomic_store_n(&held_back, count, __ATOMIC_SEQ_CST);
}

static void let_go(struct raw *busy[WORKERS])
{
    let_go_but(0);
    for (int i = 0; i < WORKERS; i++) {
        expect(busy[i], "", 200, "GET /hold");
        raw_close(&busy[i]);
    }
}

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

/* ---- room ---- */

START_TEST(the_oldest_silent_one_makes_room)
{
    enum { ROOM = 5 };
    struct raw *silent[ROOM];

    mg_limit_waiting(server, ROOM, 1 << 20);
    /* In the order in which they are to go. Who drips a head does not become younger by it. */
    silent[0] = raw_open(port);
    raw_print(silent[0], "GET /a HTTP/1.1\r\nHost: ");
    await_waiting(1);
    for (int i = 1; i < ROOM; i++) {
        silent[i] = raw_open(port);
        await_waiting(i + 1);
    }
    raw_print(silent[0], "x");
    expect(silent[1], GET("/kept"), 200, "GET /kept");
    await_waiting(ROOM);

    struct raw *fresh = raw_open(port);
    expect(fresh, GET("/b"), 200, "GET /b");
    expect_closed(&silent[0]);
    await_waiting(ROOM);
    raw_close(&fresh);
    await_waiting(ROOM - 1);
    /* As many as there is room for, and one more. */
    for (int i = 2; i <= 3; i++) {
        struct raw *more[ROOM];
        for (int k = 0; k < i; k++) {
            more[k] = raw_open(port);
            expect(more[k], GET("/c"), 200, "GET /c");
        }
        expect_closed(&silent[i]);
        for (int k = 0; k < i; k++)
            raw_close(&more[k]);
        await_waiting(ROOM - i);
    }
    expect(silent[1], GET("/kept"), 200, "GET /kept");
    expect(silent[4], GET("/young"), 200, "GET /young");
    ck_assert_int_eq(waiting_stats().evicted, 3);
    raw_close(&silent[1]);
    raw_close(&silent[4]);
}
END_TEST

/* A request is not given up for a connection that has not even made one. */
START_TEST(who_is_worked_on_stays)
{
    struct raw *busy[WORKERS], *silent = raw_open(port);

    await_waiting(1);
    keep_busy(busy);
    mg_limit_waiting(server, WORKERS, 1 << 20);
    struct raw *fresh = raw_open(port);
    raw_print(fresh, GET("/b"));
    let_go(busy); /* which expects their answers */
    expect(fresh, "", 200, "GET /b");
    raw_close(&fresh);
    raw_close(&silent);
}
END_TEST

/* Who has said all and waits for a worker is not silent either, though nothing more comes from it. */
START_TEST(who_has_pipelined_stays)
{
    static const char request[] =
        "GET /hold HTTP/1.1\r\n" HOST "\r\nGET /next HTTP/1.1\r\n" HOST "\r\n";
    struct raw *busy[WORKERS], *pipelined = NULL;

    keep_busy(busy);
    let_go_but(1); /* the second one's worker is free for this */
    expect(busy[1], "", 200, "GET /hold");
    expect_closed(&busy[1]);
    let_go_but(WORKERS);
    pipelined = raw_open(port);
    raw_print(pipelined, "%s", request);
    await_holders(WORKERS);
    mg_limit_waiting(server, WORKERS, 1 << 20);
    struct raw *fresh = raw_open(port); /* and is looked at before the second request */
    raw_print(fresh, GET("/b"));
    let_go_but(1);
    expect(pipelined, "", 200, "GET /hold");
    expect(pipelined, "", 200, "GET /next");
    raw_close(&pipelined);
    expect(fresh, "", 200, "GET /b");
    raw_close(&fresh);
    let_go_but(0);
    expect(busy[0], "", 200, "GET /hold");
    raw_close(&busy[0]);
}
END_TEST

/* Where nobody is silent for long there is room again once somebody goes. */
START_TEST(those_who_found_no_room_are_served_later)
{
    enum { ROOM = 3 };
    struct raw *bodies[ROOM];

    mg_limit_waiting(server, ROOM, 1 << 20);
    for (int i = 0; i < ROOM; i++) {
        bodies[i] = raw_open(port);
        raw_print(bodies[i], "POST /patient HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nhello");
        await_unfinished(i + 1);
        await_waiting(i + 1);
    }
    /* The oldest request that waits for its body is told, since there is nobody else. */
    struct raw *fresh = raw_open(port);
    expect(fresh, GET("/b"), 200, "GET /b");
    expect(bodies[0], "", 200, "POST /patient body=0 no room");
    expect_closed(&bodies[0]);
    for (int i = 1; i < ROOM; i++) {
        expect(bodies[i], "world", 200, "POST /patient body=10 whole");
        raw_close(&bodies[i]);
    }
    raw_close(&fresh);
}
END_TEST

/* A request that is told to go, and was whole already: it is answered, and its connection makes room. */
START_TEST(who_was_told_to_go_does_not_stay)
{
    struct raw *busy[WORKERS], *body = raw_open(port);

    raw_print(body, "POST /patient HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nhello");
    await_unfinished(1);
    keep_busy(busy);
    mg_limit_waiting(server, WORKERS, 1 << 20);
    /* The worker that is free first finds a new connection, and then the rest of the body. */
    struct raw *fresh = raw_open(port);
    raw_print(fresh, GET("/b"));
    raw_print(body, "world");
    let_go_but(WORKERS - 1);
    const struct http_reply *reply = raw_reply(body, PATIENCE_MS);
    ck_assert_ptr_nonnull(reply);
    ck_assert_ptr_nonnull(strstr(reply->body, "body=10 whole"));
    ck_assert_str_eq(http_header(reply, "Connection"), "close");
    expect_closed(&body);
    let_go(busy);
    expect(fresh, "", 200, "GET /b");
    raw_close(&fresh);
}
END_TEST

/* However often a new connection knocks, it is one request at a time that goes for it. */
START_TEST(one_body_at_a_time_makes_room)
{
    enum { ROOM = 4 };
    struct raw *bodies[ROOM];

    mg_limit_waiting(server, ROOM, 1 << 20);
    for (int i = 0; i < ROOM; i++) {
        bodies[i] = raw_open(port);
        raw_print(bodies[i],
                  "POST /hold/patient HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nhello");
        AWAIT(stats.unfinished == i + 1 && stats.waiting == i + 1);
    }
    let_go_but(1); /* whose worker has yet to tell it */
    struct raw *fresh = raw_open(port);
    raw_print(fresh, GET("/b"));
    await_holders(1);
    poll(NULL, 0, 500); /* for the master to look, and the other worker to try again */
    ck_assert_int_eq(waiting_stats().evicted, 1);
    let_go_but(0);
    expect(bodies[0], "", 200, "POST /hold/patient body=0 no room");
    expect_closed(&bodies[0]);
    expect(fresh, "", 200, "GET /b");
    raw_close(&fresh);
    for (int i = 1; i < ROOM; i++) {
        expect(bodies[i], "world", 200, "POST /hold/patient body=10 whole");
        raw_close(&bodies[i]);
    }
}
END_TEST

/* Those that have waited for longest make room for others, in whatever order their connections came. */
START_TEST(the_oldest_bytes_make_room)
{
    enum { CLIENTS = 8, SENT = 40000 };
    struct raw *clients[CLIENTS];

    mg_limit_waiting(server, 100, CLIENTS * SENT - 1);
    for (int i = CLIENTS - 1; i >= 0; i--) {
        clients[i] = raw_open(port);
        await_waiting(CLIENTS - i);
    }
    for (int i = 0; i < CLIENTS; i++) {
        expect(clients[i],
               "POST /patient HTTP/1.1\r\n" HOST
               "Content-Length: 45000\r\nExpect: 100-continue\r\n\r\n",
               100, "");
        raw_print(clients[i], "%0*d", SENT, i);
        if (i == 0)
            AWAIT(stats.bytes >= SENT && stats.waiting == CLIENTS);
    }
    expect(clients[0], "", 200, "POST /patient body=0 no room");
    expect_closed(&clients[0]);
    raw_print(clients[CLIENTS - 1], "%05000d", 0);
    expect(clients[CLIENTS - 1], "", 200, "POST /patient body=45000 whole");
    ck_assert_int_ge(waiting_stats().evicted, 1);
    for (int i = 1; i < CLIENTS; i++)
        raw_close(&clients[i]);
    await_nothing();
}
END_TEST

START_TEST(the_oldest_half_head_makes_room)
{
    struct raw *older = raw_open(port), *younger = raw_open(port);

    mg_limit_waiting(server, 100, 17000);
    raw_print(older, "GET /a HTTP/1.1\r\nF: %015000d", 0);
    AWAIT(stats.bytes >= 15000 && stats.waiting == 2);
    raw_print(younger, "GET /b HTTP/1.1\r\nF: %03000d", 0);
    expect(older, "", 503, "");
    expect_closed(&older);
    expect(younger, "\r\n\r\n", 200, "GET /b");
    ck_assert_int_eq(waiting_stats().evicted, 1);
    raw_close(&younger);
    await_nothing();
}
END_TEST

/* The rest of an answer that is not taken: its client is told nothing more. */
START_TEST(the_oldest_answer_makes_room)
{
    static const char request[] = GET("/flood/patient");
    static char bytes[65536];
    int older = connect_socket(4096), younger = connect_socket(4096);
    int64_t total = 0;

    mg_limit_waiting(server, 100, FLOOD);
    send(older, request, sizeof request - 1, MSG_NOSIGNAL);
    AWAIT(stats.unfinished == 1 && stats.waiting == 2);
    send(younger, request, sizeof request - 1, MSG_NOSIGNAL);
    AWAIT(stats.evicted == 1 && stats.unfinished == 1 && stats.open == 1);
    while (total < FLOOD) {
        ssize_t n = recv(younger, bytes, sizeof bytes, 0);
        ck_assert_int_gt(n, 0);
        total += n;
    }
    close(older);
    close(younger);
    await_nothing();
    ck_assert_int_eq(waiting_stats().cut, 1);
}
END_TEST

/* Who needs more than the others can give goes himself. */
START_TEST(bytes_that_wait_are_bounded)
{
    struct raw *head = raw_open(port), *body = raw_open(port);

    mg_limit_waiting(server, 100, 10000);
    raw_print(head, "GET /a HTTP/1.1\r\nF: %015000d", 0);
    expect(head, "", 503, "");
    expect_closed(&head);
    raw_print(body, "POST /patient HTTP/1.1\r\n" HOST "Content-Length: 90000\r\n\r\n%040000d", 0);
    expect(body, "", 200, "POST /patient body=0 no room");
    expect_closed(&body);
    ck_assert_int_eq(waiting_stats().evicted, 0);
    await_nothing();
}
END_TEST

/* Nor do answers wait when there is no room for them: the connection is closed. */
START_TEST(answers_that_wait_are_bounded)
{
    static const char request[] = GET("/some");
    int fd = connect_socket(4096);
    int64_t start_ms = now_ms();

    mg_limit_waiting(server, 100, SOME / 2);
    /* Until the answers are more than sockets hold. */
    while (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) > 0) {
        ck_assert_int_lt(now_ms() - start_ms, PATIENCE_MS);
        poll(NULL, 0, 5); /* one at a time, so that none waits but the answer */
    }
    close(fd);
    await_nothing();
    ck_assert_int_eq(waiting_stats().cut, 1);
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
    tcase_add_test(patient, the_oldest_silent_one_makes_room);
    tcase_add_test(patient, who_is_worked_on_stays);
    tcase_add_test(patient, those_who_found_no_room_are_served_later);
    tcase_add_test(patient, who_has_pipelined_stays);
    tcase_add_test(patient, one_body_at_a_time_makes_room);
    tcase_add_test(patient, who_was_told_to_go_does_not_stay);
    tcase_add_test(patient, the_oldest_bytes_make_room);
    tcase_add_test(patient, the_oldest_half_head_makes_room);
    tcase_add_test(patient, the_oldest_answer_makes_room);
    tcase_add_test(patient, bytes_that_wait_are_bounded);
    tcase_add_test(patient, answers_that_wait_are_bounded);
    tcase_add_test(patient, more_busy_connections_than_workers);
    tcase_add_test(patient, pipelined_requests_beside_others);
    suite_add_tcase(suite, patient);
    return suite_run(suite);
}
