/*
 * Many on two nodes raise a few counters, while others clear, delete, let expire, and put texts and numbers in their
 * place. A judge of histories says whether each acknowledged increment was counted once.
 */
#include "entries_case.h"
#include "entry_history.h"

#include <pthread.h>
#include <semaphore.h>

enum { RAISERS = 4, LABELS = 2, BREAKS = 240, BETWEEN = 8, EVENTS_MAX = 60000 };

static const char *const labels[LABELS] = {"a", "b"};

static struct history_event events[EVENTS_MAX];
static _Atomic size_t event_count;
static _Atomic int64_t fill_count;
static _Atomic bool is_over;
static sem_t moved; /* somebody raised or read */

struct player {
    pthread_t thread;
    uint64_t state;
    struct arena *arena;
    struct error error;
    size_t raised;
};

static unsigned draw(struct player *player, unsigned bound)
{
    player->state = player->state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (unsigned)(player->state >> 33) % bound;
}

static struct entry_request request_of(struct player *player, int label)
{
    error_clear(&player->error);
    return (struct entry_request){.app = nodes[draw(player, 2)].app,
                                  .work = {player->arena, in_time(), &player->error},
                                  .space = shop,
                                  .label = str_from(labels[label])};
}

static struct history_event begin(enum history_kind kind, int label)
{
    return (struct history_event){
        .kind = kind, .label = label, .is_enabled = true, .began = clock_mono_ns()};
}

static void end(struct history_event *event, enum err err)
{
    size_t at = event_count++;

    event->ended = clock_mono_ns();
    event->outcome = err == ERR_OK ? HISTORY_DONE : HISTORY_REFUSED;
    ck_assert_uint_lt(at, EVENTS_MAX);
    events[at] = *event;
}

/* Refused is what lies on a text; and who was overtaken by clears again and again was not counted, either. */
static void raise_once(struct player *player, int label)
{
    struct history_event event = begin(HISTORY_INCREMENT, label);
    struct entry_request request = request_of(player, label);
    bool is_enabled;

    event.by = 1 + (int64_t)draw(player, 3);
    enum err err = entries_increment(&request, event.by, 3600, &event.value, &is_enabled);
    ck_assert_msg(err == ERR_OK || err == ERR_CONFLICT || err == ERR_BUSY, "%s: %s", err_name(err),
                  player->error.detail);
    player->raised += err == ERR_OK;
    end(&event, err);
}

static void read_once(struct player *player, int label)
{
    struct history_event event = begin(HISTORY_READ, label);
    struct entry_request request = request_of(player, label);
    struct entry_found found;

    enum err err = entries_get(&request, &found);
    ck_assert_msg(err == ERR_OK, "%s: %s", err_name(err), player->error.detail);
    if (found.is_hit) {
        event.is_counter = found.body.ptr[0] != 'v';
        ck_assert(str_to_int64(str_sub(found.body, event.is_counter ? 0 : 1, found.body.len),
                               INT64_MIN, INT64_MAX, &event.value));
    }
    end(&event, err);
}

static void *play(void *arg)
{
    struct player *player = arg;

    while (!is_over) {
        int label = (int)draw(player, LABELS);
        if (draw(player, 5) == 0)
            read_once(player, label);
        else
            raise_once(player, label);
        arena_reset(player->arena);
        sem_post(&moved);
    }
    return NULL;
}

/* ---- what breaks in ---- */

static void put_once(struct player *player, int label, bool is_counter)
{
    struct history_event event = begin(HISTORY_FILL, label);
    struct entry_request request = request_of(player, label);
    struct entry_stored stored;
    char text[STR_INT64_SIZE + 1] = "v";

    event.value = ++fill_count * 100000;
    event.is_counter = is_counter;
    struct str number = str_of_int64(text + 1, event.value);
    const struct entry_fill fill = {
        .body = is_counter ? number : (struct str){text, 1 + number.len}, .ttl_s = 3600};
    expect_ok(entries_put(&request, &fill, &stored));
    end(&event, ERR_OK);
}

static void clear_once(struct player *player, bool is_everybody)
{
    struct history_event event = begin(HISTORY_CLEAR, 0);
    struct entry_request request = request_of(player, 0);
    int64_t number;

    event.space = is_everybody ? HISTORY_EVERYBODY : 0;
    expect_ok(is_everybody ? control_clear_all(request.app, request.work, &number)
                           : entries_clear(&request, &number));
    end(&event, ERR_OK);
}

/* By somebody, or because its life is over. */
static void delete_once(struct player *player, int label, bool by_itself)
{
    struct history_event event = begin(HISTORY_DELETE, label);
    struct entry_request request = request_of(player, label);
    bool was_there;

    if (by_itself)
        redis_server_do(store, "DEL cw:{app:shop}:e:%s", labels[label]);
    else
        expect_ok(entries_delete(&request, &was_there));
    end(&event, ERR_OK);
}

static void break_in(struct player *player)
{
    int label = (int)draw(player, LABELS);

    switch (draw(player, 8)) {
    case 0:
        delete_once(player, label, false);
        return;
    case 1:
        delete_once(player, label, true);
        return;
    case 2:
        put_once(player, label, true);
        return;
    case 3:
        clear_once(player, true);
        return;
    case 4:
        clear_once(player, false);
        delete_once(player, label, true); /* while the others find out */
        return;
    case 5:
    case 6: /* so that they find it out of date */
        put_once(player, label, false);
        clear_once(player, false);
        return;
    default:
        clear_once(player, false);
    }
}

static void open_player(struct player *player, unsigned number)
{
    *player = (struct player){.state = number + 1, .arena = arena_new(16384, 0)};
}

START_TEST(each_increment_is_counted_once)
{
    static char text[HISTORY_TEXT_SIZE];
    struct player raisers[RAISERS], breaker;
    size_t raised = 0;

    ck_assert_int_eq(sem_init(&moved, 0, 0), 0);
    open_player(&breaker, RAISERS);
    for (unsigned i = 0; i < RAISERS; i++) {
        open_player(&raisers[i], i);
        ck_assert_int_eq(pthread_create(&raisers[i].thread, NULL, play, &raisers[i]), 0);
    }
    for (int i = 0; i < BREAKS; i++) {
        break_in(&breaker);
        arena_reset(breaker.arena);
        while (sem_trywait(&moved) == 0)
            ;
        for (int k = 0; k < BETWEEN; k++)
            while (sem_wait(&moved) != 0)
                ;
    }
    is_over = true;
    for (int i = 0; i < RAISERS; i++) {
        pthread_join(raisers[i].thread, NULL);
        raised += raisers[i].raised;
        arena_free(&raisers[i].arena);
    }
    arena_free(&breaker.arena);
    ck_assert_msg(history_judge(events, event_count, text), "%s", text);
    ck_assert_uint_gt(raised, BREAKS);
    /* None lives for ever. */
    for (int i = 0; i < LABELS; i++)
        ck_assert_int_ne(redis_server_ask_integer(store, "TTL cw:{app:shop}:e:%s", labels[i]), -1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/entries/counter_history");
    TCase *one = tcase_create("one redis"), *two = tcase_create("two");

    tcase_add_checked_fixture(one, open_two_nodes, close_two_nodes);
    tcase_add_test(one, each_increment_is_counted_once);
    suite_add_tcase(suite, one);
    tcase_add_checked_fixture(two, open_two_nodes_apart, close_two_nodes);
    tcase_add_test(two, each_increment_is_counted_once);
    suite_add_tcase(suite, two);
    return suite_run(suite);
}
