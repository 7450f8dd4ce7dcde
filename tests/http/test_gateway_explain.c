/* `cachewarden gateway explain` beside what the gateway then does. */
#include "gateway_case.h"

#define CACHED "Cache-Control: max-age=3600\r\n"
#define LEN(n) "Content-Length: " #n "\r\n"

static struct cw_result result;

#define ROUTES                                                \
    "{ prefix = \"/open\"; scope = \"public\"; UPSTREAM },\n" \
    "{ prefix = \"/mine\"; UPSTREAM },\n"                     \
    "{ prefix = \"/things\"; scope = \"public\"; models = [ \"things\" ]; UPSTREAM }"

static struct redis_server *store; /* where responses lie, if not with control data */

static void open_stand(void)
{
    gateway_stand_open(ROUTES, "limits: { enabled = false; };");
}

static void open_stand_apart(void)
{
    char url[400];

    store = redis_server_start(&(struct redis_server_options){0});
    snprintf(url, sizeof url, "CACHEWARDEN_ENTRIES_REDIS_URL=%s", redis_server_url(store));
    gateway_stand_open_in((const char *const[]){url, NULL}, ROUTES,
                          "limits: { enabled = false; };");
}

static void close_stand_apart(void)
{
    gateway_stand_close();
    redis_server_stop(&store);
}

static struct redis_server *responses(void)
{
    return store ? store : stand.redis;
}

static const char *fresh(const char *prefix)
{
    static char path[64];
    static int count;

    snprintf(path, sizeof path, "%s/%d-%d", prefix, (int)getpid(), count++);
    return path;
}

/* Up to four more arguments. */
static const char *explain(const char *path, const char *const more[4])
{
    char url[256];
    const char *arguments[12] = {"gateway", "explain", url, "--json"};

    snprintf(url, sizeof url, "%s%s", stand.server.base_url, path);
    for (int i = 0; i < 4 && more && more[i]; i++)
        arguments[4 + i] = more[i];
    cw_result_fini(&result);
    stand_cli(&stand, NULL, arguments, &result);
    ck_assert_msg(result.status == 0, "exit %d\n%s%s", result.status, result.out, result.err);
    return result.out;
}

#define WITH(...) ((const char *const[4]){__VA_ARGS__})

static void expect_told(const char *words)
{
    ck_assert_msg(strstr(result.out, words) != NULL, "no %s in %s", words, result.out);
}

/* As far as it does not depend on the clock or on what the upstream says. */
static size_t length_of_reason(const char *status)
{
    static const char *const ends[] = {"; fwd-status", "; stored", "; ttl="};
    size_t len = strlen(status);

    for (size_t i = 0; i < 3; i++) {
        const char *at = strstr(status, ends[i]);
        if (at && (size_t)(at - status) < len)
            len = (size_t)(at - status);
    }
    return len;
}

/* What was told before is what the answer says. */
static void expect_agreement(const struct http_reply *reply)
{
    const char *status = http_header(reply, "Cache-Status"), *cache = http_header(reply, "X-Cache");
    char told[256];

    ck_assert_ptr_nonnull(status);
    ck_assert_ptr_nonnull(cache);
    snprintf(told, sizeof told, "\"x_cache\":\"%s\"", cache);
    expect_told(told);
    int len = snprintf(told, sizeof told, "\"cache_status\":\"");
    for (size_t i = 0; i < length_of_reason(status); i++)
        len += snprintf(told + len, sizeof told - (size_t)len, status[i] == '"' ? "\\%c" : "%c",
                        status[i]);
    expect_told(told);
}

static const struct http_reply *get(const char *path, const char *credential)
{
    return http_get(stand.http, path, credential);
}

/* ---- what is stored ---- */

START_TEST(before_and_after_a_fill)
{
    const char *path = fresh("/mine");

    ORIGIN_SAY(origin, OK_WITH(CACHED LEN(5) "Cache-Tag: shelf\r\n", "hello"));
    explain(path, WITH("--user", stand.alice.name));
    expect_told("\"state\":\"nothing\"");
    expect_told("\"stored\":null");
    expect_agreement(get(path, stand.alice.bearer));
    explain(path, WITH("--user", stand.alice.name));
    expect_told("\"prefix\":\"/mine\",\"scope\":\"user\"");
    expect_told("\"state\":\"fresh\",\"cause\":null");
    expect_told("\"status\":200,\"size\":5");
    expect_told("\"lifetime\":3600,\"freshness\":\"max-age\"");
    expect_told("\"tags\":[{\"name\":\"shelf\",\"filled\":0,\"now\":0}]");
    expect_agreement(get(path, stand.alice.bearer));
    /* Nothing was asked upstream, and the other user has nothing. */
    ck_assert_uint_eq(scripted_origin_count(origin), 1);
    explain(path, WITH("--user", stand.bob.name));
    expect_told("\"state\":\"nothing\"");
}
END_TEST

