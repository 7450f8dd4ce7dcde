#include "gateway/refresh.h"

#include "cachewarden/arena.h"
#include "cachewarden/lock.h"
#include "cachewarden/log.h"
#include "cachewarden/thread.h"

#include <stdlib.h>

/* A route has half of the threads and of the places at most: a slow upstream leaves the others theirs. */
enum { THREADS = 4, REFRESHES = 64, ARENA_FIRST = 4096 };

struct refresh {
    struct gateway_digest entry;
    enum { REFRESH_FREE, REFRESH_WAITS, REFRESH_RUNS } state;
    uint64_t number;     /* in the order in which they were asked for */
    struct arena *arena; /* what follows lies in it */
    const struct gateway_route *route;
    struct gateway_request request;
    struct call call;
};

struct refresher {
    enum err (*run)(struct passage *passage);
    pthread_t threads[THREADS];
    int thread_count;
    struct lock lock; /* LOCK_RANK_LEAF; guards what follows */
    struct lock_cond more;
    bool stops;
    uint64_t asked;
    struct refresh refreshes[REFRESHES];
};

/* ---- a request is copied ---- */

/* What is no text stays none. False: memory is out. */
static bool copy_text(struct arena *arena, struct str *text)
{
    if (!text->ptr)
        return true;
    *text = str_dup(arena, *text);
    return text->ptr != NULL;
}

/* The whole is wanted, whatever the client has of it. */
static bool is_condition(struct str name)
{
    return str_eq_nocase(str_sub(name, 0, 3), STR("If-")) || str_eq_nocase(name, STR("Range"));
}

/* What was answered to who shows who they are is not stored for all: it is asked for without. */
static bool is_credential(struct str name)
{
    static const struct str names[] = {STR("authorization"), STR("cookie"), STR("x-api-key")};

    return name_is_among(name, names, sizeof names / sizeof *names);
}

static bool copy_fields(struct arena *arena, bool is_public, struct gateway_request *request)
{
    struct http_field *fields = arena_calloc(arena, request->field_count, sizeof *fields);
    size_t count = 0;

    for (size_t i = 0; fields && i < request->field_count; i++) {
        const struct http_field *field = &request->fields[i];
        if (is_condition(field->name) || (is_public && is_credential(field->name)))
            continue;
        fields[count] =
            (struct http_field){str_dup(arena, field->name), str_dup(arena, field->value)};
        if (!fields[count].name.ptr || !fields[count].value.ptr)
            return false;
        count++;
    }
    request->fields = fields;
    request->field_count = count;
    return fields != NULL;
}

static bool is_stopping(void *with)
{
    const struct gateway *gateway = with;

    return atomic_load_explicit(&gateway->stops, memory_order_relaxed);
}

/* Its fields may be credentials. */
static bool fill_refresh(struct refresh *refresh, const struct passage *passage)
{
    const struct call *call = passage->call;
    struct arena *arena = arena_new(ARENA_FIRST, 0);

    if (!arena)
        return false;
    arena_wipe_at_reset(arena);
    refresh->arena = arena;
    refresh->route = passage->route;
    refresh->request = *passage->request;
    struct str *texts[] = {&refresh->request.path, &refresh->request.query.raw,
                           &refresh->request.host, &refresh->request.peer_address};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!copy_text(arena, texts[i]))
            return false;
    refresh->request.method = STR("GET");
    /* Whoever asked has an answer. */
    refresh->request.is_unwanted = is_stopping;
    refresh->request.unwanted_with = (void *)(uintptr_t)passage->route->gateway;
    refresh->request.wait = NULL;
    refresh->request.send_interim = NULL;
    call_init(&refresh->call, call->app, call->route, arena);
    refresh->call.principal = (struct principal){
        .kind = call->principal.kind,
        .user_id = call->principal.user_id,
        .is_stranger = call->principal.is_stranger,
        .issuer = str_dup(arena, call->principal.issuer),
        .name = str_dup(arena, call->principal.name),
    };
    refresh->call.request_id = str_dup(arena, call->request_id);
    refresh->call.client_address = str_dup(arena, call->client_address);
    refresh->call.now_s = call->now_s;
    return copy_fields(arena, refresh->route->options.is_public, &refresh->request) &&
           refresh->call.request_id.ptr && refresh->call.client_address.ptr &&
           refresh->call.principal.issuer.ptr && refresh->call.principal.name.ptr;
}

static void end_refresh(struct refresh *refresh)
{
    arena_free(&refresh->arena);
    refresh->state = REFRESH_FREE;
}

/* ---- threads ---- */

static int count_locked(const struct refresher *refresher, const struct gateway_route *route,
                        bool only_running)
{
    int count = 0;

    for (size_t i = 0; i < REFRESHES; i++) {
        const struct refresh *refresh = &refresher->refreshes[i];
        count += refresh->state != REFRESH_FREE && refresh->route == route &&
                 (!only_running || refresh->state == REFRESH_RUNS);
    }
    return count;
}

