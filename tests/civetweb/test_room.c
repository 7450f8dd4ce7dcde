/* Who makes room for others (packaging/civetweb/room.inl): at the limit of connections, and at that of the
 * bytes that wait. */
#include "waiting_case.h"

/* ---- connections ---- */

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

/* What it waits for may be long in coming. */
START_TEST(who_pauses_makes_room)
{
    enum { ROOM = 3 };
    struct raw *paused[ROOM];

    mg_limit_waiting(server, ROOM, 1 << 20);
    for (int i = 0; i < ROOM; i++) {
        paused[i] = raw_open(port);
        raw_print(paused[i], GET("/pause"));
        await_waiting(i + 1);
    }
    struct raw *fresh = raw_open(port);
    expect(fresh, GET("/b"), 200, "GET /b");
    expect(paused[0], "", 503, "Bad request");
    expect_closed(&paused[0]);
    ck_assert_int_eq(__atomic_load_n(&paused_left, __ATOMIC_SEQ_CST), 1);
    for (int i = 1; i < ROOM; i++)
        raw_close(&paused[i]);
    raw_close(&fresh);
}
END_TEST

/* Who was told makes room at once, and not when the master looks, every 100 ms. */
START_TEST(half_bodies_keep_no_newcomer_waiting)
{
    enum { ROOM = 3, NEWCOMERS = 60 };
    struct raw *fresh[NEWCOMERS], *bodies[ROOM];

    mg_limit_waiting(server, ROOM, 1 << 20);
    for (int i = 0; i < ROOM; i++) {
        bodies[i] = raw_open(port);
        raw_print(bodies[i], "POST /patient HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nhello");
        await_waiting(i + 1);
    }
    int64_t from = now_ms();
    for (int i = 0; i < NEWCOMERS; i++) {
        fresh[i] = raw_open(port);
        raw_print(fresh[i], "POST /patient HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nhello");
    }
    struct mg_waiting_stats stats;
    do { /* as many as came have gone: mostly the oldest */
        ck_assert_int_lt(now_ms() - from, PATIENCE_MS);
        mg_get_waiting_stats(server, &stats);
    } while (stats.evicted < NEWCOMERS);
    expect_within_ms(now_ms() - from, NEWCOMERS * 100 / 6);
    for (int i = 0; i < NEWCOMERS; i++)
        raw_close(&fresh[i]);
    for (int i = 0; i < ROOM; i++)
        raw_close(&bodies[i]);
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

/* ---- bytes ---- */

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

/* No more is taken for a body than was announced. */
START_TEST(half_a_body_takes_no_more_than_a_whole_one)
{
    enum { SENT = 60000, ANNOUNCED = 61000, HEAD_MOST = 200 };
    struct raw *raw = raw_open(port);

    raw_print(raw, "POST /patient HTTP/1.1\r\n" HOST "Content-Length: %d\r\n\r\n%0*d", ANNOUNCED,
              SENT, 0);
    AWAIT(stats.bytes >= SENT && stats.waiting == 1);
    ck_assert_int_le(waiting_stats().bytes, ANNOUNCED + HEAD_MOST);
    raw_print(raw, "%01000d" GET("/next"), 0);
    expect(raw, "", 200, "POST /patient body=61000 whole");
    expect(raw, "", 200, "GET /next");
    raw_close(&raw);
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
/* A paused request is told, and so is the application, though its head is nearly all of its bytes. */
START_TEST(the_oldest_paused_head_makes_room)
{
    struct raw *older = raw_open(port), *younger = raw_open(port);

    mg_limit_waiting(server, 100, 17000);
    raw_print(older, "GET /pause HTTP/1.1\r\n" HOST "F: %015000d\r\n\r\n", 0);
    AWAIT(stats.bytes >= 15000 && stats.waiting == 2);
    raw_print(younger, "GET /b HTTP/1.1\r\n" HOST "F: %03000d", 0);
    expect(older, "", 503, "");
    expect_closed(&older);
    ck_assert_int_eq(__atomic_load_n(&paused_left, __ATOMIC_SEQ_CST), 1);
    expect(younger, "\r\n\r\n", 200, "GET /b");
    ck_assert_int_eq(waiting_stats().evicted, 1);
    raw_close(&younger);
    await_nothing();
}
END_TEST

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

int main(void)
{
    Suite *suite = suite_create("civetweb/room");
    TCase *tcase = tcase_create("room");

    tcase_add_checked_fixture(tcase, start_patient, stop);
    tcase_add_test(tcase, the_oldest_silent_one_makes_room);
    tcase_add_test(tcase, who_is_worked_on_stays);
    tcase_add_test(tcase, who_has_pipelined_stays);
    tcase_add_test(tcase, those_who_found_no_room_are_served_later);
    tcase_add_test(tcase, who_pauses_makes_room);
    tcase_add_test(tcase, half_bodies_keep_no_newcomer_waiting);
    tcase_add_test(tcase, who_was_told_to_go_does_not_stay);
    tcase_add_test(tcase, one_body_at_a_time_makes_room);
    tcase_add_test(tcase, the_oldest_bytes_make_room);
    tcase_add_test(tcase, half_a_body_takes_no_more_than_a_whole_one);
    tcase_add_test(tcase, the_oldest_half_head_makes_room);
    tcase_add_test(tcase, the_oldest_paused_head_makes_room);
    tcase_add_test(tcase, the_oldest_answer_makes_room);
    tcase_add_test(tcase, bytes_that_wait_are_bounded);
    tcase_add_test(tcase, answers_that_wait_are_bounded);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
