/* What is stale is fetched anew in the order in which it was asked for, and no route keeps the others from it. */
#include "gateway_case.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

static void open_stand(void)
{
    gateway_stand_open("{ prefix = \"/slow\"; scope = \"public\"; UPSTREAM },\n"
                       "{ prefix = \"/quick\"; scope = \"public\"; UPSTREAM }",
                       "limits: { enabled = false; };");
}

enum { SLOW = 8, AT_ONCE = 2, PATHS = SLOW + 1, QUICK = SLOW };

/* How often each was asked for; and those that were fetched anew, as they came. */
static atomic_int asked[PATHS];
static atomic_int refreshed[PATHS];
static atomic_int refreshed_count;
static sem_t has_come, may_go[PATHS];

static const char *path_of(int number)
{
    static char path[32];

    snprintf(path, sizeof path, number == QUICK ? "/quick/%d" : "/slow/%d", number);
    return path;
}

/* The second answer to each waits until it may go. */
static char *answer(void *arg, const struct origin_request *request)
{
    const char *slash = strchr(strchr(request->head, '/') + 1, '/');
    int number = slash[1] - '0';

    (void)arg;
    if (atomic_fetch_add(&asked[number], 1) > 0) {
        atomic_store(&refreshed[atomic_fetch_add(&refreshed_count, 1)], number);
        sem_post(&has_come);
        sem_wait(&may_go[number]);
    }
    return strdup(OK_WITH("Cache-Control: max-age=0, stale-while-revalidate=3600\r\n"
                          "Content-Length: 1\r\n",
                          "x"));
}

static void open_origin(void)
{
    sem_init(&has_come, 0, 0);
    for (int i = 0; i < PATHS; i++)
        sem_init(&may_go[i], 0, 0);
    unlink(origin_socket);
    origin = scripted_origin_start(
        &(struct scripted_origin_options){.unix_path = origin_socket, .answer = answer});
}

static bool has_refreshed(int number, int count)
{
    for (int i = 0; i < count; i++)
        if (atomic_load(&refreshed[i]) == number)
            return true;
    return false;
}

static void await(int count)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_MS / 1000;
    while (atomic_load(&refreshed_count) < count)
        ck_assert_msg(sem_timedwait(&has_come, &until) == 0, "%d of %d were fetched anew",
                      atomic_load(&refreshed_count), count);
}

START_TEST(in_order_and_beside_a_slow_route)
{
    for (int i = 0; i < PATHS; i++)
        expect_header(http_get(stand.http, path_of(i), NULL), "X-Cache", "MISS");
    for (int i = 0; i < PATHS; i++)
        expect_header(http_get(stand.http, path_of(i), NULL), "X-Cache", "STALE");
    /* Two of the slow ones are under way; the quick one does not wait for them. */
    await(AT_ONCE + 1);
    for (int i = 0; i < AT_ONCE; i++)
        ck_assert_msg(has_refreshed(i, AT_ONCE + 1), "not %d", i);
    ck_assert(has_refreshed(QUICK, AT_ONCE + 1));
    sem_post(&may_go[QUICK]);
    /* One for one: whenever one of the slow ones is done, the one that has waited for longest comes. */
    for (int i = 0; i + AT_ONCE < SLOW; i++) {
        sem_post(&may_go[i]);
        await(AT_ONCE + 1 + i + 1);
        ck_assert_int_eq(atomic_load(&refreshed[AT_ONCE + 1 + i]), AT_ONCE + i);
    }
    for (int i = SLOW - AT_ONCE; i < SLOW; i++)
        sem_post(&may_go[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http/gateway_refresh");
    TCase *tcase = tcase_create("order");

    tcase_add_unchecked_fixture(tcase, open_stand, gateway_stand_close);
    tcase_add_checked_fixture(tcase, open_origin, origin_close);
    tcase_add_test(tcase, in_order_and_beside_a_slow_route);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
