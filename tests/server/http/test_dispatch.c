/* The walk in order, with real identities and no socket: what is asked first is answered first. */
#include "http/dispatch.h"

#include "http/cookies.h"
#include "http/router.h"

#include "cw_server.h"
#include "suite.h"

#include "cachewarden/app.h"
#include "cachewarden/arena.h"
#include "cachewarden/clock.h"
#include "cachewarden/redis_error.h"
#include "cachewarden/token.h"

#include <stdio.h>
#include <stdlib.h>

#define SAYS_401 "{\"detail\":\"Authentication credentials were not provided.\"}"
#define SAYS_403 "{\"detail\":\"You do not have permission to perform this action.\"}"

/* ---- routes ---- */

static int calls;
static int64_t acted_as; /* user_id of the last call */

static enum err op_note(struct call *call)
{
    calls++;
    acted_as = call->principal.user_id;
    json_open_object(&call->reply.json);
    json_add_integer(&call->reply.json, "as", call->principal.user_id);
    json_close_object(&call->reply.json);
    return ERR_OK;
}

static enum err op_deadline(struct call *call)
{
    int left_ms = clock_left_ms(call->deadline_ns);

    calls++;
    ck_assert_int_gt(left_ms, 0);
    ck_assert_int_le(left_ms, 500);
    ck_assert_int_gt(call->now_s, 1600000000);
    ck_assert(str_eq(call->request_id, STR("r1")));
    ck_assert(str_eq(call->client_address, STR("192.0.2.7")));
    call->reply.outcome = OUTCOME_NO_CONTENT;
    return ERR_OK;
}

static enum err op_param(struct call *call)
{
    calls++;
    json_open_object(&call->reply.json);
    json_add_string(&call->reply.json, "name", call_param(call, "name")->text);
    json_close_object(&call->reply.json);
    return ERR_OK;
}

static enum err op_redis_down(struct call *call)
{
    calls++;
    return redis_error_set(&call->error, ERR_UPSTREAM_DOWN, REDIS_ERROR_UNAVAILABLE,
                           "connect: nobody there");
}

/* Answers with what it was given. */
static enum err op_entry(struct call *call)
{
    calls++;
    if (call->route->method == METHOD_GET && call_param(call, "label")->text.ptr[0] == 'm') {
        call->reply.outcome = OUTCOME_MISS;
        call->reply.cache_result = CACHE_RESULT_MISS;
        return ERR_OK;
    }
    struct str said = str_format(call->arena, "%.*s|%.*s|%.*s|%.*s|%.*s|%d",
                                 STR_ARG(call_param(call, "label")->text),
                                 STR_ARG(call->content_type), STR_ARG(call->lease),
                                 STR_ARG(call->if_none_match), STR_ARG(call->body), call->is_head);
    call_give_content(call, said, STR("text/plain"));
    return ERR_OK;
}

static const struct param_spec entry[] = {
    {.name = "label", .kind = PARAM_LABEL, .place = PLACE_PATH},
    {.name = "namespace", .kind = PARAM_NAMESPACE},
    {.kind = PARAM_END}};
static const struct param_spec own_user[] = {
    {.name = "user_id", .kind = PARAM_OWN_ID, .place = PLACE_QUERY}, {.kind = PARAM_END}};
static const struct param_spec any_user[] = {
    {.name = "user_id", .kind = PARAM_ID, .place = PLACE_QUERY, .raw_only = true},
    {.kind = PARAM_END}};
static const struct param_spec cache_name[] = {
    {.name = "name", .kind = PARAM_NAME, .place = PLACE_PATH}, {.kind = PARAM_END}};

#define ROW(verb, row_path, function) \
    .method = (verb), .path = (row_path), .name = (row_path), .operation = (function)

