/* Many who ask for one thing at once, on several nodes. */
#include "gateway_case.h"

#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* 1,000 at once; and as many on a node as may wait for an upstream there. */
enum { NODES = 3, MANY = 1000, FEW = 5, ASKED_MAX = MANY };

#define ROUTES(timeout_ms)                                                               \
    "{ prefix = \"/open\"; scope = \"public\"; timeout_ms = " timeout_ms "; UPSTREAM }," \
    "{ prefix = \"/mine\"; timeout_ms = " timeout_ms "; UPSTREAM }"
#define PATIENT "600000"

static struct cw_server others[NODES - 1];

/* The first request that reads waits for one of these, those behind it for one of those. */
static sem_t first_may_go, others_may_go;
static atomic_int came;

/* Says which one it was; under …/own it is for nobody else. */
static char *answer(void *arg, const struct origin_request *request)
{
    int number = atomic_fetch_add(&came, 1) + 1;
    char *text = malloc(200);

    (void)arg;
    if (strncmp(request->head, "GET ", 4) == 0)
        sem_wait(number == 1 ? &first_may_go : &others_may_go);
    snprintf(text, 200, "HTTP/1.1 200 OK\r\nCache-Control: %s\r\nContent-Length: 4\r\n\r\n%04d",
             strstr(request->head, "/own") ? "no-store"
             : strstr(request->head, "/stale") && number == 1
                 ? "max-age=0, stale-while-revalidate=3600"
                 : "max-age=3600",
             number);
    return text;
}

static void open_origin(void)
{
    sem_init(&first_may_go, 0, 0);
    sem_init(&others_may_go, 0, 0);
    atomic_store(&came, 0);
    unlink(origin_socket);
    origin = scripted_origin_start(
        &(struct scripted_origin_options){.unix_path = origin_socket, .answer = answer});
}

/* ---- nodes ---- */

/* A thousand connections are more than some shells allow. */
static void allow_many_files(void)
{
    struct rlimit files;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
}

static void open_nodes(void)
{
    allow_many_files();
    gateway_stand_open(ROUTES(PATIENT), "limits: { enabled = false; };");
    for (int i = 0; i < NODES - 1; i++)
        gateway_start_node(&others[i], gateway_config);
}

static void close_nodes(void)
{
    for (int i = 0; i < NODES - 1; i++)
        cw_server_stop(&others[i]);
    gateway_stand_close();
}

/* ---- clients ---- */

static struct raw *clients[ASKED_MAX];
static int asked;

static void begin(void)
{
    asked = 0;
    open_origin();
}

static void ask(const struct cw_server *node, const char *path, int count)
{
    for (int i = 0; i < count; i++) {
        clients[asked] = raw_open(node->port);
        raw_print(clients[asked], "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n\r\n", path,
                  strncmp(path, "/mine", 5) == 0 ? stand.alice.bearer : "Accept: */*");
        asked++;
    }
}

static bool has_first(const void *unused)
{
    (void)unused;
    return atomic_load(&came) > 0;
}

/* Until the origin has one request, from this node. */
static void ask_first(const struct cw_server *node, const char *path, int count)
{
    ask(node, path, count);
    stand_wait(has_first, NULL, "no request came");
}

static bool do_wait_on(const struct cw_server *node, int count)
{
    struct http_client *http = http_client_new(node->base_url);
    const struct http_reply *reply = http_get(http, "/metrics", stand.root.bearer);
    char line[80];

    snprintf(line, sizeof line, "\ncachewarden_http_connections_waiting %d\n", count);
    bool is_true = reply && strstr(reply->body, line);
    http_client_free(&http);
    return is_true;
}

/* Or more ask the origin than are to. */
static bool do_all_wait(const void *with)
{
    for (int i = 0; i < NODES - 1; i++)
        if (!do_wait_on(&others[i], *(const int *)with))
            return scripted_origin_count(origin) > 1;
    return true;
}

