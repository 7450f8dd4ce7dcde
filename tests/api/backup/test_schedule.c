/* Which node makes a backup at which tick, by a clock that the test sets. */
#include "backup/schedule.h"

#include "backup/tick.h"
#include "cachewarden/clock.h"
#include "cachewarden/zone.h"
#include "log_capture.h"
#include "patience.h"
#include "suite.h"
#include "temp_folder.h"

#include <pthread.h>
#include <unistd.h>

/* 2026-01-31 00:00 */
#define MIDNIGHT INT64_C(1769817600)
#define HOUR_S   INT64_C(3600)
#define TEN_DAYS (INT64_C(10) * 24 * HOUR_S)

static struct temp_folder folder;
static char url[300];

/* ---- the clock ---- */

static _Atomic int64_t now_s, up_ns;

static int64_t wall(void)
{
    return atomic_load(&now_s);
}

static int64_t mono(void)
{
    return atomic_load(&up_ns);
}

static void set_clock(int64_t wall_s)
{
    atomic_store(&now_s, wall_s);
}

static void pass(int64_t seconds)
{
    atomic_fetch_add(&now_s, seconds);
    atomic_fetch_add(&up_ns, seconds * NS_PER_S);
}

/* ---- nodes ---- */

struct node {
    struct users *users;
    struct backup_schedule *schedule;
    _Atomic int made, cleaned, tried, begun, learnt;
    int failures_left;
    /* What happens in the middle of it. */
    void (*meanwhile)(struct node *node, const _Atomic bool *is_stopping);
};

static enum err make(void *arg, const _Atomic bool *is_stopping, struct error *error)
{
    struct node *node = arg;

    atomic_fetch_add(&node->tried, 1);
    if (node->meanwhile)
        node->meanwhile(node, is_stopping);
    if (atomic_load(is_stopping))
        return error_set(error, ERR_BUSY, "stopping");
    if (node->failures_left > 0) {
        node->failures_left--;
        return error_set(error, ERR_UPSTREAM_DOWN, "redis is away");
    }
    atomic_fetch_add(&node->made, 1);
    return ERR_OK;
}

static enum err clean_up(void *arg, const _Atomic bool *is_stopping, size_t *removed_out,
                         struct error *error)
{
    struct node *node = arg;

    (void)is_stopping;
    (void)error;
    atomic_fetch_add(&node->cleaned, 1);
    *removed_out = 0;
    return ERR_OK;
}

static void begin(void *arg)
{
    struct node *node = arg;

    atomic_fetch_add(&node->begun, 1);
}

static void learn(void *arg, struct arena *arena)
{
    struct node *node = arg;

    ck_assert_ptr_nonnull(arena);
    atomic_fetch_add(&node->learnt, 1);
}

static void start_node_at(struct node *node, const char *expression)
{
    struct error error = {0};
    struct backup_schedule_options options = {
        .work = {.make = make, .clean_up = clean_up, .begin = begin, .learn = learn, .arg = node},
        .offset = zone_offset_s,
        .words = str_from(expression),
        .wall_s = wall,
        .mono_ns = mono,
        .beat_ms = 1,
    };

    ck_assert_int_eq(users_open(str_from(url), &node->users, &error), ERR_OK);
    options.users = node->users;
    ck_assert_int_eq(cron_parse(str_from(expression), &options.cron, &error), ERR_OK);
    ck_assert_int_eq(backup_schedule_new(&options, &node->schedule, &error), ERR_OK);
}

static void start_node(struct node *node)
{
    start_node_at(node, "0 * * * *");
}

static void stop_node(struct node *node)
{
    backup_schedule_free(&node->schedule);
    users_close(&node->users);
}

/* A round after a rest; what is lost to another node is looked at again. */
static int64_t look(struct node *node)
{
    int64_t rest_ms = backup_schedule_round(node->schedule);

    ck_assert_int_ge(rest_ms, 0);
    ck_assert_int_le(rest_ms, SCHEDULE_REST_MS);
    return rest_ms;
}

