/* Writing to somebody who may not be reading. */
#include "cachewarden/sink.h"

#include "cachewarden/clock.h"
#include "slowness.h"
#include "suite.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>

/* Any machine is faster than this, and one wait a line, or a thread, is far slower. */
enum { LINES = 2000, SOON_MS = LINES * SINK_WAIT_MS / 4 };

static struct sink sink;
static int ends[2]; /* reading, writing */

static void open_pipe(void)
{
    ck_assert_int_eq(pipe(ends), 0);
}

static void open_socket(void)
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
}

/* One that may not be opened once more, as that of another user's: whoever asks has no right to it. root
 * would have, so it is somebody else until own_again. */
static void open_foreign_pipe(void)
{
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(65534), 0);
    open_pipe();
    ck_assert_int_eq(fchmod(ends[1], 0), 0);
}

static void own_again(void)
{
    ck_assert_int_eq(seteuid(getuid()), 0);
    ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1), 0); /* LeakSanitizer looks into the process */
}

static void open_terminal(void)
{
    struct termios mode;
    ends[0] = posix_openpt(O_RDWR | O_NOCTTY);
    ck_assert(ends[0] >= 0 && grantpt(ends[0]) == 0 && unlockpt(ends[0]) == 0);
    ends[1] = open(ptsname(ends[0]), O_RDWR | O_NOCTTY);
    ck_assert_int_ge(ends[1], 0);
    ck_assert_int_eq(tcgetattr(ends[1], &mode), 0);
    cfmakeraw(&mode);
    ck_assert_int_eq(tcsetattr(ends[1], TCSANOW, &mode), 0);
}