/* Until each of them has found somebody else at it, and waits without a worker. */
static void ask_others(const char *path, int count)
{
    for (int i = 0; i < NODES - 1; i++)
        ask(&others[i], path, count);
    stand_wait(do_all_wait, &count, "not all of them wait");
    ck_assert_uint_eq(scripted_origin_count(origin), 1);
}

static void expect_reply(int client, const char *body)
{
    expect_body(raw_reply(clients[client], PATIENCE_MS), 200, body);
    raw_close(&clients[client]);
}

static void end(size_t requests)
{
    for (int i = 0; i < asked; i++)
        raw_close(&clients[i]);
    ck_assert_uint_eq(scripted_origin_count(origin), requests);
    origin_close();
}

/* ---- tests ---- */

START_TEST(a_thousand_misses_on_three_nodes_are_one_request)
{
    enum { ON_OTHERS = MANY / NODES };

    begin();
    ask_first(&stand.server, "/open/thousand", MANY - (NODES - 1) * ON_OTHERS);
    ask_others("/open/thousand", ON_OTHERS);
    sem_post(&first_may_go);
    for (int i = 0; i < MANY; i++)
        expect_reply(i, "0001");
    end(1);
}
END_TEST

/* It takes some seconds until it is known that the node is gone. */
START_TEST(a_node_that_dies_leaves_it_to_another)
{
    struct cw_server dying;
    int status;

    begin();
    gateway_start_node(&dying, gateway_config);
    ask_first(&dying, "/open/dies", 1);
    ask_others("/open/dies", FEW);
    kill(dying.pid, SIGKILL);
    sem_post(&first_may_go);
    sem_post(&others_may_go);
    for (int i = 1; i < asked; i++)
        expect_reply(i, "0002");
    end(2);
    waitpid(dying.pid, &status, 0);
}
END_TEST

/* They wait for it while it may be for all; then all of them go at once. */
START_TEST(what_cannot_be_shared_is_not_waited_for_one_after_the_other)
{
    begin();
    ask_first(&stand.server, "/open/own", 1);
    ask_others("/open/own", FEW);
    sem_post(&first_may_go);
    expect_reply(0, "0001");
    scripted_origin_wait_count(origin, (size_t)asked);
    for (int i = 1; i < asked; i++)
        sem_post(&others_may_go);
    for (int i = 1; i < asked; i++)
        expect_status(raw_reply(clients[i], PATIENCE_MS), 200);
    end((size_t)asked);
}
END_TEST

/* Its time is that of a request of its own, however slow the other one is. */
START_TEST(who_has_waited_for_long_asks_by_itself)
{
    struct cw_server hasty;
    static char config[sizeof gateway_config];

    begin();
    snprintf(config, sizeof config, "%s", gateway_config);
    for (char *at; (at = strstr(config, PATIENT));)
        memcpy(at, "2000  ", strlen(PATIENT));
    gateway_start_node(&hasty, config);
    ask_first(&stand.server, "/open/slow", 1);
    ask(&hasty, "/open/slow", 1);
    sem_post(&others_may_go);
    expect_reply(1, "0002");
    sem_post(&first_may_go);
    expect_status(raw_reply(clients[0], PATIENCE_MS), 200);
    end(2);
    cw_server_stop(&hasty);
}
END_TEST

static void clear_mine(const char *path)
{
    (void)path;
    expect_status(http_post(stand.http, "/api/cache/clear/", stand.alice.bearer), 200);
}

/* A user's own clear, and a change of the path that drops it. */
static void change_mine(const char *path)
{
    struct raw *client = raw_open(stand.server.port);

    raw_print(client, "PUT %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n%s\r\n\r\n", path,
              stand.alice.bearer);
    expect_status(raw_reply(client, PATIENCE_MS), 200);
    raw_close(&client);
}

