/*
 * Requests, clears and drops in any order, on two nodes. The upstream counts: each change there raises the number of
 * all that it is about, and is then told by a clear. Whatever is found behind an acknowledged clear has that number
 * at least, is the caller's own, and fits what the caller asked for. All of it is chosen by a seed that is printed;
 * CW_SEED sets it.
 *
 * In the first test one thread takes the steps of many requests in turn: a look, the upstream, a fill. Between any
 * two of them anything may happen. In the second one threads do the same at once.
 */
#include "gateway_case.h"
#include "sanitized.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    STEPS = IS_SANITIZED ? 4000 : 20000,
    PLAYER_STEPS = IS_SANITIZED ? 1000 : 4000,
    PLAYERS = 4,
    REQUESTS = 12, /* at once */
    USERS = 3,     /* everybody, alice and bob */
    PATHS = 4,
    LANGUAGES = 3,
    WAYS = 3, /* what Vary names */
};

static const int64_t user_ids[USERS] = {0, 7, 8};
static const char *const paths[PATHS] = {"/shop/a", "/shop/b", "/shop/c", "/shop/d"};
static const char *const languages[LANGUAGES] = {"", "Accept-Language: de\nX-Shop: 1",
                                                 "Accept-Language: en\nX-Shop: 2"};
static const char *const ways[WAYS] = {"", "Vary: Accept-Language",
                                       "Vary: X-Shop, Accept-Language"};
/* A tag of each path, beside the models of the route. */
static const char *const tags[PATHS] = {"a", "b", "c", "d"};

/* What the upstream has for a user under a path, and at least which of it may be found: any, and fresh. */
struct resource {
    _Atomic int64_t now, floor, fresh_floor;
};
static struct resource resources[USERS][PATHS];
static _Atomic int way_of[PATHS];

/* ---- chance ---- */

static uint64_t draw_seed(void)
{
    const char *set = getenv("CW_SEED");
    uint64_t seed = set ? strtoull(set, NULL, 10) : (uint64_t)clock_mono_ns();

    printf("CW_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    return seed;
}

static int draw(uint64_t *state, int bound)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (int)((*state >> 33) % (unsigned)bound);
}

/* ---- a request, step by step ---- */

struct request {
    enum { ASKS_NOTHING, HAS_LOOKED, HAS_ASKED } at;
    struct arena *arena;
    int node, user, path, language;
    struct gateway_key key;
    struct gateway_look look;
    int64_t number;
    int way;
};

static struct work work_of(struct request *request, struct error *failure)
{
    error_clear(failure);
    return (struct work){request->arena, in_time(), failure};
}

/* fields_of is for one thread. */
static struct http_fields parse(struct arena *memory, const char *lines)
{
    struct http_field *items = arena_calloc(memory, 4, sizeof *items);
    struct http_fields fields = {items, 0};
    struct str rest = str_from(lines), line;

    while (str_split(&rest, '\n', &line)) {
        ptrdiff_t colon = str_find(line, ':');
        if (colon > 0)
            items[fields.count++] =
                (struct http_field){str_sub(line, 0, (size_t)colon),
                                    str_trim(str_sub(line, (size_t)colon + 1, line.len))};
    }
    return fields;
}

static struct gateway_key key_for(struct request *request)
{
    return (struct gateway_key){.user_id = user_ids[request->user],
                                .route = STR("/shop"),
                                .host = STR("shop.example"),
                                .path = str_from(paths[request->path]),
                                .models = shop_models,
                                .model_count = 2,
                                .request = parse(request->arena, languages[request->language])};
}

/* "user path way language number" */
static struct str body_of(struct request *request)
{
    return str_format(request->arena, "%d %d %d %d %lld", request->user, request->path,
                      request->way, request->language, (long long)request->number);
}

static int64_t take_part(struct str *rest)
{
    struct str part;
    int64_t number = -1;

    ck_assert(str_split(rest, ' ', &part));
    ck_assert(str_to_int64(part, 0, INT64_MAX, &number));
    return number;
}

static void judge_found(struct request *request, int64_t floor, int64_t fresh_floor)
{
    struct str rest = request->look.stored->body;

    ck_assert_int_eq(take_part(&rest), request->user);
    ck_assert_int_eq(take_part(&rest), request->path);
    int64_t way = take_part(&rest), language = take_part(&rest), number = take_part(&rest);
    ck_assert_msg(way == 0 || language == request->language, "%s of language %lld was found for %d",
                  paths[request->path], (long long)language, request->language);
    ck_assert_msg(number >= floor, "user %d, %s: %lld was found behind %lld", request->user,
                  paths[request->path], (long long)number, (long long)floor);
    ck_assert_msg(number >= fresh_floor || request->look.is_outdated,
                  "user %d, %s: %lld is not stale behind %lld", request->user, paths[request->path],
                  (long long)number, (long long)fresh_floor);
}

