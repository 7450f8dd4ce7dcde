/* What the tests of connections without a thread share: a server whose deadlines are far away, and workers
 * that are busy for as long as a test wants. */
#ifndef TESTS_CIVETWEB_WAITING_CASE_H
#define TESTS_CIVETWEB_WAITING_CASE_H

#include "echo_server.h"

#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"

/* Nobody's time is over before the test is. */
static inline void start_patient(void)
{
    start_with("60000", "60000");
}

static inline void await_holders(int count)
{
    int64_t start_ms = now_ms();

    while (__atomic_load_n(&holders, __ATOMIC_SEQ_CST) != count) {
        ck_assert_int_lt(now_ms() - start_ms, PATIENCE_MS);
        poll(NULL, 0, 1);
    }
}

/* All workers are in the middle of a request, one after the other, until let_go. */
static inline void keep_busy(struct raw *busy[WORKERS])
{
    __atomic_store_n(&held_back, WORKERS, __ATOMIC_SEQ_CST);
    for (int i = 0; i < WORKERS; i++) {
        busy[i] = raw_open(port);
        raw_print(busy[i], "GET /hold HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
        await_holders(i + 1);
    }
}

/* But so many. */
static inline void let_go_but(int count)
{
    __atomic_store_n(&held_back, count, __ATOMIC_SEQ_CST);
}

static inline void let_go(struct raw *busy[WORKERS])
{
    let_go_but(0);
    for (int i = 0; i < WORKERS; i++) {
        expect(busy[i], "", 200, "GET /hold");
        raw_close(&busy[i]);
    }
}

#endif
