/*
 * Many read, fill, clear, switch, count and delete the same few entries on two nodes at once, while Redis is killed and
 * comes back with its data or without, or loses its connections. All of it is chosen by a seed that is printed
 * (CW_SEED sets it), and written down; then it is judged (entry_history.h). CW_HISTORY names a file for the events of
 * a history that is refused.
 */
#include "entries_case.h"
#include "entry_history.h"
#include "sanitized.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

enum {
    STEPS = IS_SANITIZED ? 3000 : 15000, /* of each test; what failed is none */
    DISASTERS = IS_SANITIZED ? 10 : 30,
    PLAYERS = 6,
    EVENTS_MAX = 40000, /* of a player */
    LIFE_S = 86400,
    /* Who is killed in their turn leaves it to those who wait, until their time was over. */
    TURN_MS = 4000
};

/* The first account has a switch; it is player 0 who uses it. */
static const struct namespace *const spaces[] = {&alice, &bob, &shop};
enum { SPACES = 3, SWITCHED = 0 };
/* The first for values, the second for counts, the third for both. */
static const char *const labels[] = {"text", "count", "both"};
static const struct str model_names[] = {{"Product", 7}, {"Order", 5}};
enum { LABELS = 3, TEXT = 0, COUNT = 1, MODELS_COUNT = 2, ALL_MODELS = 3 };

struct player {
    pthread_t thread;
    int number;
    uint64_t state;
    struct arena *arena;
    struct error error;
    struct history_event *events;
    size_t count;
    int64_t steps_until_switch;
    bool is_off;
};

static atomic_bool is_over, is_struck;
static _Atomic int64_t values, steps;
static _Atomic unsigned weather;

static unsigned draw_from(uint64_t *state, unsigned bound)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (unsigned)(*state >> 33) % bound;
}

static unsigned draw(struct player *player, unsigned bound)
{
    return draw_from(&player->state, bound);
}

/* ---- one step ---- */

static struct entry_request request_of(struct player *player, int space, const char *label,
                                       unsigned models)
{
    struct str *names = arena_calloc(player->arena, MODELS_COUNT, sizeof *names);
    struct entry_request request = {.app = nodes[draw(player, 2)].app,
                                    .work = {player->arena, in_time(), &player->error},
                                    .space = *spaces[space],
                                    .label = str_from(label),
                                    .models = names};

    for (int i = 0; i < MODELS_COUNT; i++)
        if (models >> i & 1)
            names[request.model_count++] = model_names[i];
    error_clear(&player->error);
    return request;
}

/* What it fails with is unknown to have happened, but for what says that nothing has changed. */
static void note(struct player *player, struct history_event event, enum err err)
{
    bool is_refusal = err == ERR_PRECONDITION || err == ERR_CONFLICT;

    event.ended = clock_mono_ns();
    event.outcome = HISTORY_UNKNOWN;
    if (err == ERR_OK || is_refusal) {
        event.outcome = is_refusal ? HISTORY_REFUSED : HISTORY_DONE;
        steps++;
    }
    if (player->count < EVENTS_MAX && (event.kind != HISTORY_READ || err == ERR_OK))
        player->events[player->count++] = event;
    while (err != ERR_OK && is_struck && !is_over)
        usleep(1000);
}

static struct history_event begin(enum history_kind kind, int space, int label)
{
    return (struct history_event){
        .kind = kind, .space = space, .label = label, .is_enabled = true, .began = clock_mono_ns()};
}

static enum err read_on(struct player *player, struct history_event *event, unsigned models,
                        struct str *lease_out)
{
    struct entry_request request = request_of(player, event->space, labels[event->label], models);
    struct entry_found found;

    request.wait_ms = draw(player, 8) == 0 ? 5 : 0;
    enum err err = entries_get(&request, &found);
    if (err == ERR_OK) {
        event->is_enabled = found.is_enabled;
        event->is_counter = found.is_hit && found.body.ptr[0] != 'v';
        if (found.is_hit &&
            !str_to_int64(str_sub(found.body, !event->is_counter, 20), 0, INT64_MAX, &event->value))
            event->value = INT64_MAX; /* that nobody has stored */
        *lease_out = found.lease;
    }
    note(player, *event, err);
    return err;
}

