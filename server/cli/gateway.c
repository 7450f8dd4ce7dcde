/* `gateway`: what the gateway does with a request, and why. */
#include "cli/gateway.h"
#include "http/gateway.h"
#include "http/router.h"

#include "cachewarden/clock.h"

struct gateway_question {
    struct cli *cli;
    struct cli_services services;
    const struct gateway_route *route;
    struct http_request request;
    struct http_field fields[HTTP_MAX_FIELDS];
    struct principal principal;
    struct explained explained;
};

/* ---- what was given ---- */

static bool take_scheme(struct gateway_question *question, struct str *rest)
{
    ptrdiff_t colon = str_find(*rest, ':');
    struct str scheme = str_sub(*rest, 0, colon < 0 ? 0 : (size_t)colon);

    *rest = str_sub(*rest, scheme.len, rest->len);
    question->request.is_secure = str_eq_nocase(scheme, STR("https"));
    if (!str_starts(*rest, STR("://")) ||
        !(question->request.is_secure || str_eq_nocase(scheme, STR("http"))))
        return false;
    *rest = str_sub(*rest, 3, rest->len);
    return true;
}

/* As a client puts it into Host: without the port that goes without saying. */
static struct str usual_host(const struct http_request *request, struct str authority)
{
    struct str port = request->is_secure ? STR(":443") : STR(":80");

    return str_ends(authority, port) ? str_sub(authority, 0, authority.len - port.len) : authority;
}

static size_t end_of_authority(struct str text)
{
    size_t at = 0;

    while (at < text.len && text.ptr[at] != '/' && text.ptr[at] != '?' && text.ptr[at] != '#')
        at++;
    return at;
}

static bool is_ascii(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] >= 0x80)
            return false;
    return true;
}

static void take_target(struct http_request *request, struct str target)
{
    ptrdiff_t mark = str_find(target, '?');

    request->path = mark < 0 ? target : str_sub(target, 0, (size_t)mark);
    if (request->path.len == 0)
        request->path = STR("/");
    request->query.present = mark >= 0;
    request->query.raw = mark < 0 ? STR_NONE : str_sub(target, (size_t)mark + 1, target.len);
}

/* Host is the first field. */
static int take_url(struct gateway_question *question)
{
    struct http_request *request = &question->request;
    struct str url = str_from(cli_argument(question->cli, 0)), rest = url;

    question->explained.url = url;
    if (!take_scheme(question, &rest))
        return cli_usage_error(question->cli,
                               "URL is as a client asks for it, with scheme and host, such as "
                               "https://shop.example.com/products, not \"%.80s\"",
                               url.ptr);
    struct str authority = str_sub(rest, 0, end_of_authority(rest));
    if (authority.len == 0 || str_find(authority, '@') >= 0)
        return cli_usage_error(question->cli, "URL needs a host behind %s, and no user before it",
                               request->is_secure ? "https://" : "http://");
    if (str_find(url, '#') >= 0 || str_find(url, ' ') >= 0 || str_has_control(url) ||
        !is_ascii(url))
        return cli_usage_error(question->cli,
                               "URL has a #, a blank, a control character or one that is not "
                               "ASCII, which no client sends as it is: leave out what is behind #, "
                               "and write others as %%20 or %%C3%%BC");
    question->fields[0] = (struct http_field){STR("Host"), usual_host(request, authority)};
    request->field_count = 1;
    take_target(request, str_sub(rest, authority.len, rest.len));
    return CLI_OK;
}

static int take_method(struct gateway_question *question)
{
    const char *text = cli_value(question->cli, "method");
    struct str method = text ? str_from(text) : STR("GET");

    question->request.method_name = question->explained.method = method;
    question->request.method = router_method(method);
    if (!str_is_token(method))
        return cli_usage_error(question->cli, "--method is one such as GET or HEAD");
    return CLI_OK;
}

