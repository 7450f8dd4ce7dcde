/*
 * Requests, clears, soft clears and changes in any order, through two nodes, of an application that takes its time:
 * most fetches overlap something. The application counts: each change raises the numbers of all that it is about,
 * and is then told by a clear, or by the unsafe request that made it. Whatever is answered behind that has these
 * numbers at least, or is told as stale where the clear was soft. What happens is chosen by a seed that is printed;
 * CW_SEED sets it.  An application that does not tell of its changes shows that the judge sees what is old: for
 * each way to tell one.
 */
#include "gateway_case.h"
#include "sanitized.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    PLAYERS = 8,
    STEPS = IS_SANITIZED ? 200 : 1250, /* of each */
    SILENT_STEPS = 150,
    ROUTES = 2, /* everybody's, and alice's */
    PATHS = 3,
    SLOW_MS = 12 /* at most: how long the application takes */
};

static const char *const prefixes[ROUTES] = {"/open", "/mine"};

enum change {
    CHANGE_BY_REQUEST, /* an unsafe method clears the models of its route */
    CHANGE_USER,
    CHANGE_TAG,
    CHANGE_SOFTLY,
    CHANGE_EVERYTHING,
    CHANGES
};

/* What the application has, and at least which of it may be found: any, and fresh. */
struct resource {
    _Atomic int64_t now, floor, fresh_floor;
};
static struct resource resources[ROUTES][PATHS];

static struct cw_server other;
static const char *node_urls[2];
static enum change untold; /* the application keeps it to itself; CHANGES: none */
static _Atomic int64_t old_answers;
static _Atomic uint64_t origin_chance;

static int draw(uint64_t *state, int bound)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (int)((*state >> 33) % (unsigned)bound);
}

/* ---- the application ---- */

static bool read_path(const char *head, int *route_out, int *path_out)
{
    for (int route = 0; route < ROUTES; route++) {
        char method[8];
        if (sscanf(head, "%7s", method) == 1 &&
            strncmp(head + strlen(method) + 1, prefixes[route], strlen(prefixes[route])) == 0) {
            *route_out = route;
            *path_out = head[strlen(method) + 1 + strlen(prefixes[route]) + 1] - '0';
            return *path_out >= 0 && *path_out < PATHS;
        }
    }
    return false;
}

/* "route path number", as it was when the request came. */
static char *answer(void *arg, const struct origin_request *request)
{
    uint64_t chance = atomic_fetch_add(&origin_chance, UINT64_C(0x9e3779b97f4a7c15));
    char body[64], *text = malloc(300);
    int route, path;

    (void)arg;
    ck_assert_msg(read_path(request->head, &route, &path), "%s", request->head);
    int size = snprintf(body, sizeof body, "%d %d %lld", route, path,
                        (long long)atomic_load(&resources[route][path].now));
    usleep((useconds_t)draw(&chance, SLOW_MS * 1000));
    snprintf(text, 300,
             "HTTP/1.1 200 OK\r\nCache-Control: max-age=3600\r\nCache-Tag: tag%d\r\n"
             "Content-Length: %d\r\n\r\n%s",
             path, size, body);
    return text;
}

static void open_stand(void)
{
    gateway_stand_open_in(
        (const char *const[]){"CACHEWARDEN_SERVER_THREADS=32", NULL},
        "{ prefix = \"/open\"; scope = \"public\"; models = [ \"open\" ]; UPSTREAM },"
        "{ prefix = \"/mine\"; models = [ \"mine\" ]; UPSTREAM }",
        "limits: { enabled = false; };");
    gateway_start_node(&other, gateway_config);
    node_urls[0] = stand.server.base_url;
    node_urls[1] = other.base_url;
}

static void close_stand(void)
{
    cw_server_stop(&other);
    gateway_stand_close();
}

/* ---- players ---- */

struct player {
    pthread_t thread;
    uint64_t chance;
    int steps;
    struct http_client *nodes[2];
    int64_t hits, misses, stale;
};

static const struct http_reply *call(struct player *player, const char *method, const char *target,
                                     const char *credential)
{
    const struct http_reply *reply =
        http_send(player->nodes[draw(&player->chance, 2)], method, target,
                  (const char *const[]){credential, NULL}, NULL, 0);

    ck_assert_msg(reply && reply->status / 100 == 2, "%s %s: %d %s", method, target,
                  reply ? reply->status : 0, reply ? reply->body : "");
    return reply;
}

static void judge(const struct http_reply *reply, int route, int path, int64_t floor,
                  int64_t fresh_floor)
{
    const char *cache = http_header(reply, "X-Cache");
    int found_route, found_path;
    long long number;

    ck_assert_int_eq(sscanf(reply->body, "%d %d %lld", &found_route, &found_path, &number), 3);
    ck_assert(found_route == route && found_path == path);
    bool is_old = number < floor || (number < fresh_floor && strcmp(cache, "STALE") != 0);
    atomic_fetch_add(&old_answers, is_old);
    ck_assert_msg(!is_old || untold != CHANGES, "%s/%d: %lld (%s) behind %lld, and %lld softly\n%s",
                  prefixes[route], path, number, cache, (long long)floor, (long long)fresh_floor,
                  reply->head);
}

static void ask(struct player *player)
{
    int route = draw(&player->chance, ROUTES), path = draw(&player->chance, PATHS);
    struct resource *resource = &resources[route][path];
    int64_t floor = atomic_load(&resource->floor), fresh = atomic_load(&resource->fresh_floor);
    char target[32];

    snprintf(target, sizeof target, "%s/%d", prefixes[route], path);
    const struct http_reply *reply =
        call(player, "GET", target, route == 1 ? stand.alice.bearer : NULL);
    judge(reply, route, path, floor, fresh);
    const char *cache = http_header(reply, "X-Cache");
    player->hits += strcmp(cache, "HIT") == 0;
    player->misses += strcmp(cache, "MISS") == 0;
    player->stale += strcmp(cache, "STALE") == 0;
}

