/*
 * The snippets for Django, FastAPI and Express, in the shops of tests/frameworks/, which use them as they say. A shop
 * tells how many orders were written, through its cache; an order of Alice makes her view out of date, and nobody
 * else's.
 */
#include "browser.h"
#include "stand.h"
#include "suite.h"

#include <arpa/inet.h>
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FRAMEWORKS CW_SOURCE_DIR "/tests/frameworks"
#define NOWHERE    "http://127.0.0.1:1"
#define PYTHON     "/usr/bin/python3" /* the distribution's, with its packages */
/* How long a shop waits for Cachewarden: a slow machine is not what is tested, but for one that hangs. */
#define PATIENT_MS   "60000"
#define IMPATIENT_MS "500"
/* More than a user may clear in a minute. */
#define MANY_ORDERS 12

static struct stand stand;

struct shop {
    pid_t pid;
    struct http_client *http;
    char url[64];
};

/* Where Node finds what is not beside a file of the source: the shop and the snippet it uses, with the package. */
static char node_folder[300];

static void set(const char *name, const char *value)
{
    ck_assert_int_eq(setenv(name, value, 1), 0);
}

/* ---- programs ---- */

struct command {
    const char *program, *arguments[4]; /* those there are, then NULL */
};

/* Ends with the test. What it prints comes out of *output_out, unless that is NULL. */
static pid_t start(const struct command *command, int *output_out)
{
    const char *const *arguments = command->arguments;
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
            (!output_out || dup2(ends[1], STDOUT_FILENO) >= 0))
            execlp(command->program, command->program, arguments[0], arguments[1], arguments[2],
                   arguments[3], (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    if (output_out)
        *output_out = ends[0];
    else
        close(ends[0]);
    return pid;
}

static void run(const struct command *command)
{
    int status;
    pid_t pid = start(command, NULL);

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s: status %x", command->program,
                  (unsigned)status);
}

/* As npm does it, but with a link; what npm packs and installs is tests/clients/node/test_package.mjs. */
static void install_for_node(void)
{
    char modules[sizeof node_folder + 16], package[sizeof modules + 16];

    snprintf(node_folder, sizeof node_folder, "%s/node", stand.directory);
    snprintf(modules, sizeof modules, "%s/node_modules", node_folder);
    snprintf(package, sizeof package, "%s/cachewarden", modules);
    ck_assert_int_eq(mkdir(node_folder, 0700), 0);
    ck_assert_int_eq(mkdir(modules, 0700), 0);
    ck_assert_int_eq(symlink(CW_SOURCE_DIR "/clients/node", package), 0);
    run(&(struct command){"cp",
                          {FRAMEWORKS "/express_shop.mjs",
                           CW_SOURCE_DIR "/docs/snippets/cachewarden_express.mjs", node_folder}});
}

static void open_stand(void)
{
    char key[STAND_KEY_SIZE], id[32];
    const struct stand_options limited = {
        .environment = (const char *const[]){"CACHEWARDEN_LIMITS_ENABLED=true", NULL}};

    stand_open(&stand, &limited);
    stand_key(&stand, key, "shop", (const char *const[]){"--scope", "admin", NULL});
    snprintf(id, sizeof id, "%lld", (long long)stand.alice.id);
    set("CACHEWARDEN_KEY", strchr(key, ' ') + 1);
    stand_key(&stand, key, "shop-entries",
              (const char *const[]){"--scope", "entries", "--namespace", "shop", NULL});
    set("CACHEWARDEN_ENTRIES_KEY", strchr(key, ' ') + 1);
    set("ALICE_ID", id);
    set("PYTHONPATH", CW_SOURCE_DIR "/docs/snippets:" CW_SOURCE_DIR "/clients/python");
    set("PYTHONDONTWRITEBYTECODE", "1");
    set("NODE_PATH", "/usr/share/nodejs"); /* where Debian has Express */
    set("SHOP_TIMEOUT_MS", PATIENT_MS);
    install_for_node();
}

static void close_stand(void)
{
    stand_close(&stand);
}