START_TEST(the_key_is_told_as_it_lies_in_redis)
{
    char path[128], told[256];
    const char *key;

    snprintf(path, sizeof path, "%s?b=1&a", fresh("/open"));
    ORIGIN_SAY(origin, OK_WITH(CACHED LEN(1), "a"));
    get(path, NULL);
    explain(path, NULL);
    expect_told("\"user_id\":null");
    expect_told("\"query\":\"b=1&a\",\"vary\":[]");
    snprintf(told, sizeof told, "\"origin\":\"%s\"", stand.server.base_url);
    expect_told(told);
    key = strstr(result.out, "\"redis_key\":\"");
    ck_assert_ptr_nonnull(key);
    key += strlen("\"redis_key\":\"");
    snprintf(told, sizeof told, "%.*s", (int)strcspn(key, "\""), key);
    ck_assert_int_eq(redis_server_ask_integer(responses(), "EXISTS %s", told), 1);
    /* What somebody else writes there is no record. */
    redis_server_do(responses(), "SET %s garbage", told);
    explain(path, NULL);
    expect_told("\"state\":\"unreadable\"");
    ORIGIN_SAY(origin, OK_WITH(CACHED LEN(1), "a"));
    expect_agreement(get(path, NULL));
}
END_TEST

START_TEST(variants_are_told_apart)
{
    const char *path = fresh("/open");

    scripted_origin_always(
        origin, &(struct origin_answer){.bytes = OK_WITH(CACHED LEN(1) "Vary: X-Kind\r\n", "a")});
    const char *const big[] = {"X-Kind: big", NULL};
    expect_status(http_send(stand.http, "GET", path, big, NULL, 0), 200);
    explain(path, WITH("--header", "X-Kind: big"));
    expect_told("\"vary\":[{\"name\":\"x-kind\",\"value\":\"big\"}]");
    expect_told("\"state\":\"fresh\"");
    expect_agreement(http_send(stand.http, "GET", path, big, NULL, 0));
    explain(path, NULL);
    expect_told("\"vary\":[{\"name\":\"x-kind\",\"value\":null}]");
    expect_told("\"state\":\"other variants\"");
    expect_agreement(get(path, NULL));
}
END_TEST

/* ---- why it is not served ---- */

START_TEST(a_clear_is_told_by_its_number)
{
    const char *path = fresh("/mine");

    scripted_origin_always(origin, &(struct origin_answer){.bytes = OK_WITH(CACHED LEN(1), "a")});
    get(path, stand.alice.bearer);
    expect_status(http_post(stand.http, "/api/cache/clear/", stand.alice.bearer), 200);
    explain(path, WITH("--user", stand.alice.name));
    expect_told("\"state\":\"cleared\",\"cause\":\"version\"");
    expect_agreement(get(path, stand.alice.bearer));
    explain(path, WITH("--user", stand.alice.name));
    expect_told("\"state\":\"fresh\"");
}
END_TEST

START_TEST(clears_of_models_are_told_by_their_names)
{
    const char *path = fresh("/things");
    const char *everything = "/api/v1/entries?namespace=gateway";
    const char *model = "/api/v1/models/things?namespace=gateway";
    const char *softly = "/api/v1/models/things?namespace=gateway&soft=true";

    scripted_origin_always(origin, &(struct origin_answer){.bytes = OK_WITH(CACHED LEN(1), "a")});
    get(path, NULL);
    expect_status(http_call(stand.http, "DELETE", softly, stand.root.bearer), 200);
    explain(path, NULL);
    expect_told("\"state\":\"cleared softly\"");
    expect_told("\"x_cache\":\"STALE\"");
    expect_status(http_call(stand.http, "DELETE", model, stand.root.bearer), 200);
    explain(path, NULL);
    expect_told("\"state\":\"cleared\",\"cause\":\"model things\"");
    expect_agreement(get(path, NULL));
    expect_status(http_call(stand.http, "DELETE", everything, stand.root.bearer), 200);
    explain(path, NULL);
    expect_told("\"state\":\"cleared\",\"cause\":\"everything\"");
    expect_told("{\"name\":\"everything\",\"filled\":0,\"now\":1}");
    expect_agreement(get(path, NULL));
    redis_server_do(stand.redis, "DEL cw:{gateway}:m");
    explain(path, NULL);
    expect_told("\"state\":\"cleared\",\"cause\":\"models-lost\"");
    expect_agreement(get(path, NULL));
}
END_TEST

