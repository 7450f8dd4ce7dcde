/*
 * Threads clear and look on two nodes while Redis suffers one disaster after the other, chosen by a
 * seed that is printed (CW_SEED sets it). Every version shown is written down with when the call
 * began and ended. Afterwards, for each user: no two clears were shown the same version, and no call
 * was shown a lower one than a call that had ended before it began. Between two disasters sums are
 * taken: a version has risen by as much as there were clears of it and of all, and no call failed; or,
 * where connections were cut but nothing was lost, by those that may have happened besides.
 */
#include "two_nodes.h"

#include "cachewarden/control.h"
#include "patience.h"
#include "sanitized.h"
#include "suite.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

enum {
    DISASTERS = IS_SANITIZED ? 25 : 100,
    THREADS = 6,
    USERS = 3,
    RECORDS_MAX = 400000,
    CALLS_BETWEEN = 60,
    PAUSE_US = 300,
    CLEAR_ALL_EVERY = 16,
    SUM_EVERY = 3 /* disasters */
};

struct record {
    int64_t began_ns, ended_ns, version, user_id;
    bool is_clear;
};

struct player {
    pthread_t thread;
    int node;
    unsigned seed;
    struct record *records;
    size_t count;
};

static const char *const persistent[] = {"--appendonly", "no", "--dbfilename", "kept.rdb", NULL};
static atomic_bool is_over, is_paused;
static atomic_uint playing, calls; /* calls: that were shown a version */
/* Since the last sum; user 0 stands for all. Uncertain ones have failed, too. */
static atomic_uint cleared[USERS + 1], uncertain[USERS + 1], failed;

static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1103515245U + 12345U;
    return *seed >> 16;
}

static void count(enum err err, int64_t user_id, bool is_clear)
{
    if (err != ERR_OK)
        atomic_fetch_add(&failed, 1);
    if (is_clear && err == ERR_OK)
        atomic_fetch_add(&cleared[user_id], 1);
    if (err == ERR_UNCERTAIN) {
        ck_assert(is_clear); /* who only looks has changed nothing for certain */
        atomic_fetch_add(&uncertain[user_id], 1);
    }
}

static void clear_everybody(struct app *app, struct arena *own)
{
    int64_t epoch;
    struct error error = {0};
    count(
        control_clear_all(app, (struct work){own, clock_deadline_ns(PATIENCE_MS), &error}, &epoch),
        0, true);
}

/* What fails shows nothing: it is not a record, whatever it did. */
static void play_once(struct player *player, struct arena *own)
{
    struct app *app = nodes[player->node].app;
    struct record record = {.user_id = 1 + next_random(&player->seed) % USERS,
                            .is_clear = next_random(&player->seed) % 2};
    struct cache_state state;
    struct error error;
    error_clear(&error);
    if (next_random(&player->seed) % CLEAR_ALL_EVERY == 0)
        clear_everybody(app, own);
    record.began_ns = clock_mono_ns();
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);
    enum err err = record.is_clear ? control_clear(app, (struct work){own, deadline_ns, &error},
                                                   record.user_id, &state)
                                   : control_status(app, (struct work){own, deadline_ns, &error},
                                                    record.user_id, NULL, &state);
    record.ended_ns = clock_mono_ns();
    record.version = state.version;
    count(err, record.user_id, record.is_clear);
    if (err != ERR_OK || player->count == RECORDS_MAX / THREADS)
        return;
    player->records[player->count++] = record;
    atomic_fetch_add(&calls, 1);
}

static void *play(void *arg)
{
    struct player *player = arg;
    struct arena *own = arena_new(16384, 0);
    while (!atomic_load(&is_over)) {
        atomic_fetch_add(&playing, 1);
        if (!atomic_load(&is_paused))
            play_once(player, own);
        atomic_fetch_sub(&playing, 1);
        arena_reset(own);
        usleep(atomic_load(&is_paused) ? 5000 : PAUSE_US);
    }
    arena_free(&own);
    return NULL;
}

/* ---- disasters ---- */

static void forget_copy(void)
{
    char path[300];
    snprintf(path, sizeof path, "%s/kept.rdb", redis_server_directory(redis));
    unlink(path);
}