static void expect_runs(struct node *node, int made, const char *when)
{
    look(node);
    ck_assert_msg(atomic_load(&node->made) == made, "%s: %d, not %d", when,
                  atomic_load(&node->made), made);
}

static void put_tick(struct node *node, int64_t at_s, enum tick_state state, int64_t attempt,
                     int64_t beat)
{
    struct tick tick = {.at_s = at_s, .state = state, .attempt = attempt, .beat = beat};
    char text[TICK_TEXT_SIZE];
    struct error error = {0};

    snprintf(tick.node, sizeof tick.node, "another");
    snprintf(tick.schedule, sizeof tick.schedule, "0 * * * *");
    ck_assert_int_eq(
        users_fact_set(node->users, STR("backup_tick"), tick_write(&tick, text), &error), ERR_OK);
}

static struct tick standing(struct node *node)
{
    struct arena *arena = arena_new(1024, 0);
    struct error error = {0};
    struct tick tick;
    struct str text;

    ck_assert_int_eq(tick_find(node->users, arena, &text, &tick, &error), ERR_OK);
    arena_free(&arena);
    return tick;
}

static void open_case(void)
{
    temp_folder_init(&folder);
    snprintf(url, sizeof url, "sqlite:%s/users.db", folder.path);
    set_clock(MIDNIGHT + 60);
    atomic_store(&up_ns, NS_PER_S);
}

static void close_case(void)
{
    temp_folder_fini(&folder);
}

/* ---- one node ---- */

START_TEST(each_tick_is_done_once)
{
    struct node node = {0};

    start_node(&node);
    expect_runs(&node, 0, "at the first start nothing was missed");
    ck_assert_int_eq(look(&node), SCHEDULE_REST_MS);
    ck_assert_int_eq(atomic_load(&node.begun), 1);
    ck_assert_int_eq(atomic_load(&node.learnt), 0);
    pass(HOUR_S - 90);
    ck_assert_int_eq(look(&node), 30000); /* as long as it takes */
    pass(30);
    expect_runs(&node, 1, "at the tick");
    expect_runs(&node, 1, "once");
    ck_assert_int_eq(standing(&node).state, TICK_DONE);
    for (int i = 2; i < 6; i++) {
        pass(HOUR_S);
        expect_runs(&node, i, "at each");
    }
    ck_assert_int_eq(atomic_load(&node.cleaned), 5);
    ck_assert_int_eq(atomic_load(&node.begun), 1);
    ck_assert_int_eq(atomic_load(&node.learnt), 5); /* nobody is asked between ticks */
    stop_node(&node);
}
END_TEST

START_TEST(what_was_missed_is_done_once_at_the_start)
{
    struct node node = {0}, later = {0};

    start_node(&node);
    look(&node);
    stop_node(&node);
    pass(5 * HOUR_S);
    start_node(&later);
    log_capture_start();
    expect_runs(&later, 1, "five ticks were missed");
    char *log = log_capture_end();
    ck_assert_ptr_nonnull(strstr(log, "event=backup.missed"));
    ck_assert_ptr_nonnull(strstr(log, "tick=2026-01-31T05:00:00.000Z"));
    free(log);
    expect_runs(&later, 1, "once");
    stop_node(&later);
    pass(60);
    start_node(&later);
    expect_runs(&later, 1, "it stays done");
    stop_node(&later);
}
END_TEST

START_TEST(what_fails_is_tried_again_a_few_times)
{
    static const int64_t pauses_s[] = {60, 300, 900};
    struct node node = {.failures_left = 4};

    start_node(&node);
    look(&node);
    pass(HOUR_S);
    look(&node);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(standing(&node).state, TICK_FAILED);
        pass(pauses_s[i] - 1);
        look(&node);
        ck_assert_int_eq(atomic_load(&node.tried), i + 1);
        pass(1);
        look(&node);
        ck_assert_int_eq(atomic_load(&node.tried), i + 2);
    }
    pass(1800); /* before the next tick */
    look(&node);
    ck_assert_int_eq(atomic_load(&node.tried), SCHEDULE_ATTEMPTS);
    pass(HOUR_S);
    expect_runs(&node, 1, "the next tick is another one");
    stop_node(&node);
}
END_TEST