/* Whether something was found, with its body. */
static bool look_and_judge(struct request *request)
{
    struct resource *resource = &resources[request->user][request->path];
    int64_t floor = atomic_load(&resource->floor), fresh = atomic_load(&resource->fresh_floor);
    struct error failure;

    request->key = key_for(request);
    ck_assert_int_eq(gateway_store_look(stores[request->node], &request->key,
                                        work_of(request, &failure), &request->look),
                     ERR_OK);
    if (!request->look.stored)
        return false;
    enum err err = gateway_store_body(stores[request->node], &request->key, &request->look,
                                      work_of(request, &failure));
    ck_assert_msg(err == ERR_OK || err == ERR_NOT_FOUND, "%s", err_name(err));
    if (err != ERR_OK)
        return false;
    judge_found(request, floor, fresh);
    return true;
}

static void ask_upstream(struct request *request)
{
    request->number = atomic_load(&resources[request->user][request->path].now);
    request->way = atomic_load(&way_of[request->path]);
}

static bool fill(struct request *request)
{
    const struct str own_tag[] = {str_from(tags[request->path])};
    const struct stored_response response = {.status = 200,
                                             .fields = parse(request->arena, ways[request->way]),
                                             .body = body_of(request),
                                             .tags = own_tag,
                                             .tag_count = 1};
    struct error failure;
    enum err err = gateway_store_put(stores[request->node], &request->key, &request->look,
                                     &response, 3600000, work_of(request, &failure), NULL);

    ck_assert_msg(err == ERR_OK || err == ERR_CONFLICT, "%s: %s", err_name(err), failure.detail);
    return err == ERR_OK;
}

static void end(struct request *request)
{
    gateway_look_release(&request->look);
    arena_reset(request->arena);
    request->at = ASKS_NOTHING;
}

/* ---- what changes at the upstream, and is told ---- */

enum change {
    CHANGE_USER,
    CHANGE_EVERYTHING,
    CHANGE_MODEL,
    CHANGE_TAG,
    CHANGE_GATEWAY,
    CHANGE_SOFTLY,
    CHANGE_PATH, /* by a drop */
    CHANGES
};

struct told {
    enum change change;
    int user, path;
    int64_t numbers[USERS][PATHS];
};