/* Its first line is where it listens. */
static void open_shop(struct shop *shop, const char *program, const char *file,
                      const char *cachewarden_url)
{
    char path[512];
    int output;

    set("CACHEWARDEN_URL", cachewarden_url);
    snprintf(path, sizeof path, "%s/%s", strcmp(program, "node") == 0 ? node_folder : FRAMEWORKS,
             file);
    shop->pid = start(&(struct command){program, {path}}, &output);
    FILE *lines = fdopen(output, "r");
    ck_assert_ptr_nonnull(lines);
    ck_assert_msg(fgets(shop->url, sizeof shop->url, lines) != NULL, "%s did not start", file);
    fclose(lines);
    shop->url[strcspn(shop->url, "\n")] = '\0';
    shop->http = http_client_new(shop->url);
}

static void close_shop(struct shop *shop)
{
    http_client_free(&shop->http);
    ck_assert_int_eq(kill(shop->pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(shop->pid, NULL, 0), shop->pid);
}

/* ---- the shops ---- */

static int version_of(const struct http_reply *reply)
{
    const char *version = http_header(reply, "X-Cache-Version");

    return version ? (int)strtol(version, NULL, 10) : 0;
}

static void expect_orders(struct shop *shop, const char *credential, int orders, int version)
{
    const struct http_reply *reply = http_get(shop->http, "/orders", credential);
    char text[16];

    snprintf(text, sizeof text, "%d", orders);
    expect_body(reply, 200, text);
    expect_header(reply, "X-Cache-Enabled", version > 0 ? "true" : "false");
    ck_assert_int_eq(version_of(reply), version);
}

/* An answer for nobody in particular says nothing about anybody's copy. */
static void expect_nobody(struct shop *shop, const char *credential, int orders)
{
    const struct http_reply *reply = http_get(shop->http, "/orders", credential);
    char text[16];

    snprintf(text, sizeof text, "%d", orders);
    expect_body(reply, 200, text);
    expect_header(reply, "X-Cache-Enabled", NULL);
    expect_header(reply, "X-Cache-Version", NULL);
}

/* As an operator would, until it is that. */
static void raise_bobs(int from, int to)
{
    char target[96];

    snprintf(target, sizeof target, "/api/server-management/clear-cache/?user_id=%lld",
             (long long)stand.bob.id);
    while (from++ < to)
        expect_status(http_post(stand.http, target, stand.root.bearer), 200);
}

static void keeps_views(struct shop *shop)
{
    const char *alice = stand.alice.bearer, *bob = stand.bob.bearer;
    int version = version_of(http_get(shop->http, "/orders", alice));
    int bobs = version_of(http_get(shop->http, "/orders", bob));

    expect_orders(shop, bob, 0, bobs);
    for (int orders = 1; orders <= MANY_ORDERS; orders++) {
        const struct http_reply *reply = http_post(shop->http, "/orders", alice);
        expect_status(reply, 201);
        /* The answer to a write brings the news itself. */
        ck_assert_int_eq(version_of(reply), ++version);
        expect_orders(shop, alice, orders, version);
    }
    /* Bob's view was kept all the while; nobody in particular has none. */
    expect_orders(shop, bob, 0, bobs);
    expect_nobody(shop, NULL, MANY_ORDERS);

    expect_status(http_post(shop->http, "/refused", alice), 409);
    expect_orders(shop, alice, MANY_ORDERS, version);

    /* A version that Alice had, too, when there was an order less: what was kept for her is not his. */
    raise_bobs(bobs, version - 1);
    expect_orders(shop, bob, MANY_ORDERS, version - 1);
}

/* Which summary it is: they are numbered as they are made. */
static int summary(struct shop *shop, const char *target, const char *credential)
{
    const struct http_reply *reply = http_get(shop->http, target, credential);

    expect_status(reply, 200);
    return (int)strtol(reply->body, NULL, 10);
}

/* In the cache service: for a user, a version and a query, until a clear of the model. */
static void keeps_summaries(struct shop *shop, bool keeps_nobodys)
{
    const char *alice = stand.alice.bearer, *bob = stand.bob.bearer;
    int hers = summary(shop, "/summary", alice), his = summary(shop, "/summary", bob);

    ck_assert_int_ne(hers, his);
    ck_assert_int_eq(summary(shop, "/summary", alice), hers);
    ck_assert_int_ne(summary(shop, "/summary?page=2", alice), hers);
    int nobodys = summary(shop, "/summary", NULL);
    ck_assert_int_eq(summary(shop, "/summary", NULL) == nobodys, keeps_nobodys);

    expect_status(http_post(stand.http, "/api/cache/clear/", alice), 200);
    int hers_now = summary(shop, "/summary", alice);
    ck_assert_int_ne(hers_now, hers);
    ck_assert_int_eq(summary(shop, "/summary", bob), his);

    expect_status(http_post(shop->http, "/imports", NULL), 201);
    ck_assert_int_ne(summary(shop, "/summary", alice), hers_now);
    ck_assert_int_ne(summary(shop, "/summary", bob), his);
}

static void goes_on_alone(struct shop *shop)
{
    expect_orders(shop, stand.bob.bearer, 0, 0);
    const struct http_reply *reply = http_post(shop->http, "/orders", stand.bob.bearer);
    expect_status(reply, 201);
    expect_header(reply, "X-Cache-Enabled", "false");
    expect_orders(shop, stand.bob.bearer, 1, 0);
}

static const char *const shops[][2] = {
    {PYTHON, "django_shop.py"}, {PYTHON, "fastapi_shop.py"}, {"node", "express_shop.mjs"}};
#define SHOPS ((int)(sizeof shops / sizeof *shops))

START_TEST(a_shop_keeps_views_and_clears_them)
{
    struct shop shop;

    open_shop(&shop, shops[_i][0], shops[_i][1], stand.server.base_url);
    keeps_views(&shop);
    /* Express keeps what it answers without a credential, too. */
    keeps_summaries(&shop, strcmp(shops[_i][0], "node") == 0);
    close_shop(&shop);
}
END_TEST

/* A page that has only a cookie has a view, too; cookies of other things are nobody's. */
START_TEST(a_shop_knows_a_session)
{
    struct shop shop;
    struct browser browser;
    char cookie[BROWSER_SESSION_SIZE + 128];

    browser_open(&browser, stand.http, stand.server.base_url);
    browser_sign_in(&browser, "bob", STAND_PASSWORD);
    snprintf(cookie, sizeof cookie, "Cookie: theme=dark; %s=%s", browser.session_name,
             browser.session);
    open_shop(&shop, shops[_i][0], shops[_i][1], stand.server.base_url);
    int version = version_of(http_get(shop.http, "/orders", stand.bob.bearer));
    expect_orders(&shop, cookie, 0, version);
    expect_nobody(&shop, "Cookie: theme=dark", 0);
    expect_nobody(&shop, "Authorization: Bearer none", 0);
    /* A write of theirs clears their view. */
    expect_status(http_post(shop.http, "/orders", cookie), 201);
    close_shop(&shop);
}
END_TEST

START_TEST(a_shop_goes_on_without_cachewarden)
{
    struct shop shop;

    open_shop(&shop, shops[_i][0], shops[_i][1], NOWHERE);
    goes_on_alone(&shop);
    close_shop(&shop);
}
END_TEST

/* Takes connections and requests, as a program that was stopped does, and never answers. */
static int hang(char url_out[64])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(fd, 64), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    snprintf(url_out, 64, "http://127.0.0.1:%d", ntohs(address.sin_port));
    return fd;
}

START_TEST(a_shop_goes_on_while_cachewarden_hangs)
{
    struct shop shop;
    char url[64];
    int fd = hang(url);

    set("SHOP_TIMEOUT_MS", IMPATIENT_MS);
    open_shop(&shop, shops[_i][0], shops[_i][1], url);
    set("SHOP_TIMEOUT_MS", PATIENT_MS);
    goes_on_alone(&shop);
    close_shop(&shop);
    close(fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("frameworks");
    TCase *tcase = tcase_create("with Redis");
    tcase_add_unchecked_fixture(tcase, open_stand, close_stand);
    tcase_add_loop_test(tcase, a_shop_keeps_views_and_clears_them, 0, SHOPS);
    tcase_add_loop_test(tcase, a_shop_knows_a_session, 0, SHOPS);
    tcase_add_loop_test(tcase, a_shop_goes_on_without_cachewarden, 0, SHOPS);
    tcase_add_loop_test(tcase, a_shop_goes_on_while_cachewarden_hangs, 0, SHOPS);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