START_TEST(a_clock_that_is_set_back_brings_no_tick_twice)
{
    struct node node = {0};

    start_node(&node);
    look(&node);
    pass(3 * HOUR_S);
    expect_runs(&node, 1, "at the tick");
    set_clock(MIDNIGHT + HOUR_S / 2);
    for (int i = 0; i < 2; i++) {
        pass(HOUR_S);
        expect_runs(&node, 1, "it was done before");
    }
    pass(2 * HOUR_S);
    expect_runs(&node, 2, "it is new");
    /* Set far ahead by mistake, and back: the ticks of now are not forgotten for so long. */
    set_clock(MIDNIGHT + TEN_DAYS);
    expect_runs(&node, 3, "ahead");
    set_clock(MIDNIGHT + 6 * HOUR_S);
    expect_runs(&node, 3, "back");
    pass(HOUR_S);
    expect_runs(&node, 4, "at the next tick");
    stop_node(&node);
}
END_TEST

START_TEST(another_schedule_begins_anew)
{
    struct node node = {0}, changed = {0};

    start_node(&node);
    look(&node);
    stop_node(&node);
    pass(2 * HOUR_S);
    start_node_at(&changed, "30 * * * *");
    expect_runs(&changed, 0, "nothing of the other one was missed");
    ck_assert_int_eq(atomic_load(&changed.begun), 1);
    pass(HOUR_S / 2);
    expect_runs(&changed, 1, "at its tick");
    stop_node(&changed);
}
END_TEST

START_TEST(what_makes_no_sense_is_written_anew)
{
    struct node node = {0};
    struct error error = {0};

    start_node(&node);
    ck_assert_int_eq(
        users_fact_set(node.users, STR("backup_tick"), STR("of another program"), &error), ERR_OK);
    expect_runs(&node, 0, "it begins there");
    ck_assert_int_eq(standing(&node).at_s, MIDNIGHT);
    pass(HOUR_S);
    expect_runs(&node, 1, "at the tick");
    stop_node(&node);
}
END_TEST

/* ---- one that ends ---- */

static void wait_for_stop(struct node *node, const _Atomic bool *is_stopping)
{
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);

    (void)node;
    while (!atomic_load(is_stopping) && clock_mono_ns() < deadline_ns)
        usleep(1000);
    ck_assert(atomic_load(is_stopping));
}

static void *stop_when_it_works(void *arg)
{
    struct node *node = arg;

    while (atomic_load(&node->tried) == 0)
        usleep(1000);
    backup_schedule_free(&node->schedule);
    return NULL;
}

START_TEST(a_stop_ends_it_and_the_next_node_does_it_at_once)
{
    struct node node = {.meanwhile = wait_for_stop}, next = {0};
    struct error error = {0};
    pthread_t stopper;

    start_node(&node);
    look(&node);
    pass(HOUR_S);
    ck_assert_int_eq(backup_schedule_start(node.schedule, &error), ERR_OK);
    ck_assert_int_eq(pthread_create(&stopper, NULL, stop_when_it_works, &node), 0);
    pthread_join(stopper, NULL);
    ck_assert_int_eq(standing(&node).state, TICK_LEFT);
    users_close(&node.users);
    start_node(&next);
    expect_runs(&next, 1, "the tick that was left");
    ck_assert_int_eq(standing(&next).attempt, 1);
    stop_node(&next);
}
END_TEST

START_TEST(a_node_that_dies_loses_its_tick)
{
    struct node node = {0};

    start_node(&node);
    look(&node);
    pass(HOUR_S);
    put_tick(&node, MIDNIGHT + HOUR_S, TICK_RUNNING, 1, 7);
    expect_runs(&node, 0, "another one works on it");
    pass(59);
    put_tick(&node, MIDNIGHT + HOUR_S, TICK_RUNNING, 1, 8);
    expect_runs(&node, 0, "nothing is due");
    pass(1);
    expect_runs(&node, 0, "it said that it lives");
    pass(59);
    expect_runs(&node, 0, "not yet");
    pass(1);
    expect_runs(&node, 1, "it has been silent for a minute");
    ck_assert_int_eq(standing(&node).attempt, 2);
    stop_node(&node);
}
END_TEST