/* Values may be secret: they are never repeated. A Host takes the place of the URL's, and is sent as it is. */
static int take_headers(struct gateway_question *question)
{
    struct http_request *request = &question->request;
    bool has_host = false;
    const char *text;

    for (size_t i = 0; (text = cli_value_at(question->cli, "header", i)) != NULL; i++) {
        struct str value = str_from(text), name;
        if (request->field_count == HTTP_MAX_FIELDS)
            return cli_usage_error(question->cli, "--header is there more than %d times",
                                   HTTP_MAX_FIELDS - 1);
        if (str_find(value, ':') < 0 || !str_split(&value, ':', &name) || !str_is_token(name) ||
            str_has_control(value))
            return cli_usage_error(question->cli, "--header is a name and a value, such as "
                                                  "'Accept-Language: de'");
        bool is_host = str_eq_nocase(name, STR("Host"));
        size_t at = is_host && !has_host ? 0 : request->field_count++;
        question->fields[at] = (struct http_field){name, str_trim(value)};
        has_host |= is_host;
    }
    return CLI_OK;
}

static int take_request(struct gateway_question *question)
{
    int status = take_url(question);

    question->request.fields = question->fields;
    question->request.minor_version = 1;
    question->request.peer_address = question->request.client_address = STR("127.0.0.1");
    if (status == CLI_OK)
        status = take_method(question);
    if (status == CLI_OK)
        status = take_headers(question);
    guard_index(&question->request);
    return status;
}

/* ---- whose ---- */

static enum err find_user(struct gateway_question *question, const char *name,
                          struct user *user_out, struct error *error)
{
    struct cli_services *services = &question->services;
    struct users *users = services->app->users;
    int64_t id;
    enum err err = users_find_by_name(users, services->arena, str_from(name), user_out, error);

    if (err == ERR_NOT_FOUND && str_to_int64(str_from(name), 1, INT64_MAX, &id))
        err = users_find_by_id(users, services->arena, id, user_out, error);
    if (err == ERR_NOT_FOUND || (err == ERR_OK && user_out->is_deleted))
        return error_set(error, ERR_NOT_FOUND,
                         "--user: there is no user \"%.64s\"; `cachewarden user list` has all",
                         name);
    return err;
}

/* Whom the shared secret vouches for: the number is that of no account here, or of another one. */
static int take_stranger(struct gateway_question *question, const char *user)
{
    question->principal.is_stranger = true;
    if (!str_to_int64(str_from(user), 1, INT64_MAX, &question->principal.user_id))
        return cli_usage_error(question->cli, "--user is a number beside --stranger, not \"%.64s\"",
                               user);
    return CLI_OK;
}

static int take_user(struct gateway_question *question)
{
    const char *name = cli_value(question->cli, "user");
    bool is_stranger = cli_flag(question->cli, "stranger");
    const struct route *row = gateway_row(question->route);
    struct error error = {0};
    struct user user;

    question->principal.kind = PRINCIPAL_USER;
    question->principal.credential = CREDENTIAL_OPERATOR;
    if (!name && (is_stranger || row->permit != PERMIT_PUBLIC))
        return cli_usage_error(question->cli,
                               "needs --user NAME, or its id: the route %s has answers for each "
                               "user, and lets in nobody else",
                               row->path);
    if (!name)
        return CLI_OK;
    if (is_stranger)
        return take_stranger(question, name);
    enum err err = find_user(question, name, &user, &error);
    if (err != ERR_OK)
        return cli_fail_with(err, &error);
    question->principal.user_id = user.id;
    question->principal.name = question->explained.user = user.username;
    question->explained.is_inactive = !user.is_active;
    return CLI_OK;
}

/* ---- which route ---- */

/* Endpoints go before the routes of the gateway, whatever the method is. */
static bool is_endpoint(struct str path, struct error *error)
{
    size_t count;
    const struct route *routes = routes_table(&count);
    struct router *router;
    struct router_match match;

    if (router_new(routes, count, &router, error) != ERR_OK)
        return false;
    bool is_ours = router_find(router, METHOD_GET, path, &match) != ROUTER_NO_PATH;
    router_free(&router);
    return is_ours;
}

static int check(struct guard_verdict verdict)
{
    return verdict.status == 0
               ? CLI_OK
               : cli_fail("the server answers %d: %.*s", verdict.status, STR_ARG(verdict.detail));
}