static void fill_on(struct player *player, struct history_event event, struct str lease)
{
    struct entry_request request =
        request_of(player, event.space, labels[event.label], event.models);
    struct entry_stored stored;
    char text[STR_INT64_SIZE + 1] = "v";

    event.value = ++values;
    size_t len =
        event.is_counter ? str_of_int64(text, 5).len : 1 + str_of_int64(text + 1, event.value).len;
    const struct entry_fill fill = {.lease = lease,
                                    .ttl_s = LIFE_S,
                                    .body = {text, len},
                                    .only_if_absent = event.only_if_absent};
    if (event.only_if_absent)
        request.work.deadline_ns = clock_deadline_ns(TURN_MS);
    event.began = clock_mono_ns();
    enum err err = entries_put(&request, &fill, &stored);
    if (err == ERR_OK) {
        event.is_enabled = stored.is_enabled;
        event.is_void = stored.is_void;
    }
    note(player, event, err);
}

/* One in two fills with the lease of a read, and takes its time. */
static void fill_somehow(struct player *player, int space, int label, bool only_if_absent)
{
    struct history_event event = begin(HISTORY_FILL, space, label);
    struct str lease = STR_NONE;
    unsigned named = draw(player, ALL_MODELS + 1);

    event.only_if_absent = only_if_absent;
    event.is_counter = label != TEXT && draw(player, label == COUNT ? 1 : 6) == 0;
    event.models = event.is_counter ? 0 : draw(player, ALL_MODELS + 1);
    if (draw(player, 2) == 0) {
        struct history_event read = begin(HISTORY_READ, space, label);
        if (read_on(player, &read, named, &lease) != ERR_OK)
            return;
        for (unsigned i = draw(player, 20); i > 0; i--)
            sched_yield();
    }
    if (lease.len > 0) {
        event.leased_at = clock_mono_ns(); /* it was read before */
        event.leased = named;
        event.models = event.is_counter || draw(player, 4) == 0 ? event.models : named;
    }
    fill_on(player, event, lease);
}

static void count_on(struct player *player, int space, int label)
{
    struct history_event event = begin(HISTORY_INCREMENT, space, label);
    struct entry_request request = request_of(player, space, labels[label], 0);
    bool is_enabled;

    event.by = 1 + draw(player, 3);
    enum err err = entries_increment(&request, event.by, LIFE_S, &event.value, &is_enabled);
    event.is_enabled = err != ERR_OK || is_enabled;
    note(player, event, err);
}

static void delete_on_some(struct player *player, int space, int label)
{
    struct history_event event = begin(HISTORY_DELETE, space, label);
    struct entry_request request = request_of(player, space, labels[label], 0);
    bool was_there;

    note(player, event, entries_delete(&request, &was_there));
}

static void clear_some(struct player *player, int space)
{
    struct history_event event = begin(HISTORY_CLEAR, space, 0);
    struct entry_request request = request_of(player, space, "", 0);
    int64_t number;
    enum err err;

    unsigned way = draw(player, 6);
    if (way == 0) {
        event.space = HISTORY_EVERYBODY;
        err = control_clear_all(request.app,
                                (struct work){player->arena, in_time(), &player->error}, &number);
    } else if (way < 3)
        err = entries_clear(&request, &number);
    else {
        unsigned model = draw(player, MODELS_COUNT);
        event.models = 1u << model;
        err = entries_clear_model(&request, model_names[model], &number);
    }
    note(player, event, err);
}

static void switch_it(struct player *player)
{
    struct history_event event = begin(HISTORY_SWITCH, SWITCHED, 0);
    struct entry_request request = request_of(player, SWITCHED, "", 0);
    struct cache_state state;

    if (--player->steps_until_switch > 0)
        return;
    player->is_off = !player->is_off;
    player->steps_until_switch = player->is_off ? 10 + draw(player, 20) : 50 + draw(player, 150);
    event.is_enabled = !player->is_off;
    enum err err =
        control_switch(request.app, (struct work){player->arena, in_time(), &player->error},
                       alice.user_id, event.is_enabled, &state);
    note(player, event, err);
}

/* How much there is of each, of a hundred. */
struct weights {
    unsigned reads, fills, conditional_fills, increments, deletes, clears;
};
static const struct weights weathers[] = {{35, 20, 12, 23, 4, 6},
                                          {15, 5, 5, 72, 1, 2},
                                          {25, 20, 15, 20, 4, 16},
                                          {25, 10, 40, 10, 10, 5},
                                          {20, 0, 65, 0, 0, 15}};