START_TEST(a_change_is_told)
{
    const char *path = fresh("/open");

    scripted_origin_always(origin, &(struct origin_answer){.bytes = OK_WITH(CACHED LEN(1), "a")});
    get(path, NULL);
    explain(path, WITH("--method", "POST"));
    expect_told("\"is_asked\":false");
    expect_agreement(http_post(stand.http, path, NULL));
    explain(path, NULL);
    expect_told("\"state\":\"dropped\"");
    expect_agreement(get(path, NULL));
}
END_TEST

START_TEST(a_cache_that_is_off_is_told)
{
    const char *path = fresh("/mine");

    scripted_origin_always(origin, &(struct origin_answer){.bytes = OK_WITH(CACHED LEN(1), "a")});
    get(path, stand.bob.bearer);
    expect_status(http_post(stand.http, "/api/cache/disable/", stand.bob.bearer), 200);
    explain(path, WITH("--user", stand.bob.name));
    expect_told("\"enabled\":false");
    expect_agreement(get(path, stand.bob.bearer));
    expect_status(http_post(stand.http, "/api/cache/enable/", stand.bob.bearer), 200);
}
END_TEST

START_TEST(what_is_stale_is_told)
{
    const char *path = fresh("/open");

    scripted_origin_always(
        origin, &(struct origin_answer){
                    .bytes = OK_WITH("Cache-Control: max-age=0\r\nETag: \"e\"\r\n" LEN(1), "a")});
    get(path, NULL);
    explain(path, NULL);
    expect_told("\"state\":\"stale\"");
    expect_agreement(get(path, NULL));
}
END_TEST

START_TEST(what_the_request_wants_is_told)
{
    static const char *const fields[] = {"Cache-Control: no-cache", "Cache-Control: no-store",
                                         "If-Match: \"x\"", "Cache-Control: min-fresh=7200"};
    const char *path = fresh("/open");

    scripted_origin_always(origin, &(struct origin_answer){.bytes = OK_WITH(CACHED LEN(1), "a")});
    explain(path, WITH("--header", "Cache-Control: only-if-cached"));
    expect_agreement(get(path, "Cache-Control: only-if-cached"));
    get(path, NULL);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        explain(path, WITH("--header", fields[i]));
        expect_told("\"state\":\"fresh\"");
        expect_agreement(get(path, fields[i]));
    }
    explain(path, WITH("--header", "Cookie: any"));
    expect_told("\"not_storable\":\"credentials\"");
    expect_agreement(get(path, "Cookie: a=b"));
    explain(path, WITH("--header", "Cache-Control: no-store"));
    expect_told("\"not_storable\":\"request-no-store\"");
}
END_TEST

/* ---- for people, and what is refused ---- */

static void run(const char *const *arguments)
{
    cw_result_fini(&result);
    stand_cli(&stand, NULL, arguments, &result);
}

static void expect_words(const char *path, const char *user, const char *words)
{
    char url[256];

    snprintf(url, sizeof url, "%s%s", stand.server.base_url, path);
    run((const char *const[]){"gateway", "explain", url, "--user", user, NULL});
    ck_assert_int_eq(result.status, 0);
    expect_told(words);
}

START_TEST(it_is_told_in_words)
{
    const char *path = fresh("/mine");
    char id[32];

    scripted_origin_always(origin, &(struct origin_answer){.bytes = OK_WITH(CACHED LEN(1), "a")});
    snprintf(id, sizeof id, "%lld", (long long)stand.alice.id);
    expect_words(path, id, "  verdict    nothing is stored: ");
    get(path, stand.alice.bearer);
    expect_words(path, id, "  verdict    fresh: it is served\n");
    expect_words(path, id, "  answer     X-Cache: HIT\n");
    expect_words(path, id, " (max-age: 3600 s)\n");
    expect_status(http_post(stand.http, "/api/cache/clear/", stand.alice.bearer), 200);
    expect_words(path, id, "cleared: this user's cache, or everybody's, was cleared since\n");
    expect_words(path, id, " (now ");
}
END_TEST