static const char *strike(unsigned *seed)
{
    switch (next_random(seed) % 7) {
    case 0:
        redis_server_do(redis, "FLUSHALL");
        return "FLUSHALL";
    case 1:
        redis_server_restart(redis);
        return "killed, and back with whatever was saved last";
    case 2:
        redis_server_do(redis, "SAVE");
        return "a copy is saved";
    case 3:
        forget_copy();
        redis_server_restart(redis);
        return "killed, and back empty";
    case 4:
        redis_server_do(redis, "HDEL cw:dataset epoch");
        return "the epoch is deleted";
    case 5:
        redis_server_do(redis, "HSET cw:dataset epoch 9223372036854775807");
        return "the epoch is beyond belief";
    default:
        redis_server_do(redis, "DEL cw:dataset");
        return "the dataset is deleted";
    }
}

static void await_calls(unsigned more)
{
    unsigned wanted = atomic_load(&calls) + more;
    int64_t give_up_ns = clock_deadline_ns(PATIENCE_MS);
    while (atomic_load(&calls) < wanted) {
        ck_assert_msg(clock_mono_ns() < give_up_ns, "nobody is shown anything any more");
        usleep(500);
    }
}

/* ---- sums ---- */

static void pause_players(void)
{
    int64_t give_up_ns = clock_deadline_ns(PATIENCE_MS);
    atomic_store(&is_paused, true);
    while (atomic_load(&playing) > 0) {
        ck_assert_msg(clock_mono_ns() < give_up_ns, "a call does not end");
        usleep(500);
    }
}

/* Both nodes have got over the last disaster. */
static void await_recovery(void)
{
    for (int node = 0; node < 2; node++) {
        int64_t give_up_ns = clock_deadline_ns(PATIENCE_MS);
        struct error error = {0};
        while (version_guard_reconcile(nodes[node].app->guard, VERSION_GUARD_REPAIRS,
                                       (struct work){.deadline_ns = soon(), .error = &error}) !=
               ERR_OK) {
            ck_assert_msg(clock_mono_ns() < give_up_ns, "%s %s", error.caller, error.detail);
            usleep(500);
        }
    }
}

/* On data that is not lost. */
static void judge_sums(bool are_cut)
{
    int64_t before[USERS + 1];
    pause_players();
    await_recovery();
    for (int64_t user_id = 1; user_id <= USERS; user_id++)
        before[user_id] = version_on(0, user_id);
    for (int i = 0; i <= USERS; i++) {
        atomic_store(&cleared[i], 0);
        atomic_store(&uncertain[i], 0);
    }
    atomic_store(&failed, 0);
    atomic_store(&is_paused, false);
    await_calls(CALLS_BETWEEN);
    if (are_cut) {
        redis_server_do(redis, "CLIENT KILL TYPE normal SKIPME yes");
        await_calls(CALLS_BETWEEN);
    }
    pause_players();
    await_recovery();
    for (int64_t user_id = 1; user_id <= USERS; user_id++) {
        int64_t risen = version_on(1, user_id) - before[user_id];
        int64_t least = atomic_load(&cleared[user_id]) + atomic_load(&cleared[0]);
        int64_t most = least + atomic_load(&uncertain[user_id]) + atomic_load(&uncertain[0]);
        ck_assert_msg(risen >= least && risen <= most, "user %lld: %lld clears raised by %lld",
                      (long long)user_id, (long long)least, (long long)risen);
    }
    ck_assert_msg(are_cut || atomic_load(&failed) == 0, "%u calls failed", atomic_load(&failed));
    arena_reset(arena);
    atomic_store(&is_paused, false);
}

/* ---- the judgement ---- */

static int by_end(const void *a, const void *b)
{
    const struct record *left = a, *right = b;
    return (left->ended_ns > right->ended_ns) - (left->ended_ns < right->ended_ns);
}

static int by_beginning(const void *a, const void *b)
{
    const struct record *left = a, *right = b;
    return (left->began_ns > right->began_ns) - (left->began_ns < right->began_ns);
}

