/*
 * What the edge makes of a request whose head was read already: guard, router, client address.
 * The input is "METHOD TARGET" and then "Name: value" lines, each with a line feed.
 */
#include "http/client_address.h"
#include "http/guard.h"
#include "http/router.h"

#include "cachewarden/arena.h"

#include <arpa/inet.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROW(verb, row_path, ...)                                                \
    {                                                                           \
        .method = (verb), .path = (row_path), .name = (row_path), ##__VA_ARGS__ \
    }

static const struct param_spec label[] = {
    {.name = "label", .kind = PARAM_LABEL, .place = PLACE_PATH}, {.kind = PARAM_END}};

static const struct route routes[] = {
    ROW(METHOD_GET, "/api/cache/status/"),
    ROW(METHOD_DELETE, "/api/v1/cache"),
    ROW(METHOD_POST, "/api/v1/caches/{name}/flush"),
    ROW(METHOD_GET, "/api/v1/entries/{label}", .params = label),
    ROW(METHOD_GET, "/a/{x}/b/{y}/"),
};

static void expect(bool is_true)
{
    if (!is_true)
        abort();
}

/* The request line and the fields; false when there are more than fit. */
static bool read_request(struct str text, struct http_field fields[], struct http_request *request)
{
    struct str line = STR_NONE;

    str_split(&text, '\n', &line);
    ptrdiff_t blank = str_find(line, ' ');
    request->method_name = str_sub(line, 0, blank < 0 ? line.len : (size_t)blank);
    request->method = router_method(request->method_name);
    struct str target = blank < 0 ? STR_NONE : str_sub(line, (size_t)blank + 1, line.len);
    ptrdiff_t mark = str_find(target, '?');
    request->path = str_sub(target, 0, mark < 0 ? target.len : (size_t)mark);
    request->query.present = mark >= 0;
    request->minor_version = line.len % 2;
    request->fields = fields;
    while (str_split(&text, '\n', &line)) {
        if (request->field_count > HTTP_MAX_FIELDS)
            return false;
        ptrdiff_t colon = str_find(line, ':');
        size_t end = colon < 0 ? line.len : (size_t)colon;
        fields[request->field_count++] =
            (struct http_field){str_sub(line, 0, end), str_trim(str_sub(line, end + 1, line.len))};
    }
    return true;
}

/* What the rest of the program relies on, once the guard has said yes. */
static void expect_guarded(const struct http_request *request)
{
    bool has_coding = request->known_count[FIELD_TRANSFER_ENCODING] > 0;

    expect(request->field_count <= HTTP_MAX_FIELDS);
    expect(request->known_count[FIELD_CONTENT_LENGTH] +
               request->known_count[FIELD_TRANSFER_ENCODING] <=
           1);
    expect(!has_coding || request->minor_version == 1);
    expect(request->known_count[FIELD_AUTHORIZATION] <= 1 &&
           request->known_count[FIELD_API_KEY] <= 1);
    expect(request->known_count[FIELD_HOST] == 1 || request->minor_version == 0);
    expect(!str_has_control(request->path) && str_find(request->path, ' ') < 0);
    expect(str_starts(request->path, STR("/")) || str_eq(request->path, STR("*")));
    expect(str_find(request->known[FIELD_HOST], '@') < 0 &&
           str_find(request->known[FIELD_HOST], '/') < 0);
}

/* Any segment; the label that params_read makes of it is a clean one, and no way to another path. */
static void expect_label(const struct route *route, struct str segment, struct arena *arena)
{
    struct call call;

    call_init(&call, NULL, route, arena);
    if (params_read(&call, (struct query){STR_NONE, false}, &segment, 1) != ERR_OK) {
        expect(call.error.code == ERR_BAD_INPUT && call.error.caller[0] != '\0');
        return;
    }
    struct str text = call_param(&call, "label")->text, part;
    expect(text.len >= 1 && text.len <= 512 && !str_has_control(text) && str_is_utf8(text));
    while (str_split(&text, '/', &part))
        expect(!str_eq(part, STR(".")) && !str_eq(part, STR("..")));
}

/* Rows are found by their exact path; what stands for a placeholder is one clean segment. */
static void expect_routed(const struct router *router, const struct http_request *request,
                          struct arena *arena)
{
    struct router_match match;
    enum router_answer answer = router_find(router, request->method, request->path, &match);

    expect((answer == ROUTER_NO_PATH) == (match.allow.len == 0));
    if (answer != ROUTER_FOUND)
        return;
    if (match.value_count == 0)
        expect(str_starts(str_from(match.route->path), request->path));
    for (size_t i = 0; i < match.value_count; i++) {
        struct str value = match.values[i];
        expect(str_find(value, '/') < 0);
        if (match.route->params) {
            expect_label(match.route, value, arena);
            continue;
        }
        expect(value.len > 0 && str_find(value, ';') < 0);
        expect(!str_eq(value, STR(".")) && !str_eq(value, STR("..")) &&
               !str_eq_nocase(value, STR("%2e%2e")));
    }
}

static void expect_client(const struct http_request *request, struct arena *arena)
{
    const struct cidr proxies[] = {{.bytes = {[10] = 0xff, [11] = 0xff, [12] = 10}, .bits = 104}};
    struct str client = client_behind_proxies(proxies, 1, request, STR("10.0.0.1"), arena);
    uint8_t bytes[16];
    char text[INET6_ADDRSTRLEN];

    expect(client.len > 0 && client.len < sizeof text);
    memcpy(text, client.ptr, client.len);
    text[client.len] = '\0';
    expect(inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const hosts[] = {"cache.example"};
    static struct router *router;
    static struct arena *arena;
    struct http_field fields[HTTP_MAX_FIELDS + 1];
    struct http_request request = {.minor_version = 0};
    const struct guard_policy any = {NULL, 0};
    const struct guard_policy listed = {hosts, 1};

    if (!router) {
        expect(router_new(routes, sizeof routes / sizeof *routes, &router, NULL) == ERR_OK);
        arena = arena_new(4096, 0);
        expect(arena != NULL);
    }
    if (!read_request((struct str){(const char *)data, size}, fields, &request))
        return 0;
    guard_index(&request);
    if (guard_check(&request, &any).status == 0)
        expect_guarded(&request);
    else /* a listed host may be asked for whatever Host says */
        expect(request.is_absolute || guard_check(&request, &listed).status != 0);
    expect_routed(router, &request, arena);
    expect_client(&request, arena);
    arena_reset(arena);
    return 0;
}