static void step(struct player *player)
{
    const struct weights *weights = &weathers[weather];
    int space = (int)draw(player, SPACES), label = (int)draw(player, LABELS);
    unsigned which = draw(player, 100);
    struct str lease;

    if (player->number == 0)
        switch_it(player);
    if (which < weights->reads) {
        struct history_event read = begin(HISTORY_READ, space, label);
        (void)!read_on(player, &read, draw(player, ALL_MODELS + 1), &lease);
    } else if ((which -= weights->reads) < weights->fills)
        fill_somehow(player, space, label == COUNT && draw(player, 8) ? TEXT : label, false);
    else if ((which -= weights->fills) < weights->conditional_fills)
        fill_somehow(player, space, label == COUNT && draw(player, 4) ? TEXT : label, true);
    else if ((which -= weights->conditional_fills) < weights->increments)
        count_on(player, space, label == TEXT ? COUNT : label);
    else if ((which -= weights->increments) < weights->deletes)
        delete_on_some(player, space, label);
    else
        clear_some(player, space);
}

static void *play(void *arg)
{
    struct player *player = arg;

    while (!is_over) {
        step(player);
        arena_reset(player->arena);
    }
    return NULL;
}

/* ---- disasters ---- */

static void cut(struct redis_server *server)
{
    redis_server_do(server, "CLIENT KILL TYPE normal SKIPME yes");
}

/* What it keeps lies in a folder of its own, which nothing else removes. */
static void remove_data(struct redis_server *server)
{
    char path[400];

    snprintf(path, sizeof path, "%s/appendonlydir", redis_server_directory(server));
    DIR *folder = opendir(path);
    for (struct dirent *file; folder && (file = readdir(folder));)
        if (file->d_name[0] != '.')
            unlinkat(dirfd(folder), file->d_name, 0);
    if (folder)
        closedir(folder);
    rmdir(path);
}

static void kill_it(struct redis_server *server, bool keeps_data)
{
    redis_server_kill(server);
    if (!keeps_data)
        remove_data(server);
    redis_server_restart(server);
}

/* Versions rise where control data was lost, or may have been: then every entry is void. */
static const char *strike(uint64_t *state, struct history_event *event)
{
    unsigned which = draw_from(state, 6);
    struct redis_server *other = store == redis ? NULL : store;

    event->loses = true;
    event->cuts = which < 4;
    if (event->cuts)
        cut(which < 2 ? redis : store);
    switch (which) {
    case 0:
        kill_it(store, true);
        event->loses = !other; /* all that was acknowledged is there */
        return "the entries' Redis is killed, and keeps its data";
    case 1:
        kill_it(store, false);
        return "the entries' Redis is killed, and loses its data";
    case 2:
        kill_it(redis, draw_from(state, 2) == 0);
        return "the Redis of control data is killed";
    case 3:
        cut(redis);
        event->loses = false;
        return "all connections are cut";
    case 4:
        redis_server_do(store, "FLUSHALL");
        return "the entries' Redis is emptied";
    default:
        redis_server_do(redis, "DEL cw:dataset");
        return "the dataset is deleted";
    }
}

/* Both nodes have got over it. */
static void await_recovery(void)
{
    for (int node = 0; node < 2; node++) {
        int64_t give_up_ns = clock_deadline_ns(PATIENCE_MS);
        struct entry_request request = ask_on(node, shop, "probe", NULL);
        struct entry_found found;
        request.is_question = true;
        while (entries_get(&request, &found) != ERR_OK) {
            ck_assert_msg(clock_mono_ns() < give_up_ns, "%s %s", error.caller, error.detail);
            usleep(2000);
            request = ask_on(node, shop, "probe", NULL);
        }
        arena_reset(arena);
    }
}

static struct history_event strike_somehow(uint64_t *state)
{
    struct history_event event = begin(HISTORY_DISASTER, 0, 0);

    is_struck = true;
    const char *what = strike(state, &event);
    await_recovery();
    is_struck = false;
    event.ended = clock_mono_ns();
    printf("%lld steps: %s, %lld ms\n", (long long)steps, what,
           (long long)((event.ended - event.began) / NS_PER_MS));
    return event;
}

static void await_steps(int64_t wanted)
{
    int64_t give_up_ns = clock_deadline_ns(PATIENCE_MS);

    while (steps < wanted) {
        ck_assert_msg(clock_mono_ns() < give_up_ns, "nothing goes well any more");
        usleep(500);
    }
}

/* ---- all of it ---- */