static const struct route routes[] = {
    {ROW(METHOD_GET, "/public", op_note), .permit = PERMIT_PUBLIC},
    {ROW(METHOD_POST, "/mine/", op_note), .permit = PERMIT_USER, .params = own_user,
     .body_limit = 8, .error_format = ERROR_FORMAT_CONTROL, .failure = "Failed to do it"},
    {ROW(METHOD_POST, "/all/", op_note), .permit = PERMIT_ADMIN, .params = any_user,
     .body = BODY_NO_PARAMS, .error_format = ERROR_FORMAT_ADMIN_CLEAR,
     .failure = "Failed to clear cache"},
    {ROW(METHOD_POST, "/fields", op_note), .permit = PERMIT_PUBLIC, .body = BODY_FIELDS},
    {ROW(METHOD_POST, "/caches/{name}/flush", op_param), .permit = PERMIT_PUBLIC,
     .params = cache_name},
    {ROW(METHOD_GET, "/deadline", op_deadline), .permit = PERMIT_PUBLIC},
    {ROW(METHOD_GET, "/down", op_redis_down), .permit = PERMIT_PUBLIC,
     .error_format = ERROR_FORMAT_CONTROL, .failure = "Failed to look"},
    {ROW(METHOD_POST, "/new", op_note), .permit = PERMIT_ADMIN, .body_limit = 8,
     .error_format = ERROR_FORMAT_PROBLEM},
    {ROW(METHOD_GET, "/e/{label}", op_entry), .permit = PERMIT_ENTRIES, .params = entry,
     .effect = EFFECT_READ, .error_format = ERROR_FORMAT_PROBLEM},
    {ROW(METHOD_PUT, "/e/{label}", op_entry), .permit = PERMIT_ENTRIES, .params = entry,
     .body = BODY_RAW, .error_format = ERROR_FORMAT_PROBLEM},
    {ROW(METHOD_GET, "/denied", op_note)}, /* no permission stated: nobody */
};

/* ---- fixture ---- */

static char *directory;
static struct users *users;
static struct identity *identity;
static struct app app;
static struct router *router;
static struct arena *arena;
static struct exchange exchange;
static char user_bearer[TOKEN_MAX_SIZE], admin_bearer[TOKEN_MAX_SIZE], key_secret[256];
static int64_t user_id, admin_id;

static void must(enum err err, const struct error *error)
{
    ck_assert_msg(err == ERR_OK, "%s: %s / %s", err_name(err), error->caller, error->detail);
}

static int64_t add_user(const char *name, const char *email, bool is_superuser)
{
    const struct user user = {.username = str_from(name),
                              .email = str_from(email),
                              .password_hash = STR("$argon2id$none"),
                              .is_superuser = is_superuser,
                              .is_active = true};
    struct error error;
    int64_t id = 0;

    must(users_add(users, &user, &id, &error), &error);
    return id;
}

static struct str incarnation_of(int64_t id)
{
    struct error error = {0};
    struct user user;

    must(users_find_by_id(users, arena, id, &user, &error), &error);
    return user.incarnation;
}

static void issue(int64_t id, char bearer[TOKEN_MAX_SIZE])
{
    struct token_claims claims = {
        .use = TOKEN_ACCESS, .user_id = id, .incarnation = incarnation_of(id)};
    struct error error = {0};
    struct str token;

    must(token_issue(identity_tokens(identity), arena, clock_wall_s(), &claims, &token), &error);
    snprintf(bearer, TOKEN_MAX_SIZE, "Bearer %.*s", STR_ARG(token));
}

static void make_key(void)
{
    struct api_key key = {.name = STR("deploy"), .scopes = SCOPE_FLUSH};
    struct error error;
    struct str secret;

    must(identity_create_key(identity, arena, &key, clock_wall_s(), &secret, &error), &error);
    snprintf(key_secret, sizeof key_secret, "%.*s", STR_ARG(secret));
}