static int check_guard(const struct gateway_question *question)
{
    const struct config_texts *hosts = &question->services.config->server_allowed_hosts;
    const struct guard_policy policy = {(const char *const *)hosts->items, hosts->count};

    return check(guard_check(&question->request, &policy));
}

static int take_route(struct gateway_question *question)
{
    const struct gateway *gateway = question->services.app->gateway;
    struct str path = question->request.path;
    struct error error = {0};

    if (!gateway)
        return cli_fail("there is no gateway: gateway.routes is empty");
    if (is_endpoint(path, &error))
        return cli_fail(
            "URL: %.*s is an endpoint of this server, and those go before the routes of "
            "the gateway; `cachewarden routes` has all",
            STR_ARG(path));
    question->route = gateway_match(gateway, path);
    if (!question->route)
        return cli_fail("URL: no route of the gateway has the path %.*s; `cachewarden routes` has "
                        "their prefixes",
                        STR_ARG(path));
    return check(gateway_check(&question->request));
}

/* ---- the answer ---- */

static int print(const struct gateway_question *question)
{
    struct strbuf text;

    strbuf_init(&text, NULL, 1024);
    if (cli_flag(question->cli, "json"))
        explained_write(&text, &question->explained);
    else
        explained_print(&text, &question->explained);
    return cli_print(&text);
}

static int64_t length_of_body(const struct http_request *request)
{
    int64_t length;

    return str_to_int64(request->known[FIELD_CONTENT_LENGTH], 0, INT64_MAX, &length)
               ? length
               : BODY_LENGTH_UNKNOWN;
}

static int ask(struct gateway_question *question)
{
    const struct gateway_request request = gateway_request_of(&question->request);
    const struct body_source body = {.length = length_of_body(&question->request)};
    struct call call;

    call_init(&call, question->services.app, gateway_row(question->route),
              question->services.arena);
    call.principal = question->principal;
    call.client_address = question->request.client_address;
    call.request_id = STR("explain");
    call.deadline_ns = clock_deadline_ns(question->services.app->budget_ms);
    call.body_source = gateway_has_body(&question->request) ? &body : NULL;
    enum err err = gateway_explain(question->route, &request, &call, &question->explained.told);
    if (err == ERR_BAD_INPUT)
        return check((struct guard_verdict){400, str_from(call.error.caller)});
    return err == ERR_OK ? print(question) : cli_fail_with(err, &call.error);
}

/* In the order of the server. */
static int explain(struct gateway_question *question)
{
    int status = check_guard(question);

    if (status == CLI_OK)
        status = take_route(question);
    if (status == CLI_OK)
        status = take_user(question);
    return status == CLI_OK ? ask(question) : status;
}

static int run_explain(struct cli *cli)
{
    struct gateway_question question = {.cli = cli};
    int status = take_request(&question);

    if (status != CLI_OK)
        return status;
    if (!cli_open(cli, &question.services))
        return CLI_FAILED;
    status = explain(&question);
    cli_close(&question.services);
    return status;
}

/* ---- the table ---- */

static const struct cli_option explain_options[] = {
    {"user", 0, "USER", false, "who asks: the name of an account, or its id"},
    {"stranger", 0, NULL, false,
     "USER is the number of one who has no account here, but a token of the shared secret"},
    {"method", 0, "M", false, "the method; without it GET"},
    {"header", 0, "H", true,
     "a field of the request, as 'Accept-Language: de'; of a secret any value"},
    CLI_JSON,
    CLI_OPTIONS_END,
};

const struct cli_command cli_gateway = {
    .name = "gateway",
    .arguments = "explain",
    .summary = "what the gateway does with a request",
    .subcommands =
        (const struct cli_command[]){
            {.name = "explain",
             .arguments = "URL [--user USER [--stranger]] [--method M] [--header H]… [--json]",
             .summary = "whether it is answered from the cache, and why: route, key, what is "
                        "stored, since when, how long it is fresh, what has cleared it",
             .options = explain_options,
             .min_arguments = 1,
             .max_arguments = 1,
             .run = run_explain},
            {.name = NULL},
        },
};