static const struct {
    const char *name;
    void (*open)(void);
} kinds[] = {
    {"pipe", open_pipe},
    {"socket", open_socket},
    {"foreign pipe", open_foreign_pipe},
    {"terminal", open_terminal},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void open_kind(int kind)
{
    kinds[kind].open();
    sink_open(&sink, ends[1]);
    own_again();
    sink_start(&sink);
}

static struct str line_of(char out[64], int number)
{
    int size = snprintf(out, 64, "line %06d ............................\n", number);
    return (struct str){out, (size_t)size};
}

/* Returns how many milliseconds it took. */
static int64_t put_lines(int count)
{
    int64_t from_ns = clock_mono_ns();
    char line[64];
    for (int i = 0; i < count; i++)
        sink_write(&sink, line_of(line, i));
    return (clock_mono_ns() - from_ns) / NS_PER_MS;
}

static void fill(void)
{
    int64_t give_up_ns = clock_deadline_ns(30000);
    while (sink_lost(&sink) == 0) {
        ck_assert(clock_mono_ns() < give_up_ns);
        put_lines(100);
    }
}

static void expect_line(const char *line)
{
    int number;
    char expected[64];
    ck_assert_msg(sscanf(line, "line %d", &number) == 1, "%s", line);
    line_of(expected, number);
    expected[strlen(expected) - 1] = '\0';
    ck_assert_str_eq(line, expected);
}

/* Reads on, behind what is in `got`, until it ends with the line `last`; each line must be whole. */
static char got[1 << 22];
static size_t got_size;

static void read_more(void)
{
    ssize_t size = read(ends[0], got + got_size, sizeof got - 1 - got_size);
    ck_assert_int_gt(size, 0);
    got_size += (size_t)size;
    got[got_size] = '\0';
}

static int read_until(int last)
{
    char end[64], *rest = got;
    int count = 0;
    size_t size = line_of(end, last).len;
    while (got_size < size || strcmp(got + got_size - size, end) != 0)
        read_more();
    for (char *line; (line = strsep(&rest, "\n")) && *line; count++)
        expect_line(line);
    got_size = 0;
    return count;
}

START_TEST(nobody_reads_and_all_of_it_is_one_wait)
{
    open_kind(_i);
    fill();
    uint64_t before = sink_lost(&sink);
    int64_t took_ms = put_lines(LINES);
    ck_assert_msg(took_ms < SOON_MS, "%s: %d ms", kinds[_i].name, (int)took_ms);
    ck_assert_uint_eq(sink_lost(&sink), before + LINES);
    /* Whoever shares the descriptor has it as it was. */
    ck_assert_int_eq(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
}
END_TEST

START_TEST(what_is_read_again_is_written_again)
{
    struct pollfd readable = {.events = POLLIN};
    char line[64];

    open_kind(_i);
    fill();
    readable.fd = ends[0];
    int64_t give_up_ns = clock_deadline_ns(30000);
    while (!sink_try_write(&sink, line_of(line, 999999))) {
        ck_assert_msg(clock_mono_ns() < give_up_ns, "%s", kinds[_i].name);
        if (poll(&readable, 1, 100) == 1)
            read_more();
    }
    uint64_t lost = sink_lost(&sink);
    ck_assert_int_gt(read_until(999999), 1);
    ck_assert(sink_try_write(&sink, line_of(line, 1)));
    ck_assert_int_eq(read_until(1), 1);
    ck_assert_uint_eq(sink_lost(&sink), lost);
}
END_TEST

START_TEST(closing_waits_for_nobody)
{
    open_kind(_i);
    fill();
    int64_t from_ns = clock_mono_ns();
    sink_close(&sink);
    expect_within_ms((clock_mono_ns() - from_ns) / NS_PER_MS, 10000);
}
END_TEST

START_TEST(closing_lets_go_what_was_written)
{
    open_kind(_i);
    put_lines(100);
    sink_close(&sink);
    ck_assert_int_eq(read_until(99), 100);
}
END_TEST

static void fill_pipe(void)
{
    static const char bytes[4096];

    ck_assert_int_eq(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    while (write(ends[1], bytes, sizeof bytes) > 0)
        ;
    ck_assert_int_eq(fcntl(ends[1], F_SETFL, 0), 0);
}

/* It reads a little, so each stop is a new one; all of them share the wait. */
START_TEST(a_reader_who_is_always_behind_is_not_waited_for_each_time)
{
    enum { TIMES = 300 };
    char bytes[4096];

    open_pipe();
    fill_pipe();
    sink_open(&sink, ends[1]);
    int64_t from_ns = clock_mono_ns();
    for (int i = 0; i < TIMES; i++) {
        sink_write(&sink, STR("lost\n"));
        ck_assert_int_eq(read(ends[0], bytes, sizeof bytes), (ssize_t)sizeof bytes);
        memset(bytes, 'x', sizeof bytes);
        ck_assert(sink_try_write(&sink, (struct str){bytes, sizeof bytes}));
    }
    ck_assert_uint_eq(sink_lost(&sink), TIMES);
    expect_within_ms((clock_mono_ns() - from_ns) / NS_PER_MS, TIMES * SINK_WAIT_MS / 4);
}
END_TEST

enum { THREADS = 16 };

static void *put_some(void *arg)
{
    (void)arg;
    put_lines(LINES / THREADS);
    return NULL;
}

START_TEST(threads_wait_together)
{
    pthread_t threads[THREADS];

    open_pipe();
    fill_pipe();
    sink_open(&sink, ends[1]);
    int64_t from_ns = clock_mono_ns();
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, put_some, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    int64_t took_ms = (clock_mono_ns() - from_ns) / NS_PER_MS;
    ck_assert_int_ge(took_ms, SINK_WAIT_MS);
    expect_within_ms(took_ms, THREADS * SINK_WAIT_MS * 4);
    ck_assert_uint_eq(sink_lost(&sink), LINES);
}
END_TEST

START_TEST(a_line_goes_on_with_no_other)
{
    struct rlimit limit;
    char bytes[64] = "", path[] = "/tmp/cw-test-sink-XXXXXX";
    int file = mkstemp(path);

    ck_assert_int_ge(file, 0);
    unlink(path);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    rlim_t before = limit.rlim_cur;
    sink_open(&sink, file);
    limit.rlim_cur = 4;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    sink_write(&sink, STR("torn asunder\n"));
    sink_write(&sink, STR("gone\n"));
    limit.rlim_cur = before;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    sink_write(&sink, STR("whole\n"));
    sink_write(&sink, STR("too\n"));
    ck_assert_uint_eq(sink_lost(&sink), 2);
    ck_assert_int_gt(pread(file, bytes, sizeof bytes - 1, 0), 0);
    ck_assert_str_eq(bytes, "torn\nwhole\ntoo\n");
    close(file);
}
END_TEST

START_TEST(more_than_a_piece_arrives_too)
{
    static char text[3 * SINK_PIECE + 100];

    open_kind(_i);
    memset(text, 'x', sizeof text);
    ck_assert(sink_try_write(&sink, (struct str){text, sizeof text}));
    while (got_size < sizeof text)
        read_more();
    ck_assert_int_eq(memcmp(got, text, sizeof text), 0);
}
END_TEST

START_TEST(what_is_no_descriptor_loses_everything)
{
    sink_open(&sink, -1);
    sink_start(&sink);
    sink_write(&sink, STR("x\n"));
    sink_count_lost(&sink);
    ck_assert_uint_eq(sink_lost(&sink), 2);
    sink_close(&sink);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/sink");
    TCase *tcase = tcase_create("sink");

    tcase_add_loop_test(tcase, nobody_reads_and_all_of_it_is_one_wait, 0, KINDS);
    tcase_add_loop_test(tcase, what_is_read_again_is_written_again, 0, KINDS);
    tcase_add_loop_test(tcase, closing_waits_for_nobody, 0, KINDS);
    tcase_add_loop_test(tcase, closing_lets_go_what_was_written, 0, KINDS);
    tcase_add_test(tcase, a_reader_who_is_always_behind_is_not_waited_for_each_time);
    tcase_add_test(tcase, threads_wait_together);
    tcase_add_test(tcase, a_line_goes_on_with_no_other);
    tcase_add_loop_test(tcase, more_than_a_piece_arrives_too, 0, KINDS);
    tcase_add_test(tcase, what_is_no_descriptor_loses_everything);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