static void open_app(void)
{
    char url[300];
    struct error error;

    directory = cw_directory_new();
    arena = arena_new(16384, 0);
    snprintf(url, sizeof url, "sqlite:%s/users.db", directory);
    must(users_open(str_from(url), &users, &error), &error);
    const struct identity_options options = {
        .users = users,
        .tokens = {.secret = STR("0123456789abcdef0123456789abcdef"),
                   .issuer = STR("cachewarden"),
                   .leeway_s = 30,
                   .access_ttl_s = 900,
                   .refresh_ttl_s = 1000,
                   .session_idle_s = 1800,
                   .session_ttl_s = 43200},
        .admin_group = STR("Admin"),
    };
    must(identity_new(&options, &identity, &error), &error);
    user_id = add_user("ann", "ann@example.org", false);
    admin_id = add_user("root", "root@example.org", true);
    issue(user_id, user_bearer);
    issue(admin_id, admin_bearer);
    make_key();

    app = (struct app){.identity = identity, .users = users, .budget_ms = 500};
    must(router_new(routes, sizeof routes / sizeof *routes, &router, &error), &error);
}

static void close_app(void)
{
    router_free(&router);
    identity_free(&identity);
    users_close(&users);
    arena_free(&arena);
    cw_directory_remove(&directory);
}

/* ---- one request ---- */

struct ask {
    const char *method, *target;
    const char *authorization, *api_key;
    const char *body, *content_type, *coding;
    const char *lease, *if_none_match;
    const char *cookie, *xsrf;
    bool is_same_origin;
};

static const char *body_to_read;
static int reads;

static int read_fake_body(struct exchange *asked, size_t limit, struct str *body_out)
{
    (void)asked;
    reads++;
    *body_out = str_from(body_to_read);
    return body_out->len > limit ? 413 : 0;
}

static void run(const struct ask *ask)
{
    const struct dispatcher dispatcher = {&app, router, 64};
    struct str target = str_from(ask->target);
    ptrdiff_t mark = str_find(target, '?');
    size_t path_len = mark < 0 ? target.len : (size_t)mark;

    memset(&exchange, 0, sizeof exchange);
    call_init(&exchange.call, &app, NULL, arena);
    exchange.call.request_id = STR("r1");
    exchange.call.client_address = STR("192.0.2.7");
    exchange.request.method_name = str_from(ask->method);
    exchange.request.method = router_method(exchange.request.method_name);
    exchange.request.path = str_sub(target, 0, path_len);
    exchange.request.query = (struct query){str_sub(target, path_len + 1, target.len), mark >= 0};
    exchange.request.known[FIELD_AUTHORIZATION] = str_from(ask->authorization);
    exchange.request.known[FIELD_API_KEY] = str_from(ask->api_key);
    exchange.request.known[FIELD_CONTENT_TYPE] = str_from(ask->content_type);
    exchange.request.known[FIELD_CONTENT_LENGTH] = str_from(ask->coding ? "1" : NULL);
    exchange.request.known[FIELD_CONTENT_ENCODING] = str_from(ask->coding);
    exchange.request.known[FIELD_LEASE] = str_from(ask->lease);
    exchange.request.known[FIELD_IF_NONE_MATCH] = str_from(ask->if_none_match);
    const struct http_field cookie = {STR("Cookie"), str_from(ask->cookie)};
    exchange.request.fields = &cookie;
    exchange.request.field_count = 1;
    exchange.request.known_count[FIELD_COOKIE] = ask->cookie != NULL;
    exchange.request.known[FIELD_XSRF_TOKEN] = str_from(ask->xsrf);
    exchange.call.is_same_origin = ask->is_same_origin;
    exchange.read_body = read_fake_body;
    body_to_read = ask->body;
    reads = 0;
    calls = 0;
    dispatch_run(&dispatcher, &exchange);
}

static void expect_at(int line, const struct ask *ask, int status, const char *body)
{
    run(ask);
    ck_assert_msg(exchange.response.status == status &&
                      (!body || str_eq(exchange.response.body, str_from(body))),
                  "line %d: %s %s: %d %.*s", line, ask->method, ask->target,
                  exchange.response.status, STR_ARG(exchange.response.body));
    ck_assert_msg(calls == (status < 300), "line %d: %d calls", line, calls);
}

