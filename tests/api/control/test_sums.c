/*
 * Clears of users, clears for all, switches and looks at once, on two nodes: nothing is lost, so each
 * clear raises by exactly one, nobody takes what another one did for a loss, and no call fails.
 */
#include "two_nodes.h"

#include "cachewarden/control.h"
#include "suite.h"
#include "tcp_proxy.h"

#include <pthread.h>
#include <stdatomic.h>

enum role { CLEARS_ALL, CLEARS, LOOKS, SWITCHES };
enum { EACH = 4, ROLES = 4, THREADS = EACH * ROLES, CALLS = 400, USER = 7 };

struct player {
    pthread_t thread;
    int node;
    enum role role;
    int failures;
    struct error error;      /* of the last failure */
    int64_t versions[CALLS]; /* epochs of those who clear all */
};

static atomic_int clearers; /* that are still at it; lookers and switchers go on as long */

static enum err play_once(struct player *player, struct arena *own, int call, int64_t *version)
{
    struct app *app = nodes[player->node].app;
    struct cache_state state = {0};
    enum err err = ERR_OK;
    switch (player->role) {
    case CLEARS_ALL:
        return control_clear_all(app, (struct work){own, soon(), &player->error}, version);
    case CLEARS:
        err = control_clear(app, (struct work){own, soon(), &player->error}, USER, &state);
        break;
    case LOOKS:
        err = control_status(app, (struct work){own, soon(), &player->error}, USER, NULL, &state);
        break;
    case SWITCHES:
        err =
            control_switch(app, (struct work){own, soon(), &player->error}, USER, call % 2, &state);
        break;
    }
    *version = state.version;
    return err;
}

static void *play(void *arg)
{
    struct player *player = arg;
    struct arena *own = arena_new(8192, 0);
    bool is_clearer = player->role == CLEARS_ALL || player->role == CLEARS;
    int64_t last = 0;
    for (int i = 0; is_clearer ? i < CALLS : atomic_load(&clearers) > 0; i++) {
        int64_t version = 0;
        player->failures += play_once(player, own, i, &version) != ERR_OK;
        /* One's own clear is behind everything one has seen before. */
        player->failures += version < last + is_clearer;
        last = version;
        if (is_clearer)
            player->versions[i] = version;
        arena_reset(own);
    }
    if (is_clearer)
        atomic_fetch_sub(&clearers, 1);
    arena_free(&own);
    return NULL;
}