static uint64_t choose_seed(void)
{
    const char *given = getenv("CW_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)clock_mono_ns() % 1000000000;

    printf("CW_SEED=%llu, %d steps, %d disasters\n", (unsigned long long)seed, STEPS, DISASTERS);
    fflush(stdout);
    return seed;
}

static size_t gather(struct player players[PLAYERS], struct history_event *disasters,
                     struct history_event **events_out)
{
    size_t count = DISASTERS;

    for (int i = 0; i < PLAYERS; i++)
        count += players[i].count;
    *events_out = calloc(count, sizeof **events_out);
    ck_assert_ptr_nonnull(*events_out);
    memcpy(*events_out, disasters, DISASTERS * sizeof *disasters);
    count = DISASTERS;
    for (int i = 0; i < PLAYERS; i++) {
        memcpy(*events_out + count, players[i].events, players[i].count * sizeof **events_out);
        count += players[i].count;
        free(players[i].events);
        arena_free(&players[i].arena);
    }
    return count;
}

static void keep_events(const struct history_event *events, size_t count)
{
    const char *path = getenv("CW_HISTORY");
    FILE *file = path ? fopen(path, "we") : NULL;

    for (size_t i = 0; file && i < count; i++)
        history_print(file, &events[i]);
    if (file)
        fclose(file);
}

static void judge(struct history_event *events, size_t count)
{
    char text[HISTORY_TEXT_SIZE];
    size_t of_kind[HISTORY_DISASTER + 1] = {0}, unknown = 0, hits = 0;
    bool is_sound = history_judge(events, count, text);

    for (size_t i = 0; i < count; i++) {
        of_kind[events[i].kind]++;
        unknown += events[i].outcome == HISTORY_UNKNOWN;
        hits += events[i].kind == HISTORY_READ && events[i].value > 0;
    }
    printf("%zu events, %zu of them unknown; %zu reads (%zu hits), %zu fills, %zu clears, "
           "%zu deletes, %zu switches, %zu increments\n",
           count, unknown, of_kind[HISTORY_READ], hits, of_kind[HISTORY_FILL],
           of_kind[HISTORY_CLEAR], of_kind[HISTORY_DELETE], of_kind[HISTORY_SWITCH],
           of_kind[HISTORY_INCREMENT]);
    fflush(stdout);
    if (!is_sound)
        keep_events(events, count);
    ck_assert_msg(is_sound, "%s", text);
    ck_assert_uint_gt(hits, STEPS / 20);
}

START_TEST(every_promise_is_kept)
{
    struct player players[PLAYERS];
    struct history_event disasters[DISASTERS], *events;
    uint64_t seed = choose_seed(), state = seed;

    for (int i = 0; i < PLAYERS; i++) {
        players[i] = (struct player){.number = i,
                                     .state = seed * 31 + (uint64_t)i,
                                     .arena = arena_new(16384, 0),
                                     .events = calloc(EVENTS_MAX, sizeof *players[i].events)};
        ck_assert_ptr_nonnull(players[i].events);
        ck_assert_int_eq(pthread_create(&players[i].thread, NULL, play, &players[i]), 0);
    }
    for (int i = 0; i < DISASTERS; i++) {
        weather = draw_from(&state, sizeof weathers / sizeof *weathers);
        await_steps((int64_t)STEPS / (DISASTERS + 1) * (i + 1));
        disasters[i] = strike_somehow(&state);
    }
    await_steps(STEPS);
    is_over = true;
    for (int i = 0; i < PLAYERS; i++)
        pthread_join(players[i].thread, NULL);
    size_t count = gather(players, disasters, &events);
    judge(events, count);
    free(events);
}
END_TEST

/* All that was acknowledged outlives the process. */
static struct redis_server *start_one_that_keeps(void)
{
    static const char *const args[] = {
        "--appendonly", "yes", "--appendfsync", "no", "--auto-aof-rewrite-percentage", "0", NULL};

    return redis_server_start(&(struct redis_server_options){.args = args});
}

static void open_on_one(void)
{
    redis = store = start_one_that_keeps();
    open_nodes_with(TURN_MS);
}

static void open_on_two(void)
{
    redis = start_one_that_keeps();
    store = start_one_that_keeps();
    open_nodes_with(TURN_MS);
}

static void close_all(void)
{
    redis_server_kill(redis);
    remove_data(redis);
    redis_server_kill(store);
    remove_data(store);
    close_two_nodes();
}

int main(void)
{
    Suite *suite = suite_create("api/entries/history");
    TCase *one = tcase_create("one redis"), *two = tcase_create("two");

    tcase_add_checked_fixture(one, open_on_one, close_all);
    tcase_add_test(one, every_promise_is_kept);
    suite_add_tcase(suite, one);
    tcase_add_checked_fixture(two, open_on_two, close_all);
    tcase_add_test(two, every_promise_is_kept);
    suite_add_tcase(suite, two);
    return suite_run(suite);
}