/* What is fetched since before the change is not for who asks behind it, on any node; nor is it waited for. */
static void expect_nobody_waits(const char *path, void (*change)(const char *path), size_t requests)
{
    char last[8];

    snprintf(last, sizeof last, "%04zu", requests);
    begin();
    ask_first(&stand.server, path, 1);
    sem_post(&others_may_go);
    change(path);
    ask(&stand.server, path, 1);
    expect_reply(1, last);
    for (int i = 0; i < NODES - 1; i++)
        ask(&others[i], path, FEW);
    for (int i = 2; i < asked; i++)
        expect_reply(i, last);
    sem_post(&first_may_go);
    expect_reply(0, "0001");
    end(requests);
}

START_TEST(nobody_waits_for_what_was_cleared_before_it_asked)
{
    expect_nobody_waits("/mine/cleared", clear_mine, 2);
}
END_TEST

START_TEST(nobody_waits_for_what_was_dropped_before_it_asked)
{
    expect_nobody_waits("/mine/changed", change_mine, 3);
}
END_TEST

static bool do_few_wait(const void *count)
{
    return do_wait_on(&others[0], FEW - 1) ||
           scripted_origin_count(origin) > *(const size_t *)count;
}

/* What was asked for is void each time. Then they are as many as before. */
START_TEST(many_misses_behind_clears_that_follow_each_other_are_one_request)
{
    size_t count = 0;

    begin();
    for (int i = 0; i < 3; i++) {
        ask(&others[0], "/mine/again", 1);
        scripted_origin_wait_count(origin, ++count);
        change_mine("/mine/again");
        count++;
        sem_post(i == 0 ? &first_may_go : &others_may_go);
        const struct http_reply *reply = raw_reply(clients[i], PATIENCE_MS);
        expect_status(reply, 200);
        ck_assert_ptr_nonnull(strstr(http_header(reply, "Cache-Status"), "cleared-meanwhile"));
        raw_close(&clients[i]);
    }
    ask(&others[0], "/mine/again", FEW);
    count++;
    stand_wait(do_few_wait, &count, "not all of them wait");
    sem_post(&others_may_go);
    for (int i = 3; i < asked; i++)
        expect_reply(i, "0007");
    end(count);
}
END_TEST

static bool is_fresh(const void *path)
{
    const struct http_reply *reply = http_get(stand.http, path, "Host: localhost");

    return reply && reply->status == 200 && strcmp(http_header(reply, "X-Cache"), "HIT") == 0;
}

/* Whoever is late finds that it is fresh. */
START_TEST(what_is_stale_is_fetched_anew_by_one_node)
{
    begin();
    sem_post(&first_may_go);
    ask(&stand.server, "/open/stale", 1);
    expect_reply(0, "0001");
    for (int i = 0; i < NODES - 1; i++) {
        ask(&others[i], "/open/stale", 1);
        expect_reply(asked - 1, "0001");
    }
    scripted_origin_wait_count(origin, 2);
    sem_post(&others_may_go);
    /* Else the next test's origin may be asked once more. */
    stand_wait(is_fresh, "/open/stale", "what was fetched anew is not served");
    end(2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http/gateway_nodes");
    TCase *all = tcase_create("all");

    tcase_add_unchecked_fixture(all, open_nodes, close_nodes);
    tcase_add_test(all, a_thousand_misses_on_three_nodes_are_one_request);
    tcase_add_test(all, a_node_that_dies_leaves_it_to_another);
    tcase_add_test(all, what_cannot_be_shared_is_not_waited_for_one_after_the_other);
    tcase_add_test(all, who_has_waited_for_long_asks_by_itself);
    tcase_add_test(all, what_is_stale_is_fetched_anew_by_one_node);
    tcase_add_test(all, nobody_waits_for_what_was_cleared_before_it_asked);
    tcase_add_test(all, nobody_waits_for_what_was_dropped_before_it_asked);
    tcase_add_test(all, many_misses_behind_clears_that_follow_each_other_are_one_request);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
