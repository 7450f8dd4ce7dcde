/*
 * A source that changes, clears after each change, and many on two nodes who cache what they read from it. Whoever
 * reads gets nothing that is older than what was cleared, and acknowledged, before they asked.
 */
#include "entries_case.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

enum { READERS = 6, LABELS = 3, CHANGES = 120 };

static _Atomic int64_t source;  /* what is true now */
static _Atomic int64_t cleared; /* the newest of it whose clear was acknowledged */
static _Atomic bool is_over;
static _Atomic int64_t hits, fills;
static sem_t moved; /* somebody read or filled, or failed */

struct player {
    pthread_t thread;
    int number;
    uint64_t state;
    struct arena *arena;
    struct error error;
    char failure[256];
};

static unsigned draw(struct player *player, unsigned bound)
{
    player->state = player->state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (unsigned)(player->state >> 33) % bound;
}

static struct entry_request request_of(struct player *player, const char *label,
                                       const struct str *models, size_t count)
{
    error_clear(&player->error);
    return (struct entry_request){.app = nodes[draw(player, 2)].app,
                                  .work = {player->arena, in_time(), &player->error},
                                  .space = alice,
                                  .label = str_from(label),
                                  .models = models,
                                  .model_count = count};
}

/* Half of the fills name the model at the read already; one in four waits for another's. */
static void read_once(struct player *player)
{
    static const struct str product = {"Product", 7};
    static const char *const labels[LABELS] = {"a", "b", "c"};
    const char *label = labels[draw(player, LABELS)];
    struct entry_request request = request_of(player, label, &product, draw(player, 2));
    struct entry_found found;
    int64_t oldest = cleared, value = 0;
    char text[STR_INT64_SIZE + 1];
    struct entry_stored stored;

    request.wait_ms = draw(player, 4) == 0 ? 20 : 0;
    enum err err = entries_get(&request, &found);
    if (err == ERR_OK && found.is_hit &&
        str_to_int64(str_sub(found.body, 1, 20), 0, INT64_MAX, &value)) {
        hits++;
        if (value < oldest)
            snprintf(player->failure, sizeof player->failure, "%s is %lld, and %lld was cleared",
                     label, (long long)value, (long long)oldest);
    }
    if (err != ERR_OK || found.is_hit)
        return;
    text[0] = 'v'; /* no counter */
    const struct entry_fill fill = {.lease = found.lease,
                                    .ttl_s = 3600,
                                    .body = {text, 1 + str_of_int64(text + 1, source).len}};
    for (unsigned i = draw(player, 50); i > 0; i--)
        sched_yield(); /* a fill takes its time */
    request = request_of(player, label, &product, 1);
    fills += entries_put(&request, &fill, &stored) == ERR_OK;
}

static void *play_reader(void *arg)
{
    struct player *player = arg;

    while (!is_over) {
        read_once(player);
        if (player->failure[0])
            is_over = true;
        sem_post(&moved);
        arena_reset(player->arena);
    }
    return NULL;
}

static enum err clear_somehow(struct player *player)
{
    struct entry_request request = request_of(player, "", NULL, 0);
    int64_t number;

    switch (draw(player, 4)) {
    case 0:
        return entries_clear(&request, &number);
    case 1:
        return control_clear_all(request.app,
                                 (struct work){player->arena, in_time(), &player->error}, &number);
    default:
        return entries_clear_model(&request, STR("Product"), &number);
    }
}

static void open_player(struct player *player, int number)
{
    *player = (struct player){
        .number = number, .state = (uint64_t)number + 1, .arena = arena_new(16384, 0)};
}

START_TEST(nothing_is_older_than_a_clear)
{
    struct player readers[READERS], writer;

    ck_assert_int_eq(sem_init(&moved, 0, 0), 0);
    open_player(&writer, READERS);
    for (int i = 0; i < READERS; i++) {
        open_player(&readers[i], i);
        ck_assert_int_eq(pthread_create(&readers[i].thread, NULL, play_reader, &readers[i]), 0);
    }
    for (int i = 0; i < CHANGES && !is_over; i++) {
        int64_t now = ++source;
        enum err err = clear_somehow(&writer);
        ck_assert_msg(err == ERR_OK, "%s: %s", err_name(err), writer.error.detail);
        cleared = now;
        arena_reset(writer.arena);
        while (!is_over && sem_trywait(&moved) == 0)
            ;
        for (int k = 0; k < 3 && !is_over;
             k++) /* others go on meanwhile, and end what they began */
            while (sem_wait(&moved) != 0)
                ;
    }
    is_over = true;
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        ck_assert_msg(!readers[i].failure[0], "%s", readers[i].failure);
        arena_free(&readers[i].arena);
    }
    arena_free(&writer.arena);
    ck_assert_int_gt(hits, 0);
    ck_assert_int_gt(fills, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/entries/history");
    TCase *one = tcase_create("one redis"), *two = tcase_create("two");

    tcase_add_checked_fixture(one, open_two_nodes, close_two_nodes);
    tcase_add_test(one, nothing_is_older_than_a_clear);
    suite_add_tcase(suite, one);
    tcase_add_checked_fixture(two, open_two_nodes_apart, close_two_nodes);
    tcase_add_test(two, nothing_is_older_than_a_clear);
    suite_add_tcase(suite, two);
    return suite_run(suite);
}
