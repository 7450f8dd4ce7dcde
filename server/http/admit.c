#include "http/admit.h"

#include "http/cookies.h"
#include "http/status.h"

#include "cachewarden/app.h"
#include "cachewarden/arena.h"
#include "cachewarden/params.h"
#include "cachewarden/session.h"

static struct credentials credentials_of(const struct exchange *exchange,
                                         const struct cookies *cookies)
{
    const struct http_request *request = &exchange->request;

    return (struct credentials){
        .authorization = request->known[FIELD_AUTHORIZATION],
        .api_key = request->known[FIELD_API_KEY],
        .has_session = cookies->has_session,
        .session = cookies->session,
        .is_safe = request->method == METHOD_GET || request->method == METHOD_HEAD,
        .proof = {.is_same_origin = exchange->call.is_same_origin,
                  .xsrf_header = request->known[FIELD_XSRF_TOKEN]},
        .from_scraper = exchange->call.route->accept == ACCEPT_SCRAPER,
    };
}

/* A cookie that is good for nothing any more is taken back: beside another credential it would be in
 * the way for ever. */
static void forget_dead_session(struct app *app, struct call *call,
                                const struct credentials *credentials)
{
    const struct credentials alone = {
        .has_session = true, .session = credentials->session, .is_safe = true};
    struct principal principal;
    struct error error;

    if (credentials->has_session &&
        identity_authenticate(app->identity, (struct work){.arena = call->arena, .error = &error},
                              &alone, call->now_s, &principal) == ERR_UNAUTHENTICATED)
        call->reply.session.change = SESSION_ENDED;
}

/* Whoever it is, they are answered: without one that is good as nobody. */
static void welcome(struct app *app, struct call *call, const struct credentials *credentials)
{
    struct error error = {0};
    struct principal principal = {0};

    if (identity_authenticate(app->identity, (struct work){call->arena, call->deadline_ns, &error},
                              credentials, call->now_s, &principal) == ERR_OK)
        call->principal = principal;
}

/* Who is calling? Most public rows look at no credential at all. */
static enum err authenticate(struct app *app, struct exchange *exchange,
                             const struct cookies *cookies)
{
    struct credentials credentials = credentials_of(exchange, cookies);
    struct call *call = &exchange->call;

    if (call->route->accept == ACCEPT_OPTIONAL)
        welcome(app, call, &credentials);
    if (call->route->permit == PERMIT_PUBLIC)
        return ERR_OK;
    app_await_watch(app);
    enum err err = identity_authenticate(app->identity, call_work(call), &credentials, call->now_s,
                                         &call->principal);
    if (err == ERR_OK)
        app_note_caller(app);
    if (err == ERR_UPSTREAM_DOWN)
        app_note_turned_away(app);
    if (err == ERR_UNAUTHENTICATED || err == ERR_BAD_INPUT)
        forget_dead_session(app, call, &credentials);
    return err;
}

bool admit_caller(struct app *app, struct exchange *exchange)
{
    struct call *call = &exchange->call;
    const struct http_request *request = &exchange->request;
    struct cookies cookies;

    cookies_read(request, &cookies);
    call->session_cookie = cookies.session;
    enum err err = authenticate(app, exchange, &cookies);
    if (err != ERR_OK) {
        status_identity_failed(exchange, err);
        return false;
    }
    session_keep(call);

    enum permit_answer answer =
        permit_decide(call->route->permit, &app->policy, &call->principal,
                      params_target(call->route, call->arena, request->query));
    if (answer != PERMIT_YES) {
        status_denied(exchange, answer);
        return false;
    }
    return true;
}