/* The one that has waited for longest, of those whose route may have one more. */
static struct refresh *choose_locked(struct refresher *refresher)
{
    struct refresh *found = NULL;

    for (size_t i = 0; i < REFRESHES; i++) {
        struct refresh *refresh = &refresher->refreshes[i];
        if (refresh->state == REFRESH_WAITS && (!found || refresh->number < found->number) &&
            count_locked(refresher, refresh->route, true) < THREADS / 2)
            found = refresh;
    }
    return found;
}

static struct refresh *next_refresh(struct refresher *refresher)
{
    struct refresh *found = NULL;

    lock_acquire(&refresher->lock);
    while (!found && !refresher->stops) {
        found = choose_locked(refresher);
        if (!found)
            (void)lock_cond_wait(&refresher->more, &refresher->lock, INT64_MAX);
    }
    if (refresher->stops)
        found = NULL;
    if (found)
        found->state = REFRESH_RUNS;
    lock_release(&refresher->lock);
    return found;
}

static void run_refresh(struct refresher *refresher, struct refresh *refresh)
{
    struct passage passage;
    struct call *call = &refresh->call;
    enum err err = passage_begin(&passage, refresh->route, &refresh->request, call);

    if (err == ERR_OK)
        err = refresher->run(&passage);
    if (err != ERR_OK)
        log_event(LOG_LEVEL_INFO, "gateway.refresh_failed", LOG_CSTR("route", call->route->name),
                  LOG_CSTR("error", err_name(err)), LOG_CSTR("detail", call->error.detail));
    lock_acquire(&refresher->lock);
    end_refresh(refresh);
    lock_cond_broadcast(&refresher->more); /* its route may have one more */
    lock_release(&refresher->lock);
}

static void *work(void *arg)
{
    struct refresher *refresher = arg;
    struct refresh *refresh;

    while ((refresh = next_refresh(refresher)))
        run_refresh(refresher, refresh);
    return NULL;
}

/* ---- life ---- */

enum err refresher_new(enum err (*run)(struct passage *passage), struct refresher **refresher_out,
                       struct error *error)
{
    struct refresher *refresher = calloc(1, sizeof *refresher);
    enum err err = ERR_OK;

    *refresher_out = NULL;
    if (!refresher)
        return error_set(error, ERR_NO_MEMORY, "out of memory");
    refresher->run = run;
    lock_init(&refresher->lock, LOCK_RANK_LEAF, "gateway refreshes");
    lock_cond_init(&refresher->more);
    while (err == ERR_OK && refresher->thread_count < THREADS) {
        err = thread_start(&refresher->threads[refresher->thread_count], "cw-refresh", 0, work,
                           refresher, error);
        refresher->thread_count += err == ERR_OK;
    }
    if (err != ERR_OK) {
        refresher_free(&refresher);
        return err;
    }
    *refresher_out = refresher;
    return ERR_OK;
}

void refresher_free(struct refresher **refresher)
{
    struct refresher *gone = *refresher;

    if (!gone)
        return;
    lock_acquire(&gone->lock);
    gone->stops = true;
    lock_cond_broadcast(&gone->more);
    lock_release(&gone->lock);
    for (int i = 0; i < gone->thread_count; i++)
        pthread_join(gone->threads[i], NULL);
    for (size_t i = 0; i < REFRESHES; i++)
        if (gone->refreshes[i].state != REFRESH_FREE)
            end_refresh(&gone->refreshes[i]);
    lock_cond_fini(&gone->more);
    lock_fini(&gone->lock);
    free(gone);
    *refresher = NULL;
}

static struct refresh *free_place(struct refresher *refresher, const struct gateway_digest *entry)
{
    struct refresh *found = NULL;

    for (size_t i = 0; i < REFRESHES; i++) {
        struct refresh *refresh = &refresher->refreshes[i];
        if (refresh->state == REFRESH_FREE)
            found = refresh;
        else if (gateway_digest_eq(&refresh->entry, entry))
            return NULL;
    }
    return found;
}

bool refresher_ask(struct refresher *refresher, const struct passage *passage,
                   const struct gateway_digest *entry)
{
    lock_acquire(&refresher->lock);
    bool may_wait =
        !refresher->stops && count_locked(refresher, passage->route, false) < REFRESHES / 2;
    struct refresh *refresh = may_wait ? free_place(refresher, entry) : NULL;
    if (refresh) {
        refresh->entry = *entry;
        refresh->number = ++refresher->asked;
        if (fill_refresh(refresh, passage)) {
            refresh->state = REFRESH_WAITS;
            lock_cond_broadcast(&refresher->more);
        } else {
            end_refresh(refresh);
            refresh = NULL;
        }
    }
    lock_release(&refresher->lock);
    return refresh != NULL;
}