START_TEST(what_cannot_be_explained_says_why)
{
    static const struct {
        const char *arguments[5];
        int status;
        const char *words;
    } refused[] = {
        {{"/mine/x"}, 64, "such as https://shop.example.com/products, not \"/mine/x\""},
        {{"http:///mine"}, 64, "needs a host"},
        {{"http://me@h/mine"}, 64, "no user before it"},
        {{"http://h/mine#x"}, 64, "leave out what is behind #"},
        {{"http://h/mine"}, 64, "needs --user NAME"},
        {{"http://h/open", "--method", "G T"}, 64, "--method is one such as GET"},
        {{"http://h/open", "--header", "no colon"}, 64, "'Accept-Language: de'"},
        {{"http://h/other"}, 1, "no route of the gateway has the path /other"},
        {{"http://h/api/cache/status/"}, 1, "is an endpoint of this server"},
        {{"http://h/open/../mine"}, 1, "the server answers 400: A path with a segment . or .."},
        {{"http://h/open/%00"}, 1, "the server answers 400: A path with %00 is not passed on."},
        {{"http://h/open/\xc3\xbc"}, 64, "write others as %20 or %C3%BC"},
        {{"http://h/open?\xc3\xbc"}, 64, "write others as %20 or %C3%BC"},
        {{"ftp://h/open"}, 64, "with scheme and host"},
        {{"HTTP:/h/open"}, 64, "with scheme and host"},
        {{"http://h/mine", "--user", "nobody"}, 1, "--user: there is no user \"nobody\""},
        {{"http://h/mine", "--user", "99999"}, 1, "--user: there is no user \"99999\""},
        {{"http://h/mine", "--user", "a", "--stranger"}, 64, "--user is a number beside"},
    };

    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const char *arguments[8] = {"gateway", "explain"};
        for (size_t k = 0; k < 4 && refused[i].arguments[k]; k++)
            arguments[2 + k] = refused[i].arguments[k];
        run(arguments);
        ck_assert_msg(result.status == refused[i].status && strstr(result.err, refused[i].words),
                      "%s: exit %d\n%s%s", refused[i].arguments[0], result.status, result.out,
                      result.err);
    }
}
END_TEST

/* A request as it goes over the line, and as it is asked about: the same status, for the same reason. */
static void expect_refusal(const char *method, const char *host, const char *const fields[2])
{
    const char *arguments[12] = {"gateway", "explain", "URL", "--method", method};
    char url[128], head[512], wanted[256];
    int len = snprintf(head, sizeof head, "%s /open/x HTTP/1.1\r\nHost: %s\r\n", method, host);

    snprintf(url, sizeof url, "http://%s/open/x", host);
    arguments[2] = url;
    for (int i = 0; i < 2 && fields && fields[i]; i++) {
        arguments[5 + 2 * i] = "--header";
        arguments[6 + 2 * i] = fields[i];
        len += snprintf(head + len, sizeof head - (size_t)len, "%s\r\n", fields[i]);
    }
    snprintf(head + len, sizeof head - (size_t)len, "\r\n");
    struct raw *raw = raw_open(stand.server.port);
    raw_send(raw, head, strlen(head));
    const struct http_reply *reply = raw_reply(raw, PATIENCE_MS);
    const char *detail = strstr(reply->body, "\"detail\":\"");
    ck_assert_msg(reply->status >= 400 && detail, "%s %s: %d %s", method, host, reply->status,
                  reply->body);
    detail += strlen("\"detail\":\"");
    snprintf(wanted, sizeof wanted, "the server answers %d: %.*s", reply->status,
             (int)strcspn(detail, "\""), detail);
    raw_close(&raw);
    run(arguments);
    ck_assert_msg(result.status == 1 && strstr(result.err, wanted), "%s %s: exit %d, not %s\n%s%s",
                  method, host, result.status, wanted, result.out, result.err);
}

START_TEST(what_the_server_refuses_is_told_as_that)
{
    static const char *const hosts[] = {"h:abc", "h:99999", "a,b", "[::1", "h:0"};

    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        expect_refusal("GET", hosts[i], NULL);
    expect_refusal("TRACE", "h", NULL);
    expect_refusal("CONNECT", "h", NULL);
    expect_refusal("GET", "h", (const char *const[]){"Upgrade: websocket", "Connection: Upgrade"});
    expect_refusal("GET", "h", (const char *const[]){"Connection: Authorization", NULL});
    expect_refusal("GET", "h", (const char *const[]){"Expect: more", NULL});
}
END_TEST

START_TEST(a_body_is_told)
{
    const char *path = fresh("/open");
    char url[256];

    scripted_origin_always(origin, &(struct origin_answer){.bytes = OK_WITH(CACHED LEN(1), "a")});
    get(path, NULL);
    explain(path, WITH("--header", "Content-Length: 0"));
    expect_told("\"x_cache\":\"HIT\"");
    explain(path, WITH("--header", "Transfer-Encoding: chunked"));
    expect_told("\"is_asked\":false");
    explain(path, WITH("--header", "Content-Length: 4"));
    expect_told("\"is_asked\":false");
    expect_agreement(http_send(stand.http, "GET", path, NULL, "body", 4));
    snprintf(url, sizeof url, "%s%s", stand.server.base_url, path);
    run((const char *const[]){"gateway", "explain", url, "--header", "Content-Length: 4", NULL});
    expect_told("the cache is not asked, because the request has a body");
}
END_TEST

