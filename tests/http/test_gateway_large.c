/* Bodies of a gigabyte pass in both directions, and the server's memory stays what it was. */
#include "gateway_case.h"
#include "sanitized.h"

#include <netinet/in.h>
#include <sys/socket.h>

#define MIB  INT64_C(1048576)
#define SIZE (IS_SANITIZED ? 256 * MIB : 1024 * MIB)

/* Far more than buffers take, and far less than a body. Sanitizers keep freed memory on purpose; there only the
 * bytes are counted. */
#define GROWTH_MAX_KIB (IS_SANITIZED ? 4096L * 1024 : 16L * 1024)

enum { PART = 256 * 1024 };

static int client;

static void open_stand(void)
{
    gateway_stand_open("{ prefix = \"/open\"; scope = \"public\"; timeout_ms = 600000; UPSTREAM }",
                       "");
}

static void connect_client(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)stand.server.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval patience = {.tv_sec = PATIENCE_S};

    client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

/* ---- the server's memory ---- */

static long memory_kib(const char *which)
{
    char path[64], line[256], format[32];
    long kib = -1;

    snprintf(path, sizeof path, "/proc/%d/status", (int)stand.server.pid);
    snprintf(format, sizeof format, "%s: %%ld kB", which);
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    while (kib < 0 && fgets(line, sizeof line, file))
        if (sscanf(line, format, &kib) != 1)
            kib = -1;
    fclose(file);
    ck_assert_int_gt(kib, 0);
    return kib;
}

/* From now on the peak is that of what follows. */
static long begin_peak(void)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/clear_refs", (int)stand.server.pid);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs("5", file);
    ck_assert_int_eq(fclose(file), 0);
    return memory_kib("VmRSS");
}

static void expect_flat(long before_kib)
{
    long growth_kib = memory_kib("VmHWM") - before_kib;

    ck_assert_msg(growth_kib < GROWTH_MAX_KIB, "%ld KiB more at the peak than before", growth_kib);
}

/* ---- bytes ---- */

static void send_all(const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(client, bytes, size, MSG_NOSIGNAL);
        ck_assert_int_gt(sent, 0);
        bytes += sent;
        size -= (size_t)sent;
    }
}

/* With its empty line, and nothing behind it. */
static const char *read_head(void)
{
    static char head[4096];
    size_t size = 0;

    while (size < 4 || memcmp(head + size - 4, "\r\n\r\n", 4) != 0) {
        ck_assert_uint_lt(size, sizeof head - 1);
        ck_assert_int_eq(recv(client, head + size, 1, 0), 1);
        size++;
    }
    head[size] = '\0';
    return head;
}

/* So many letters x. */
static void read_body(int64_t size)
{
    static char part[PART], wanted[PART];

    memset(wanted, 'x', sizeof wanted);
    while (size > 0) {
        ssize_t got = recv(client, part, sizeof part, 0);
        ck_assert_int_gt(got, 0);
        ck_assert_int_le(got, size);
        ck_assert_int_eq(memcmp(part, wanted, (size_t)got), 0);
        size -= got;
    }
}

/* ---- tests ---- */

/* It might be stored, but for its size. */
START_TEST(a_large_answer)
{
    char answer[200];

    snprintf(answer, sizeof answer,
             "HTTP/1.1 200 OK\r\nCache-Control: max-age=3600\r\nContent-Length: %lld\r\n\r\n",
             (long long)SIZE);
    scripted_origin_say(origin, &(struct origin_answer){.bytes = answer, .filler_size = SIZE});
    expect_status(http_get(stand.http, "/health", NULL), 200);
    connect_client();
    long before_kib = begin_peak();
    send_all("GET /open/down HTTP/1.1\r\nHost: a\r\n\r\n",
             strlen("GET /open/down HTTP/1.1\r\nHost: a\r\n\r\n"));
    ck_assert_ptr_nonnull(strstr(read_head(), " 200 OK\r\n"));
    read_body(SIZE);
    expect_flat(before_kib);
    close(client);
}
END_TEST

START_TEST(a_large_request)
{
    static char part[PART];
    char head[200];
    int size = snprintf(head, sizeof head,
                        "POST /open/up HTTP/1.1\r\nHost: a\r\nContent-Length: %lld\r\n\r\n",
                        (long long)SIZE);

    memset(part, 'x', sizeof part);
    expect_status(http_get(stand.http, "/health", NULL), 200);
    connect_client();
    long before_kib = begin_peak();
    send_all(head, (size_t)size);
    for (int64_t left = SIZE; left > 0; left -= PART)
        send_all(part, PART);
    ck_assert_ptr_nonnull(strstr(read_head(), " 200 OK\r\n"));
    expect_flat(before_kib);
    const struct origin_request *request = scripted_origin_request(origin, 0);
    ck_assert(!request->is_cut);
    ck_assert_int_eq(request->body_size, SIZE);
    close(client);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http/gateway_large");
    TCase *tcase = tcase_create("large");

    tcase_add_unchecked_fixture(tcase, open_stand, gateway_stand_close);
    tcase_add_checked_fixture(tcase, origin_open, origin_close);
    tcase_add_test(tcase, a_large_answer);
    tcase_add_test(tcase, a_large_request);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