static bool is_about(const struct told *told, int user, int path)
{
    switch (told->change) {
    case CHANGE_USER:
        return user == told->user;
    case CHANGE_TAG:
    case CHANGE_SOFTLY:
        return path == told->path;
    case CHANGE_PATH:
        return user == told->user && path == told->path;
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

static enum err tell(const struct told *told, int node, struct request *memory)
{
    struct app *app = nodes[node].app;
    struct error failure;
    struct work work = work_of(memory, &failure);
    int64_t number;

    switch (told->change) {
    case CHANGE_USER: {
        const struct entry_request request = {
            .app = app, .work = work, .space = namespace_of_user(user_ids[told->user])};
        return entries_clear(&request, &number);
    }
    case CHANGE_EVERYTHING:
        return control_clear_all(app, work, &number);
    case CHANGE_MODEL:
        return gateway_clear_model(app, STR("Shop"), false, work, &number);
    case CHANGE_TAG:
        return gateway_clear_model(app, str_from(tags[told->path]), false, work, &number);
    case CHANGE_GATEWAY:
        return gateway_clear_all(app, work, &number);
    case CHANGE_SOFTLY:
        return gateway_clear_model(app, str_from(tags[told->path]), true, work, &number);
    default: {
        struct gateway_key key;
        memory->user = told->user;
        memory->path = told->path;
        key = key_for(memory);
        return gateway_store_drop(stores[node], &key, work);
    }
    }
}

static void change(uint64_t *chance, struct request *memory)
{
    struct told told = {.change = (enum change)draw(chance, CHANGES),
                        .user = draw(chance, USERS),
                        .path = draw(chance, PATHS)};

    if (told.change == CHANGE_USER && told.user == 0)
        told.user = 1;
    for (int user = 0; user < USERS; user++) {
        for (int path = 0; path < PATHS; path++) {
            if (is_about(&told, user, path))
                told.numbers[user][path] = 1 + atomic_fetch_add(&resources[user][path].now, 1);
        }
    }
    ck_assert_int_eq(tell(&told, draw(chance, 2), memory), ERR_OK);
    for (int user = 0; user < USERS; user++) {
        for (int path = 0; path < PATHS; path++) {
            struct resource *resource = &resources[user][path];
            if (told.change != CHANGE_SOFTLY)
                raise_to(&resource->floor, told.numbers[user][path]);
            raise_to(&resource->fresh_floor, told.numbers[user][path]);
        }
    }
    arena_reset(memory->arena);
}

/* ---- in turn ---- */

static void begin(struct request *request, uint64_t *chance)
{
    request->node = draw(chance, 2);
    request->user = draw(chance, USERS);
    request->path = draw(chance, PATHS);
    request->language = draw(chance, LANGUAGES);
}

struct score {
    int64_t hits, misses, fills, refused;
};

static void take_step(struct request *request, uint64_t *chance, struct score *score)
{
    switch (request->at) {
    case ASKS_NOTHING: {
        begin(request, chance);
        bool is_found = look_and_judge(request);
        score->hits += is_found;
        score->misses += !is_found;
        request->at = HAS_LOOKED;
        /* What is found is fetched anew as well, now and then. */
        if (is_found && draw(chance, 8) > 0)
            end(request);
        break;
    }
    case HAS_LOOKED:
        ask_upstream(request);
        request->at = HAS_ASKED;
        break;
    default: {
        bool is_stored = fill(request);
        score->fills += is_stored;
        score->refused += !is_stored;
        end(request);
    }
    }
}

static void expect_both(const struct score *score, int64_t least)
{
    printf("%lld hits, %lld misses, %lld fills, %lld refused\n", (long long)score->hits,
           (long long)score->misses, (long long)score->fills, (long long)score->refused);
    /* A test in which nothing is found, or all is, shows nothing. */
    ck_assert_int_gt(score->hits, least);
    ck_assert_int_gt(score->misses, least);
    ck_assert_int_gt(score->fills, least);
}

START_TEST(any_order)
{
    uint64_t chance = draw_seed();
    struct request requests[REQUESTS] = {0}, memory = {.arena = arena_new(16384, 0)};
    struct score score = {0};

    for (int i = 0; i < REQUESTS; i++)
        requests[i].arena = arena_new(16384, 0);
    for (int i = 0; i < STEPS; i++) {
        int what = draw(&chance, 1000);
        if (what < 40)
            change(&chance, &memory);
        else if (what < 45)
            atomic_store(&way_of[draw(&chance, PATHS)], draw(&chance, WAYS));
        else if (what < 47)
            forget_on(draw(&chance, 2));
        else
            take_step(&requests[draw(&chance, REQUESTS)], &chance, &score);
    }
    for (int i = 0; i < REQUESTS; i++) {
        end(&requests[i]);
        arena_free(&requests[i].arena);
    }
    arena_free(&memory.arena);
    expect_both(&score, STEPS / 100);
    ck_assert_int_gt(score.refused, 0);
}
END_TEST

/* ---- at once ---- */

struct player {
    pthread_t thread;
    uint64_t chance;
    struct score score;
};

static void *play(void *with)
{
    struct player *player = with;
    struct request request = {.arena = arena_new(16384, 0)};

    for (int i = 0; i < PLAYER_STEPS; i++) {
        int what = draw(&player->chance, 1000);
        if (what < 40)
            change(&player->chance, &request);
        else if (what < 45)
            atomic_store(&way_of[draw(&player->chance, PATHS)], draw(&player->chance, WAYS));
        else
            do
                take_step(&request, &player->chance, &player->score);
            while (request.at != ASKS_NOTHING);
    }
    arena_free(&request.arena);
    return NULL;
}

START_TEST(at_once)
{
    uint64_t chance = draw_seed();
    struct player players[PLAYERS] = {0};
    struct score sum = {0};

    for (int i = 0; i < PLAYERS; i++) {
        players[i].chance = chance + (uint64_t)i * 7919;
        ck_assert_int_eq(pthread_create(&players[i].thread, NULL, play, &players[i]), 0);
    }
    for (int i = 0; i < PLAYERS; i++) {
        pthread_join(players[i].thread, NULL);
        sum.hits += players[i].score.hits;
        sum.misses += players[i].score.misses;
        sum.fills += players[i].score.fills;
        sum.refused += players[i].score.refused;
    }
    expect_both(&sum, PLAYER_STEPS / 100);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/gateway/history");
    TCase *one = tcase_create("one");

    tcase_add_checked_fixture(one, open_two_stores, close_two_stores);
    tcase_add_test(one, any_order);
    tcase_add_test(one, at_once);
    suite_add_tcase(suite, one);
    return suite_run(suite);
}