/* What kills every node that touches it is left alone in the end. */
START_TEST(a_tick_that_kills_is_given_up)
{
    struct node node = {0};

    start_node(&node);
    look(&node);
    pass(HOUR_S);
    put_tick(&node, MIDNIGHT + HOUR_S, TICK_RUNNING, SCHEDULE_ATTEMPTS, 7);
    look(&node);
    pass(HOUR_S / 2);
    expect_runs(&node, 0, "it was tried often enough");
    pass(HOUR_S / 2);
    expect_runs(&node, 1, "the next tick");
    stop_node(&node);
}
END_TEST

static void be_overtaken(struct node *node, const _Atomic bool *is_stopping)
{
    put_tick(node, MIDNIGHT + HOUR_S, TICK_RUNNING, 2, 1);
    wait_for_stop(node, is_stopping);
}

START_TEST(who_has_lost_the_tick_gives_up)
{
    struct node node = {.meanwhile = be_overtaken};

    start_node(&node);
    look(&node);
    pass(HOUR_S);
    expect_runs(&node, 0, "it is another's");
    ck_assert_str_eq(standing(&node).node, "another");
    ck_assert_int_eq(standing(&node).state, TICK_RUNNING);
    stop_node(&node);
}
END_TEST

/* ---- two ---- */

struct runner {
    struct node node;
    pthread_barrier_t *tick;
    int rounds;
};

static void *run_rounds(void *arg)
{
    struct runner *runner = arg;

    for (int i = 0; i < runner->rounds; i++) {
        pthread_barrier_wait(runner->tick);
        for (int j = 0; j < 3; j++)
            look(&runner->node);
        pthread_barrier_wait(runner->tick);
    }
    return NULL;
}

/* Both wake at the same moment, each with its own connections. */
START_TEST(of_two_nodes_one_has_the_tick)
{
    enum { NODES = 2, TICKS = 40 };
    struct runner runners[NODES] = {0};
    pthread_t threads[NODES];
    pthread_barrier_t tick;

    pthread_barrier_init(&tick, NULL, NODES + 1);
    for (int i = 0; i < NODES; i++) {
        runners[i].tick = &tick;
        runners[i].rounds = TICKS;
        start_node(&runners[i].node);
        look(&runners[i].node);
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run_rounds, &runners[i]), 0);
    }
    for (int i = 1; i <= TICKS; i++) {
        pass(HOUR_S);
        pthread_barrier_wait(&tick);
        pthread_barrier_wait(&tick);
        int made = 0;
        for (int j = 0; j < NODES; j++)
            made += atomic_load(&runners[j].node.made);
        ck_assert_int_eq(made, i);
    }
    for (int i = 0; i < NODES; i++) {
        pthread_join(threads[i], NULL);
        stop_node(&runners[i].node);
    }
    pthread_barrier_destroy(&tick);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/backup/schedule");
    TCase *tcase = tcase_create("schedule");

    tcase_add_checked_fixture(tcase, open_case, close_case);
    tcase_add_test(tcase, each_tick_is_done_once);
    tcase_add_test(tcase, what_was_missed_is_done_once_at_the_start);
    tcase_add_test(tcase, what_fails_is_tried_again_a_few_times);
    tcase_add_test(tcase, a_clock_that_is_set_back_brings_no_tick_twice);
    tcase_add_test(tcase, another_schedule_begins_anew);
    tcase_add_test(tcase, what_makes_no_sense_is_written_anew);
    tcase_add_test(tcase, a_stop_ends_it_and_the_next_node_does_it_at_once);
    tcase_add_test(tcase, a_node_that_dies_loses_its_tick);
    tcase_add_test(tcase, a_tick_that_kills_is_given_up);
    tcase_add_test(tcase, who_has_lost_the_tick_gives_up);
    tcase_add_test(tcase, of_two_nodes_one_has_the_tick);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