static int by_version(const void *a, const void *b)
{
    const struct record *left = a, *right = b;
    return (left->version > right->version) - (left->version < right->version);
}

static size_t take_user(struct player *players, int64_t user_id, bool only_clears,
                        struct record *out)
{
    size_t count = 0;
    for (int t = 0; t < THREADS; t++)
        for (size_t i = 0; i < players[t].count; i++)
            if (players[t].records[i].user_id == user_id &&
                (players[t].records[i].is_clear || !only_clears))
                out[count++] = players[t].records[i];
    return count;
}

static size_t judge_repeats(struct player *players, int64_t user_id, struct record *records)
{
    size_t count = take_user(players, user_id, true, records);
    qsort(records, count, sizeof *records, by_version);
    for (size_t i = 1; i < count; i++)
        ck_assert_msg(records[i].version != records[i - 1].version,
                      "user %lld: two clears were shown %lld", (long long)user_id,
                      (long long)records[i].version);
    return count;
}

/* The highest version of all calls that had ended when each one began. */
static void judge_order(struct player *players, int64_t user_id, struct record *records,
                        struct record *ended)
{
    size_t count = take_user(players, user_id, false, records), past = 0;
    memcpy(ended, records, count * sizeof *records);
    qsort(records, count, sizeof *records, by_beginning);
    qsort(ended, count, sizeof *ended, by_end);
    int64_t highest = 0;
    for (size_t i = 0; i < count; i++) {
        for (; past < count && ended[past].ended_ns < records[i].began_ns; past++)
            if (ended[past].version > highest)
                highest = ended[past].version;
        /* A clear makes a version that is higher than any that was there before it. */
        ck_assert_msg(records[i].version >= highest + records[i].is_clear,
                      "user %lld: a %s was shown %lld after %lld had been shown",
                      (long long)user_id, records[i].is_clear ? "clear" : "look",
                      (long long)records[i].version, (long long)highest);
    }
}

static unsigned choose_seed(void)
{
    const char *given = getenv("CW_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)clock_mono_ns();
    printf("CW_SEED=%u, %d disasters\n", seed, DISASTERS);
    fflush(stdout);
    return seed;
}

START_TEST(no_version_repeats_or_falls)
{
    struct player players[THREADS] = {0};
    unsigned seed = choose_seed();
    int64_t began_ns = clock_mono_ns();
    redis = redis_server_start(&(struct redis_server_options){.args = persistent});
    open_two(true);
    for (int t = 0; t < THREADS; t++) {
        players[t] = (struct player){.node = t % 2, .seed = seed + (unsigned)t * 7919U};
        players[t].records = calloc(RECORDS_MAX / THREADS, sizeof(struct record));
        ck_assert_ptr_nonnull(players[t].records);
        ck_assert_int_eq(pthread_create(&players[t].thread, NULL, play, &players[t]), 0);
    }
    for (int i = 0; i < DISASTERS; i++) {
        await_calls(CALLS_BETWEEN);
        printf("%3d: %s\n", i, strike(&seed));
        if (i % SUM_EVERY == 0)
            judge_sums(i / SUM_EVERY % 2);
    }
    await_calls(CALLS_BETWEEN);
    atomic_store(&is_over, true);
    for (int t = 0; t < THREADS; t++)
        pthread_join(players[t].thread, NULL);

    struct record *records = calloc(RECORDS_MAX, sizeof *records);
    struct record *ended = calloc(RECORDS_MAX, sizeof *ended);
    size_t clears = 0;
    for (int64_t user_id = 1; user_id <= USERS; user_id++) {
        clears += judge_repeats(players, user_id, records);
        judge_order(players, user_id, records, ended);
    }
    printf("%u versions shown, %zu of clears, in %lld ms\n", atomic_load(&calls), clears,
           (long long)((clock_mono_ns() - began_ns) / NS_PER_MS));
    ck_assert_uint_gt(clears, DISASTERS * 10);
    free(records);
    free(ended);
    for (int t = 0; t < THREADS; t++)
        free(players[t].records);
    close_two();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/control/history");
    TCase *tcase = tcase_create("history");
    tcase_add_test(tcase, no_version_repeats_or_falls);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