static void tell(struct player *player, enum change change, int route, int path)
{
    char target[80];

    switch (change) {
    case CHANGE_BY_REQUEST:
        snprintf(target, sizeof target, "%s/%d", prefixes[route], path);
        call(player, "POST", target, route == 1 ? stand.alice.bearer : NULL);
        return;
    case CHANGE_USER:
        call(player, "POST", "/api/cache/clear/", stand.alice.bearer);
        return;
    case CHANGE_TAG:
    case CHANGE_SOFTLY:
        snprintf(target, sizeof target, "/api/v1/models/tag%d?namespace=gateway%s", path,
                 change == CHANGE_SOFTLY ? "&soft=true" : "");
        call(player, "DELETE", target, stand.root.bearer);
        return;
    default:
        call(player, "DELETE", "/api/v1/entries?namespace=gateway", stand.root.bearer);
    }
}

static bool is_about(enum change change, int route, int path, int found_route, int found_path)
{
    switch (change) {
    case CHANGE_BY_REQUEST:
        return found_route == route;
    case CHANGE_USER:
        return found_route == 1;
    case CHANGE_TAG:
    case CHANGE_SOFTLY:
        return found_path == path;
    default:
        return true;
    }
}

static void raise_to(_Atomic int64_t *floor, int64_t number)
{
    int64_t known = atomic_load(floor);

    while (known < number && !atomic_compare_exchange_weak(floor, &known, number))
        ;
}

static void change(struct player *player)
{
    enum change what = (enum change)draw(&player->chance, CHANGES);
    int route = draw(&player->chance, ROUTES), path = draw(&player->chance, PATHS);
    int64_t numbers[ROUTES][PATHS];

    for (int i = 0; i < ROUTES * PATHS; i++)
        if (is_about(what, route, path, i / PATHS, i % PATHS))
            numbers[i / PATHS][i % PATHS] =
                atomic_fetch_add(&resources[i / PATHS][i % PATHS].now, 1) + 1;
    if (what != untold)
        tell(player, what, route, path);
    for (int i = 0; i < ROUTES * PATHS; i++) {
        struct resource *resource = &resources[i / PATHS][i % PATHS];
        if (!is_about(what, route, path, i / PATHS, i % PATHS))
            continue;
        if (what != CHANGE_SOFTLY)
            raise_to(&resource->floor, numbers[i / PATHS][i % PATHS]);
        raise_to(&resource->fresh_floor, numbers[i / PATHS][i % PATHS]);
    }
}

static void *play(void *with)
{
    struct player *player = with;

    for (int i = 0; i < 2; i++)
        player->nodes[i] = http_client_new(node_urls[i]);
    for (int i = 0; i < player->steps; i++) {
        if (draw(&player->chance, 100) < 6)
            change(player);
        else
            ask(player);
    }
    for (int i = 0; i < 2; i++)
        http_client_free(&player->nodes[i]);
    return NULL;
}

static struct player play_all(int steps)
{
    const char *set = getenv("CW_SEED");
    uint64_t seed = set ? strtoull(set, NULL, 10) : (uint64_t)stand_now_ms();
    static struct player players[PLAYERS];
    struct player sum = {0};

    printf("CW_SEED=%llu\n", (unsigned long long)seed);
    atomic_store(&origin_chance, seed);
    atomic_store(&old_answers, 0);
    unlink(origin_socket);
    origin = scripted_origin_start(
        &(struct scripted_origin_options){.unix_path = origin_socket, .answer = answer});
    for (int i = 0; i < PLAYERS; i++) {
        players[i] = (struct player){.chance = seed + (uint64_t)i * 7919, .steps = steps};
        ck_assert_int_eq(pthread_create(&players[i].thread, NULL, play, &players[i]), 0);
    }
    for (int i = 0; i < PLAYERS; i++) {
        pthread_join(players[i].thread, NULL);
        sum.hits += players[i].hits;
        sum.misses += players[i].misses;
        sum.stale += players[i].stale;
    }
    printf("%lld hits, %lld misses, %lld stale, %zu asked, %lld old\n", (long long)sum.hits,
           (long long)sum.misses, (long long)sum.stale, scripted_origin_count(origin),
           (long long)atomic_load(&old_answers));
    origin_close();
    return sum;
}

START_TEST(nothing_old_is_found_behind_a_clear)
{
    untold = CHANGES;
    struct player sum = play_all(STEPS);
    ck_assert_int_eq(atomic_load(&old_answers), 0);
    /* A test in which nothing is found, or all is, shows nothing. */
    ck_assert_int_gt(sum.hits, STEPS / 10);
    ck_assert_int_gt(sum.misses, STEPS / 10);
    ck_assert_int_gt(sum.stale, 0);
}
END_TEST

START_TEST(what_was_not_told_is_found)
{
    untold = (enum change)_i;
    play_all(SILENT_STEPS);
    ck_assert_int_gt(atomic_load(&old_answers), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http/gateway_history");
    TCase *all = tcase_create("all");

    tcase_add_unchecked_fixture(all, open_stand, close_stand);
    tcase_add_test(all, nothing_old_is_found_behind_a_clear);
    tcase_add_loop_test(all, what_was_not_told_is_found, 0, CHANGES);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