/* The scheme says the same in capitals; a Host goes as it is. */
START_TEST(the_url_is_read_as_clients_read_it)
{
    char url[256];

    snprintf(url, sizeof url, "HTTP%.200s/open/x", stand.server.base_url + strlen("http"));
    run((const char *const[]){"gateway", "explain", url, "--json", NULL});
    ck_assert_msg(result.status == 0, "%s", result.err);
    expect_told("\"origin\":\"http://127.0.0.1:");
    run((const char *const[]){"gateway", "explain", "http://h:80/open/x", "--json", NULL});
    expect_told("\"origin\":\"http://h\"");
    run((const char *const[]){"gateway", "explain", "http://h/open/x", "--header", "Host: g:80",
                              "--json", NULL});
    expect_told("\"origin\":\"http://g:80\"");
}
END_TEST

START_TEST(routes_are_listed)
{
    run((const char *const[]){"routes", NULL});
    ck_assert_int_eq(result.status, 0);
    expect_told("\n*       /mine ");
    run((const char *const[]){"routes", "--json", NULL});
    expect_told("{\"method\":\"*\",\"path\":\"/open\",\"name\":\"gateway:/open\","
                "\"permission\":\"public\",\"limit\":null,\"summary\":\"Passed on by the gateway, "
                "with all below it, to unix:/");
}
END_TEST

START_TEST(a_stranger_has_a_key_of_their_own)
{
    const char *path = fresh("/mine");
    char bearer[MINT_SIZE];

    ORIGIN_SAY(origin, OK_WITH(CACHED LEN(1), "a"));
    expect_status(get(path, stand_stranger(bearer, 987654)), 200);
    explain(path, WITH("--user", "987654", "--stranger"));
    expect_told("\"state\":\"fresh\"");
    expect_agreement(get(path, bearer));
}
END_TEST

static void close_result(void)
{
    cw_result_fini(&result);
    origin_close();
}

START_TEST(a_redis_that_is_away_is_told)
{
    char url[256];

    snprintf(url, sizeof url, "%s%s", stand.server.base_url, fresh("/open"));
    redis_server_kill(responses());
    cw_result_fini(&result);
    stand_cli(&stand, NULL, (const char *const[]){"gateway", "explain", url, NULL}, &result);
    redis_server_restart(responses());
    ck_assert_int_eq(result.status, 1);
    ck_assert_str_eq(result.out, "");
    ck_assert_ptr_nonnull(strstr(result.err, "redis unavailable"));
}
END_TEST

static void add_all(Suite *suite, const char *name, void (*open)(void), void (*close)(void))
{
    TCase *tests = tcase_create(name);

    tcase_add_unchecked_fixture(tests, open, close);
    tcase_add_checked_fixture(tests, origin_open, close_result);
    tcase_add_test(tests, before_and_after_a_fill);
    tcase_add_test(tests, the_key_is_told_as_it_lies_in_redis);
    tcase_add_test(tests, variants_are_told_apart);
    tcase_add_test(tests, a_clear_is_told_by_its_number);
    tcase_add_test(tests, clears_of_models_are_told_by_their_names);
    tcase_add_test(tests, a_change_is_told);
    tcase_add_test(tests, a_cache_that_is_off_is_told);
    tcase_add_test(tests, what_is_stale_is_told);
    tcase_add_test(tests, what_the_request_wants_is_told);
    tcase_add_test(tests, it_is_told_in_words);
    tcase_add_test(tests, what_cannot_be_explained_says_why);
    tcase_add_test(tests, what_the_server_refuses_is_told_as_that);
    tcase_add_test(tests, a_body_is_told);
    tcase_add_test(tests, the_url_is_read_as_clients_read_it);
    tcase_add_test(tests, routes_are_listed);
    tcase_add_test(tests, a_stranger_has_a_key_of_their_own);
    tcase_add_test(tests, a_redis_that_is_away_is_told);
    suite_add_tcase(suite, tests);
}

int main(void)
{
    Suite *suite = suite_create("gateway explain");

    add_all(suite, "explain", open_stand, gateway_stand_close);
    add_all(suite, "responses apart", open_stand_apart, close_stand_apart);
    return suite_run(suite);
}