#define ASK(verb, path, ...) \
    (&(const struct ask){.method = (verb), .target = (path), ##__VA_ARGS__})
#define EXPECT(status, body, verb, path, ...) \
    expect_at(__LINE__, ASK(verb, path, ##__VA_ARGS__), status, body)

#define PROBLEM(status, title, detail)                                                             \
    "{\"type\":\"about:blank\",\"title\":\"" title "\",\"status\":" status ",\"detail\":\"" detail \
    "\"}"

/* ---- tests ---- */

START_TEST(path_and_method_come_before_everything)
{
    EXPECT(404, "{\"detail\":\"Not found.\"}", "GET", "/nowhere?user_id=x",
           .authorization = "Bearer nonsense");
    EXPECT(405, "{\"detail\":\"Method \\\"DELETE\\\" not allowed.\"}", "DELETE", "/mine/",
           .authorization = "Bearer nonsense");
    ck_assert(str_eq(exchange.response.allow, STR("OPTIONS, POST")));
    EXPECT(405, NULL, "PUT", "/denied");
    EXPECT(405, PROBLEM("405", "Method Not Allowed", "Method \\\"PUT\\\" not allowed."), "PUT",
           "/new");
    ck_assert_int_eq(reads, 0);
    run(ASK("OPTIONS", "/mine/", .authorization = "Bearer nonsense"));
    ck_assert_int_eq(exchange.response.status, 204);
    ck_assert_int_eq(calls, 0);
}
END_TEST

START_TEST(public_rows_look_at_no_credential)
{
    EXPECT(200, "{\"as\":0}", "GET", "/public");
    EXPECT(200, "{\"as\":0}", "GET", "/public", .authorization = "Bearer nonsense");
    EXPECT(200, "{\"as\":0}", "GET", "/public", .authorization = user_bearer, .api_key = "cwk_0_0");
    ck_assert_ptr_eq(exchange.call.route, &routes[0]);
}
END_TEST

START_TEST(credentials_come_next)
{
    EXPECT(401, SAYS_401, "POST", "/mine/?user_id=nonsense&x=y");
    ck_assert(exchange.response.challenge);
    EXPECT(401, SAYS_401, "POST", "/mine/", .authorization = "Bearer nonsense");
    EXPECT(401, SAYS_401, "POST", "/mine/", .authorization = "Basic YTpi");
    EXPECT(401, SAYS_401, "POST", "/mine/", .api_key = "cwk_000000000000_none");
    EXPECT(401, SAYS_401, "POST", "/all/?user_id=nonsense");
    EXPECT(400, "{\"detail\":\"Conflicting credentials.\"}", "POST", "/all/",
           .authorization = admin_bearer, .api_key = key_secret);
    EXPECT(400, "{\"detail\":\"Conflicting credentials.\"}", "POST", "/mine/",
           .authorization = user_bearer, .api_key = "cwk_0_0");
    ck_assert_int_eq(reads, 0);
}
END_TEST

START_TEST(a_session_and_its_proof)
{
    struct token_claims claims = {.user_id = admin_id,
                                  .incarnation = incarnation_of(admin_id),
                                  .family = STR("f"),
                                  .issued_at_s = clock_wall_s()};
    struct error error = {0};
    struct str token, xsrf;
    must(token_issue_session(identity_tokens(identity), arena, claims.issued_at_s, &claims, &token),
         &error);
    must(xsrf_of_session(arena, claims.id, &xsrf), &error);
    const char *cookie = str_format(arena, COOKIE_SESSION "=%.*s; " COOKIE_XSRF "=%.*s",
                                    STR_ARG(token), STR_ARG(xsrf))
                             .ptr;
    EXPECT(200, NULL, "POST", "/all/", .cookie = cookie, .xsrf = xsrf.ptr, .is_same_origin = true);
    ck_assert_int_eq(acted_as, admin_id);
    ck_assert_int_eq(exchange.call.principal.credential, CREDENTIAL_SESSION);
    ck_assert_int_eq(exchange.response.session.change, SESSION_UNCHANGED);
    ck_assert(str_eq(exchange.call.session_cookie, token));
    /* The same bytes on rows with words of their own. */
    EXPECT(403, "{\"detail\":\"CSRF Failed\"}", "POST", "/all/", .cookie = cookie,
           .xsrf = xsrf.ptr);
    EXPECT(403, "{\"detail\":\"CSRF Failed\"}", "POST", "/mine/", .cookie = cookie,
           .is_same_origin = true);
    ck_assert_int_eq(exchange.response.session.change, SESSION_UNCHANGED);
    EXPECT(403, SAYS_403, "GET", "/denied", .cookie = cookie);
    EXPECT(400, "{\"detail\":\"Conflicting credentials.\"}", "POST", "/mine/", .cookie = cookie,
           .authorization = user_bearer);
    ck_assert_int_eq(exchange.response.session.change, SESSION_UNCHANGED);
    EXPECT(200, "{\"as\":0}", "GET", "/public", .cookie = COOKIE_SESSION "=nonsense");
    ck_assert_int_eq(exchange.response.session.change, SESSION_UNCHANGED);
}
END_TEST

START_TEST(a_dead_session_is_taken_back)
{
    EXPECT(401, SAYS_401, "POST", "/mine/", .cookie = COOKIE_SESSION "=nonsense");
    ck_assert_int_eq(exchange.response.session.change, SESSION_ENDED);
    EXPECT(400, "{\"detail\":\"Conflicting credentials.\"}", "POST", "/mine/",
           .cookie = COOKIE_SESSION "=nonsense", .authorization = user_bearer);
    ck_assert_int_eq(exchange.response.session.change, SESSION_ENDED);
    EXPECT(401, SAYS_401, "POST", "/mine/", .cookie = "theme=dark");
    ck_assert_int_eq(exchange.response.session.change, SESSION_UNCHANGED);
}
END_TEST

START_TEST(a_session_in_use_is_renewed)
{
    struct token_claims claims = {.user_id = user_id,
                                  .incarnation = incarnation_of(user_id),
                                  .family = STR("f"),
                                  .issued_at_s = clock_wall_s() - 600};
    struct error error = {0};
    struct str token;
    must(token_issue_session(identity_tokens(identity), arena, claims.issued_at_s, &claims, &token),
         &error);
    const char *cookie = str_format(arena, COOKIE_SESSION "=%.*s", STR_ARG(token)).ptr;
    /* Whatever the answer is. */
    EXPECT(403, SAYS_403, "GET", "/denied", .cookie = cookie);
    ck_assert_int_eq(exchange.response.session.change, SESSION_RENEWED);
    ck_assert(exchange.response.session.token.len > 0 &&
              !str_eq(exchange.response.session.token, token));
}
END_TEST

START_TEST(permission_comes_next)
{
    char target[64];

    EXPECT(403, "{\"error\":\"Superuser or Admin group membership required\"}", "POST",
           "/all/?user_id=nonsense", .authorization = user_bearer);
    EXPECT(403, "{\"error\":\"Superuser or Admin group membership required\"}", "POST", "/all/",
           .api_key = key_secret);
    EXPECT(403, SAYS_403, "POST", "/mine/", .api_key = key_secret);
    EXPECT(403, SAYS_403, "GET", "/denied", .authorization = admin_bearer);
    EXPECT(403, SAYS_403, "GET", "/denied");
    snprintf(target, sizeof target, "/mine/?user_id=%lld", (long long)admin_id);
    EXPECT(403, SAYS_403, "POST", target, .authorization = user_bearer);
    snprintf(target, sizeof target, "/mine/?user_id=%lld", (long long)user_id);
    EXPECT(403, SAYS_403, "POST", target,
           .authorization = admin_bearer); /* admins have a route of their own */
    ck_assert_int_eq(reads, 0);
}
END_TEST

START_TEST(parameters_and_body_come_last)
{
    EXPECT(400, "{\"ok\":false,\"message\":\"Invalid user_id parameter\"}", "POST",
           "/all/?user_id=0", .authorization = admin_bearer);
    EXPECT(400, "{\"ok\":false,\"message\":\"Invalid user_id parameter\"}", "POST", "/all/?",
           .authorization = admin_bearer);
    EXPECT(400, "{\"ok\":false,\"message\":\"Invalid user_id parameter\"}", "POST",
           "/all/?userid=5", .authorization = admin_bearer);
    EXPECT(400, NULL, "POST", "/mine/?x=y", .authorization = user_bearer);
    ck_assert_int_eq(reads, 0);
    EXPECT(413, "{\"detail\":\"Request body is too large.\"}", "POST", "/mine/",
           .authorization = user_bearer, .body = "123456789");
    EXPECT(413, NULL, "POST", "/fields",
           .body = "{\"a\":\"01234567890123456789012345678901234567890123456789012345678901\"}");
    EXPECT(400, "{\"ok\":false,\"message\":\"Invalid user_id parameter\"}", "POST", "/all/",
           .authorization = admin_bearer, .body = "{\"user_id\":5}",
           .content_type = "application/json");
    EXPECT(415, NULL, "POST", "/fields", .body = "{}", .content_type = "text/plain");
    EXPECT(400, NULL, "POST", "/fields", .body = "{", .content_type = "application/json");
}
END_TEST

START_TEST(then_it_is_done)
{
    EXPECT(200, NULL, "POST", "/mine/", .authorization = user_bearer, .body = "12345678");
    ck_assert_int_eq(acted_as, user_id);
    ck_assert_int_eq(reads, 1);
    EXPECT(200, NULL, "POST", "/mine", .authorization = user_bearer);
    EXPECT(200, NULL, "POST", "/all/?user_id=5", .authorization = admin_bearer);
    ck_assert_int_eq(acted_as, admin_id);
    EXPECT(200, NULL, "POST", "/fields", .body = "{\"a\":1}", .content_type = "application/json");
    EXPECT(200, "{\"name\":\"messages\"}", "POST", "/caches/messages/flush");
}
END_TEST

START_TEST(raw_bodies_and_what_goes_with_them)
{
    EXPECT(200, "a/b|image/png|l1|\"e\"|x\xff|0", "PUT", "/e/a%2Fb", .authorization = user_bearer,
           .body = "x\xff", .content_type = "image/png", .lease = "l1", .if_none_match = "\"e\"");
    ck_assert(str_eq(exchange.response.media_type, STR("text/plain")));
    EXPECT(200, "a|||||0", "PUT", "/e/a", .authorization = user_bearer);
    ck_assert_int_eq(reads, 1);
    EXPECT(200, "a||l1|*||0", "GET", "/e/a", .authorization = user_bearer, .body = "not read",
           .content_type = "image/png", .lease = "l1", .if_none_match = "*");
    ck_assert_int_eq(reads, 0);
    EXPECT(200, "a|||||1", "HEAD", "/e/a", .authorization = user_bearer);
}
END_TEST

START_TEST(raw_bodies_are_refused)
{
    EXPECT(400,
           PROBLEM("400", "Bad Request",
                   "Content-Type: Must be a media type such as application/json, of at most 255 "
                   "visible ASCII characters."),
           "PUT", "/e/a", .authorization = user_bearer, .content_type = "nonsense");
    EXPECT(413, PROBLEM("413", "Content Too Large", "Request body is too large."), "PUT", "/e/a",
           .authorization = user_bearer,
           .body = "01234567890123456789012345678901234567890123456789012345678901234");
    EXPECT(415, NULL, "PUT", "/e/a", .authorization = user_bearer, .coding = "gzip");
    ck_assert_int_eq(reads, 0);
    EXPECT(200, NULL, "PUT", "/e/a", .authorization = user_bearer, .coding = "identity");
}
END_TEST

START_TEST(a_bad_label_is_named)
{
    static const char *const targets[] = {"/e/", "/e/..", "/e/%2e", "/e/%00", "/e/%ff", "/e/a;b"};

    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        EXPECT(401, NULL, "PUT", targets[i]);
        EXPECT(400, NULL, "PUT", targets[i], .authorization = user_bearer);
        ck_assert(strstr(exchange.response.body.ptr, "\"detail\":\"label: ") != NULL);
        ck_assert_int_eq(reads, 0);
    }
    EXPECT(404, "{\"detail\":\"Not found.\"}", "PUT", "/e/a/b", .authorization = user_bearer);
}
END_TEST

START_TEST(a_namespace_is_a_matter_of_permission)
{
    char target[64];

    snprintf(target, sizeof target, "/e/a?namespace=user%%3A%lld", (long long)user_id);
    EXPECT(200, NULL, "GET", target, .authorization = user_bearer);
    EXPECT(200, NULL, "GET", target, .authorization = admin_bearer);
    EXPECT(200, NULL, "GET", "/e/a?namespace=app:shop", .authorization = admin_bearer);
    EXPECT(403, NULL, "GET", "/e/a?namespace=app:shop", .authorization = user_bearer);
    EXPECT(403, NULL, "GET", "/e/a?namespace=nonsense", .authorization = user_bearer);
    EXPECT(400, NULL, "GET", "/e/a?namespace=nonsense", .authorization = admin_bearer);
    EXPECT(403, NULL, "GET", "/e/a", .api_key = key_secret);
}
END_TEST

START_TEST(a_miss_is_no_failure)
{
    run(ASK("GET", "/e/m", .authorization = user_bearer));
    ck_assert_int_eq(exchange.response.status, 404);
    ck_assert_int_eq(exchange.response.cache_result, CACHE_RESULT_MISS);
    ck_assert_int_eq(exchange.result, ERR_OK);
    ck_assert(str_eq(exchange.response.body, STR(PROBLEM("404", "Not Found", "Not found."))));
}
END_TEST

START_TEST(the_call_knows_when_and_from_whom)
{
    EXPECT(204, NULL, "GET", "/deadline");
}
END_TEST

START_TEST(failures_have_the_format_of_the_row_and_keep_their_reason)
{
    run(ASK("GET", "/down"));
    ck_assert_int_eq(exchange.response.status, 500);
    ck_assert(str_eq(exchange.response.body, STR("{\"error\":\"Failed to look\"}")));
    ck_assert_int_eq(exchange.result, ERR_UPSTREAM_DOWN);
    ck_assert_str_eq(exchange.call.error.detail, "connect: nobody there");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("server/dispatch");
    TCase *tcase = tcase_create("dispatch");

    tcase_add_checked_fixture(tcase, open_app, close_app);
    tcase_add_test(tcase, path_and_method_come_before_everything);
    tcase_add_test(tcase, public_rows_look_at_no_credential);
    tcase_add_test(tcase, credentials_come_next);
    tcase_add_test(tcase, a_session_and_its_proof);
    tcase_add_test(tcase, a_dead_session_is_taken_back);
    tcase_add_test(tcase, a_session_in_use_is_renewed);
    tcase_add_test(tcase, permission_comes_next);
    tcase_add_test(tcase, parameters_and_body_come_last);
    tcase_add_test(tcase, then_it_is_done);
    tcase_add_test(tcase, raw_bodies_and_what_goes_with_them);
    tcase_add_test(tcase, raw_bodies_are_refused);
    tcase_add_test(tcase, a_bad_label_is_named);
    tcase_add_test(tcase, a_namespace_is_a_matter_of_permission);
    tcase_add_test(tcase, a_miss_is_no_failure);
    tcase_add_test(tcase, the_call_knows_when_and_from_whom);
    tcase_add_test(tcase, failures_have_the_format_of_the_row_and_keep_their_reason);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