static int64_t play_all(struct player *players)
{
    atomic_store(&clearers, 2 * EACH);
    for (int i = 0; i < THREADS; i++) {
        players[i] = (struct player){.node = i % 2, .role = (enum role)(i / EACH)};
        ck_assert_int_eq(pthread_create(&players[i].thread, NULL, play, &players[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(players[i].thread, NULL);
    for (int i = 0; i < THREADS; i++)
        ck_assert_msg(players[i].failures == 0, "player %d: %d failures, %s %s", i,
                      players[i].failures, players[i].error.caller, players[i].error.detail);
    return version_on(0, USER);
}

/* Whoever raised it was told his own number. */
static void expect_all_different(const struct player *players, int64_t most)
{
    char *seen = calloc((size_t)most + 1, 1);
    ck_assert_ptr_nonnull(seen);
    for (int i = CLEARS_ALL * EACH; i < (CLEARS_ALL + 1) * EACH; i++)
        for (int k = 0; k < CALLS; k++) {
            int64_t version = players[i].versions[k];
            ck_assert(version >= 1 && version <= most);
            ck_assert_msg(seen[version]++ == 0, "%lld came twice", (long long)version);
        }
    free(seen);
}

START_TEST(each_clear_raises_by_one)
{
    static struct player players[THREADS];
    redis = redis_server_start(NULL);
    open_two(_i); /* watched by threads of their own, or not */
    ck_assert_int_eq(version_on(0, USER), 1);
    ck_assert_int_eq(version_on(1, USER), 1);
    int64_t version = play_all(players);
    ck_assert_int_eq(version, 1 + 2 * EACH * CALLS);
    ck_assert_int_eq(version_on(1, USER), version);
    ck_assert_int_eq(epoch_held(), EACH * CALLS);
    ck_assert_int_eq(control_clears(redis, USER), EACH * CALLS);
    ck_assert_int_eq(control_term(redis), 1);
    expect_all_different(players, EACH * CALLS);
    close_two();
}
END_TEST

/* ---- a number of one's own ---- */

static void *clear_once(void *arg)
{
    struct player *player = arg;
    struct arena *own = arena_new(8192, 0);
    player->failures += play_once(player, own, 0, &player->versions[0]) != ERR_OK;
    arena_free(&own);
    return NULL;
}

static int64_t clear_by(enum role role, int node)
{
    return role == CLEARS ? clear_on(node, USER) : clear_all_on(node);
}

/* Node 1 asks Redis through a proxy. Nobody has cleared yet. */
static struct tcp_proxy *open_with_proxy(void)
{
    char url[64];
    redis = redis_server_start(NULL);
    struct tcp_proxy *proxy = tcp_proxy_start(redis_server_port(redis));
    snprintf(url, sizeof url, "redis://127.0.0.1:%d/0", tcp_proxy_port(proxy));
    arena = arena_new(4096, 0);
    open_node(&nodes[0], NULL, false);
    loopback_open(&nodes[1], &(struct loopback_options){
                                 .redis_url = url, .shares = &nodes[0], .is_unwatched = true});
    ck_assert_int_eq(version_on(1, USER), 1);
    return proxy;
}

/*
 * A node clears in a term that it hears of by this very clear. While it looks at that term, others clear, too.
 * It is told the number that its clear has made, and not theirs.
 */
START_TEST(a_clear_in_a_term_that_is_new)
{
    static struct player player;
    struct tcp_proxy *proxy = open_with_proxy();
    redis_server_do(redis, "FLUSHALL");
    player = (struct player){.node = 1, .role = _i == 0 ? CLEARS : CLEARS_ALL};
    int64_t before = clear_by(player.role, 0);
    tcp_proxy_hold(proxy, "restored", 1); /* is asked for by nothing but that look */
    ck_assert_int_eq(pthread_create(&player.thread, NULL, clear_once, &player), 0);
    tcp_proxy_wait_held(proxy);
    ck_assert_int_eq(clear_by(player.role, 0), before + 2);
    clear_all_on(0);
    tcp_proxy_release(proxy);
    pthread_join(player.thread, NULL);
    ck_assert_msg(player.failures == 0, "%s", player.error.detail);
    ck_assert_int_eq(player.versions[0], before + 1);
    close_two();
    tcp_proxy_stop(&proxy);
}
END_TEST

/*
 * Redis reads the commands of a clear in two parts. Between them another node clears the same cache, and then all:
 * each clear is told a number of its own.
 */
START_TEST(a_clear_for_all_between_two_clears)
{
    static struct player player;
    struct tcp_proxy *proxy = open_with_proxy();
    player = (struct player){.node = 1, .role = CLEARS};
    tcp_proxy_hold_from(proxy, "*4\r\n$5\r\nHMGET\r\n$10\r\ncw:dataset\r\n");
    ck_assert_int_eq(pthread_create(&player.thread, NULL, clear_once, &player), 0);
    tcp_proxy_wait_held(proxy);
    int64_t others = clear_on(0, USER);
    clear_all_on(0);
    tcp_proxy_release(proxy);
    pthread_join(player.thread, NULL);
    ck_assert_msg(player.failures == 0, "%s", player.error.detail);
    ck_assert_int_ne(player.versions[0], others);
    ck_assert_int_eq(version_on(0, USER), 4);
    close_two();
    tcp_proxy_stop(&proxy);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/control/sums");
    TCase *tcase = tcase_create("sums");
    tcase_add_loop_test(tcase, each_clear_raises_by_one, 0, 2);
    tcase_add_loop_test(tcase, a_clear_in_a_term_that_is_new, 0, 2);
    tcase_add_test(tcase, a_clear_for_all_between_two_clears);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
