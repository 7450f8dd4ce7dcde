/* Answers that are made while they are sent. */
#include "echo_server.h"

#define SOURCE(path, size) "GET /source" path "?" size " HTTP/1.1\r\n" HOST "\r\n"

enum { TAKES_LITTLE = 4096 };

static int ask(int receive_buffer, const char *request)
{
    int fd = connect_socket(receive_buffer);

    ck_assert_int_eq(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
    return fd;
}

/* Takes exactly these bytes. */
static void take(int fd, size_t from, size_t to)
{
    static char bytes[65536];
    size_t wrong = 0;

    while (from < to) {
        size_t left = to - from;
        ssize_t n = recv(fd, bytes, left < sizeof bytes ? left : sizeof bytes, 0);
        ck_assert_int_gt(n, 0);
        for (ssize_t i = 0; i < n; i++, from++)
            wrong += bytes[i] != made_byte(from);
    }
    ck_assert_uint_eq(wrong, 0);
}

static void take_text(int fd, const char *text)
{
    for (; *text; text++) {
        char c;
        ck_assert_int_eq(recv(fd, &c, 1, 0), 1);
        ck_assert_int_eq(c, *text);
    }
}

/* So many are closed, and so many of them were sent to their end. */
static void await_closed(int count, int whole)
{
    int64_t start_ms = now_ms();

    while (__atomic_load_n(&sources_closed, __ATOMIC_SEQ_CST) < count) {
        ck_assert_int_lt(now_ms() - start_ms, PATIENCE_MS);
        poll(NULL, 0, 1);
    }
    ck_assert_int_eq(__atomic_load_n(&sources_whole, __ATOMIC_SEQ_CST), whole);
}

START_TEST(a_source_is_sent_whole_and_the_connection_goes_on)
{
    int fd = ask(0, SOURCE("", "5000000") SOURCE("", "0")
                        SOURCE("", "7") "GET /unread HTTP/1.1\r\n" HOST "\r\n");

    take_text(fd, "->");
    take(fd, 0, 5000000);
    take_text(fd, "->->");
    take(fd, 0, 7);
    take_text(fd, "HTTP/1.1 200");
    await_closed(3, 3);
    ck_assert_int_eq(waiting_stats().cut, 0);
    close(fd);
}
END_TEST

/* In one send: nothing has reached the client when the source is asked for its first piece. */
START_TEST(what_is_written_ahead_goes_with_the_first_piece)
{
    static const struct {
        const char *request;
        size_t size;
    } answers[] = {{SOURCE("/ahead", "2"), 2},
                   {SOURCE("/ahead", "100000"), 100000},
                   {SOURCE("/ahead", "0"), 0}};
    const int count = sizeof answers / sizeof *answers;
    char byte;

    ahead_fd = connect_socket(0);
    for (int i = 0; i < count; i++) {
        const char *request = answers[i].request;
        ahead_seen = -1;
        ck_assert_int_eq(send(ahead_fd, request, strlen(request), 0), (ssize_t)strlen(request));
        take_text(ahead_fd, "->");
        take(ahead_fd, 0, answers[i].size);
        await_closed(i + 1, i + 1);
        ck_assert_int_eq(ahead_seen, 0);
    }
    close(ahead_fd);
    int fd = ask(0, SOURCE("/ahead/fails", "0"));
    await_closed(count + 1, count);
    take_text(fd, "->");
    ck_assert_int_eq(recv(fd, &byte, 1, 0), -1);
    close(fd);
    await_nothing();
}
END_TEST

/* Of what is made for who does not take it there is one piece, and that costs no worker. */
START_TEST(who_takes_nothing_holds_a_piece_and_no_worker)
{
    enum { CLIENTS = 2 * WORKERS };
    const int64_t piece = 32 * 1024;
    int fds[CLIENTS];

    for (int i = 0; i < CLIENTS; i++)
        fds[i] = ask(TAKES_LITTLE, SOURCE("/patient", "1000000000"));
    await_unfinished(CLIENTS);
    await_waiting(CLIENTS);
    ck_assert_int_le(waiting_stats().bytes, CLIENTS * piece);
    ck_assert_uint_le(__atomic_load_n(&source_bytes, __ATOMIC_SEQ_CST), CLIENTS * (1024 * 1024));
    for (int i = 0; i < CLIENTS; i++) {
        take_text(fds[i], "->");
        take(fds[i], 0, 500000);
    }
    await_waiting(CLIENTS);
    ck_assert_int_le(waiting_stats().bytes, CLIENTS * piece);
    for (int i = 0; i < CLIENTS; i++)
        close(fds[i]);
    await_closed(CLIENTS, 0);
    await_nothing();
    ck_assert_int_eq(waiting_stats().cut, CLIENTS);
}
END_TEST

/* However much it took before. */
START_TEST(who_stops_taking_is_cut_off)
{
    int fd = ask(TAKES_LITTLE, SOURCE("/hasty", "1000000000"));

    take_text(fd, "->");
    take(fd, 0, 100000);
    await_closed(1, 0);
    AWAIT(stats.cut == 1);
    await_nothing();
    close(fd);
}
END_TEST

START_TEST(who_gets_on_may_take_longer_than_the_deadline)
{
    const int64_t start_ms = now_ms();
    int fd = ask(TAKES_LITTLE, SOURCE("", "2000000"));

    take_text(fd, "->");
    while (now_ms() - start_ms < 3 * DEADLINE_MS)
        poll(NULL, 0, 10);
    take(fd, 0, 2000000);
    await_closed(1, 1);
    close(fd);
}
END_TEST

/* Where the end of the connection is the end of the answer, too, this must not look like one. */
START_TEST(a_source_that_fails_resets_the_connection)
{
    char byte;
    int fd = ask(0, SOURCE("/fails", "1000"));

    await_closed(1, 0);
    take_text(fd, "->");
    take(fd, 0, 1000);
    ck_assert_int_eq(recv(fd, &byte, 1, 0), -1);
    ck_assert_int_eq(errno, ECONNRESET);
    AWAIT(stats.cut == 1);
    close(fd);
}
END_TEST

START_TEST(a_stop_closes_the_sources)
{
    start();
    int fd = ask(TAKES_LITTLE, SOURCE("/patient", "1000000000"));

    await_unfinished(1);
    stop();
    await_closed(1, 0);
    close(fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("civetweb/source");
    TCase *tcase = tcase_create("source");
    TCase *own = tcase_create("stop");

    tcase_add_checked_fixture(tcase, start, stop);
    tcase_add_test(tcase, a_source_is_sent_whole_and_the_connection_goes_on);
    tcase_add_test(tcase, what_is_written_ahead_goes_with_the_first_piece);
    tcase_add_test(tcase, who_takes_nothing_holds_a_piece_and_no_worker);
    tcase_add_test(tcase, who_stops_taking_is_cut_off);
    tcase_add_test(tcase, who_gets_on_may_take_longer_than_the_deadline);
    tcase_add_test(tcase, a_source_that_fails_resets_the_connection);
    suite_add_tcase(suite, tcase);
    tcase_add_test(own, a_stop_closes_the_sources);
    suite_add_tcase(suite, own);
    return suite_run(suite);
}
