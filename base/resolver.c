#include "resolver_private.h"

#include "cachewarden/clock.h"
#include "cachewarden/lock.h"
#include "cachewarden/log.h"
#include "cachewarden/thread.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What name servers and the modules of the C library need; the system's eight megabytes would be counted by
 * whoever limits the memory of the process. */
#define STACK_SIZE (256 * (size_t)1024)
#define WHY_SIZE   160
/* How long the end waits for a line of the log that a look-up has begun to write. */
#define STOP_MS 1000

struct known_name {
    struct known_name *next; /* guarded by the lock, set once */
    char *host;              /* set once */
    /* guarded by the lock */
    struct resolver_answer answer; /* the last good one; count 0: none yet */
    bool is_looking;
    bool is_wanted;        /* before it would be its turn */
    bool is_told;          /* a failure, or a first answer that is long in coming, was logged */
    int failure;           /* of the last look-up that ended, getaddrinfo's number */
    uint64_t done;         /* look-ups that ended */
    int64_t began_ns;      /* the last one */
    int64_t ended_ns;      /* the last one that ended */
    int64_t renewal_ns;    /* until then a renewal is worth waiting for … */
    uint64_t renewal_done; /* … as long as `done` is this */
    char why[WHY_SIZE];    /* what `failure` means */
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct lock lock;
static struct lock_cond changed;
/* guarded by the lock; names stay until the process ends */
static struct known_name *names;
static size_t name_count;
static uint64_t lookup_count, failure_count;
static unsigned telling; /* threads that write to the log */
static bool is_stopped;  /* nothing is written any more */

static int ask_system(const char *host, struct resolver_answer *answer_out);

const struct resolver_tuning resolver_default_tuning = {
    .look_up = ask_system,
    .refresh_ms = 30000,
    .retry_ms = 5000,
    .interval_ms = 1000,
    .renew_wait_ms = 500,
    .say_ms = 1000,
    .overdue_ms = 5000,
};
static struct resolver_tuning tuning; /* set before there are threads */

static void set_up(void)
{
    lock_init(&lock, LOCK_RANK_LEAF, "resolver");
    lock_cond_init(&changed);
    if (!tuning.look_up)
        tuning = resolver_default_tuning;
}

void resolver_tune(const struct resolver_tuning *wanted)
{
    tuning = *wanted;
    pthread_once(&once, set_up);
}

/* ---- one look-up ---- */

static int ask(const char *host, int flags, struct resolver_answer *answer_out)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags};
    struct addrinfo *found = NULL;
    int failure = getaddrinfo(host, NULL, &hints, &found);

    answer_out->count = 0;
    if (failure != 0)
        return failure;
    for (const struct addrinfo *each = found; each; each = each->ai_next) {
        struct resolver_address *address = &answer_out->addresses[answer_out->count];
        if ((each->ai_family != AF_INET && each->ai_family != AF_INET6) ||
            each->ai_addrlen > sizeof address->socket)
            continue;
        memcpy(&address->socket, each->ai_addr, each->ai_addrlen);
        address->size = each->ai_addrlen;
        if (++answer_out->count == RESOLVER_ADDRESSES_MAX)
            break;
    }
    freeaddrinfo(found);
    return answer_out->count > 0 ? 0 : EAI_NONAME;
}

static int ask_system(const char *host, struct resolver_answer *answer_out)
{
    return ask(host, 0, answer_out);
}

static void explain(int failure, int errno_then, char out[WHY_SIZE])
{
    char text[96];

    if (failure == EAI_SYSTEM)
        snprintf(out, WHY_SIZE, "%s", strerror_r(errno_then, text, sizeof text));
    else
        snprintf(out, WHY_SIZE, "%s", gai_strerror(failure));
}

/* ---- the thread of a name ---- */

struct news {
    bool is_bad, is_good; /* neither: nothing new */
    bool has_answer;      /* an older one */
    char why[WHY_SIZE];
};

static void take_locked(struct known_name *name, int failure, const char *why,
                        const struct resolver_answer *answer, struct news *news_out)
    CW_NEEDS_LOCK(&lock)
{
    lookup_count++;
    failure_count += failure != 0;
    if (failure == 0)
        name->answer = *answer;
    snprintf(name->why, sizeof name->why, "%s", why);
    *news_out = (struct news){.is_bad = failure != 0 && !name->is_told,
                              .is_good = failure == 0 && name->is_told,
                              .has_answer = name->answer.count > 0};
    snprintf(news_out->why, sizeof news_out->why, "%s", why);
    name->is_told = failure != 0;
    name->failure = failure;
}

/* Behind what the log says of it: who waits may end the program. */
static void publish_locked(struct known_name *name) CW_NEEDS_LOCK(&lock)
{
    name->is_looking = false;
    name->ended_ns = clock_mono_ns();
    name->done++;
    lock_cond_broadcast(&changed);
}

static void tell(const struct known_name *name, const struct news *news)
{
    if (news->is_bad)
        log_event(LOG_LEVEL_WARN, "name.lookup_failed", LOG_CSTR("host", name->host),
                  LOG_CSTR("why", news->why),
                  LOG_CSTR("uses", news->has_answer ? "the last answer" : "nothing"));
    if (news->is_good)
        log_event(LOG_LEVEL_INFO, "name.lookup_works", LOG_CSTR("host", name->host));
}

static void await_turn_locked(struct known_name *name) CW_NEEDS_LOCK(&lock)
{
    for (;;) {
        int64_t rest_ms = name->is_wanted      ? tuning.interval_ms
                          : name->failure != 0 ? tuning.retry_ms
                                               : tuning.refresh_ms;
        int64_t turn_ns = name->began_ns + rest_ms * NS_PER_MS;
        if (clock_mono_ns() >= turn_ns)
            break;
        (void)lock_cond_wait(&changed, &lock, turn_ns);
    }
    name->is_wanted = false;
    name->is_looking = true;
    name->began_ns = clock_mono_ns();
}

static void *look_up_for_ever(void *arg)
{
    struct known_name *name = arg;

    for (;;) {
        struct resolver_answer answer;
        struct news news = {0};
        char why[WHY_SIZE] = "";
        int failure = tuning.look_up(name->host, &answer);
        if (failure != 0)
            explain(failure, errno, why);
        lock_acquire(&lock);
        take_locked(name, failure, why, &answer, &news);
        bool tells = (news.is_bad || news.is_good) && !is_stopped;
        telling += tells;
        lock_release(&lock);
        if (tells)
            tell(name, &news);
        lock_acquire(&lock);
        telling -= tells;
        publish_locked(name);
        await_turn_locked(name);
        lock_release(&lock);
    }
    return NULL;
}

/* ---- names ---- */

static struct known_name *find_locked(const char *host) CW_NEEDS_LOCK(&lock)
{
    struct known_name *name = names;

    while (name && strcasecmp(name->host, host) != 0)
        name = name->next;
    return name;
}

static void free_name(struct known_name *name)
{
    if (name)
        free(name->host);
    free(name);
}

/* Its thread begins with a look-up. */
static enum err add_locked(const char *host, struct known_name **name_out, struct error *error)
    CW_NEEDS_LOCK(&lock)
{
    pthread_t thread;
    struct known_name *name = calloc(1, sizeof *name);

    if (name_count == RESOLVER_NAMES_MAX || !name || !(name->host = strdup(host))) {
        free_name(name);
        return error_set_detail(error, ERR_NO_MEMORY, "no room for one more host name");
    }
    name->is_looking = true;
    name->began_ns = clock_mono_ns();
    enum err err = thread_start(&thread, "cw-name", STACK_SIZE, look_up_for_ever, name, error);
    if (err) {
        free_name(name);
        return err;
    }
    pthread_detach(thread);
    name->next = names;
    names = name;
    name_count++;
    *name_out = name;
    return ERR_OK;
}

static enum err fail(enum err err, const struct known_name *name, const char *why,
                     struct error *error)
{
    return error_set_detail(error, err, "look-up of the host %.100s: %s", name->host, why);
}

/* The first answer, or word that there is none: whatever the look-up says that is under way or begins now. */
static enum err await_first_locked(struct known_name *name, int64_t deadline_ns, bool *is_late_out,
                                   struct error *error) CW_NEEDS_LOCK(&lock)
{
    int64_t now_ns = clock_mono_ns();
    uint64_t done = name->done;

    if (name->failure != 0 && !name->is_looking &&
        now_ns < name->ended_ns + tuning.interval_ms * NS_PER_MS)
        return fail(ERR_UPSTREAM_DOWN, name, name->why, error);
    if (!name->is_looking) {
        name->is_wanted = true;
        lock_cond_broadcast(&changed);
    }
    while (name->answer.count == 0 && name->done == done && now_ns < deadline_ns) {
        int64_t say_ns = name->began_ns + tuning.say_ms * NS_PER_MS;
        bool says = name->is_looking && !name->is_told && say_ns < deadline_ns;
        if (says && now_ns >= say_ns) {
            name->is_told = *is_late_out = true;
            return ERR_OK;
        }
        (void)lock_cond_wait(&changed, &lock, says ? say_ns : deadline_ns);
        now_ns = clock_mono_ns();
    }
    if (name->answer.count > 0)
        return ERR_OK;
    return name->done == done ? fail(ERR_TIMEOUT, name, "no answer of a name server in time", error)
                              : fail(ERR_UPSTREAM_DOWN, name, name->why, error);
}

static void await_renewal_locked(struct known_name *name, int64_t deadline_ns) CW_NEEDS_LOCK(&lock)
{
    int64_t until_ns = name->renewal_ns < deadline_ns ? name->renewal_ns : deadline_ns;

    while (name->done == name->renewal_done && clock_mono_ns() < until_ns)
        (void)lock_cond_wait(&changed, &lock, until_ns);
}

/* *is_late_out: nothing is decided yet, and that is to be said without the lock. */
static enum err find_known(const char *host, int64_t deadline_ns,
                           struct resolver_answer *answer_out, bool *is_late_out,
                           struct error *error)
{
    enum err err = ERR_OK;

    *is_late_out = false;
    lock_acquire(&lock);
    struct known_name *name = find_locked(host);
    if (!name)
        err = add_locked(host, &name, error);
    if (!err && name->answer.count == 0)
        err = await_first_locked(name, deadline_ns, is_late_out, error);
    else if (!err)
        await_renewal_locked(name, deadline_ns);
    if (!err && !*is_late_out)
        *answer_out = name->answer;
    lock_release(&lock);
    return err;
}

static void put_port(struct resolver_answer *answer, int port)
{
    for (size_t i = 0; i < answer->count; i++) {
        struct resolver_address *address = &answer->addresses[i];
        if (address->socket.any.sa_family == AF_INET6)
            address->socket.v6.sin6_port = htons((uint16_t)port);
        else
            address->socket.v4.sin_port = htons((uint16_t)port);
    }
}

enum err resolver_find(const char *host, int port, int64_t deadline_ns,
                       struct resolver_answer *answer_out, struct error *error)
{
    bool is_late = false;
    enum err err = ERR_OK;

    if (ask(host, AI_NUMERICHOST, answer_out) != 0) {
        pthread_once(&once, set_up);
        do {
            err = find_known(host, deadline_ns, answer_out, &is_late, error);
            if (is_late)
                log_event(LOG_LEVEL_WARN, "name.lookup_waits", LOG_CSTR("host", host),
                          LOG_CSTR("why", "no name server has answered; see /etc/resolv.conf"));
        } while (is_late);
    }
    if (!err)
        put_port(answer_out, port);
    return err;
}

void resolver_renew(const char *host)
{
    int64_t now_ns = clock_mono_ns();

    if (!host)
        return;
    pthread_once(&once, set_up);
    lock_acquire(&lock);
    struct known_name *name = find_locked(host);
    if (name) {
        if (!name->is_looking && now_ns >= name->began_ns + tuning.interval_ms * NS_PER_MS) {
            name->renewal_ns = now_ns + tuning.renew_wait_ms * NS_PER_MS;
            name->renewal_done = name->done;
        }
        name->is_wanted = true;
        lock_cond_broadcast(&changed);
    }
    lock_release(&lock);
}

void resolver_stop(void)
{
    int64_t deadline_ns = clock_deadline_ns(STOP_MS);
    bool is_in_time = true;

    pthread_once(&once, set_up);
    lock_acquire(&lock);
    is_stopped = true;
    while (telling > 0 && is_in_time)
        is_in_time = lock_cond_wait(&changed, &lock, deadline_ns);
    lock_release(&lock);
}

void resolver_write(const struct resolver_address *address, char out[RESOLVER_TEXT_SIZE])
{
    if (getnameinfo(&address->socket.any, address->size, out, RESOLVER_TEXT_SIZE, NULL, 0,
                    NI_NUMERICHOST) != 0)
        out[0] = '\0';
}

void resolver_stats_read(struct resolver_stats *stats_out)
{
    int64_t now_ns = clock_mono_ns();

    pthread_once(&once, set_up);
    lock_acquire(&lock);
    *stats_out = (struct resolver_stats){
        .lookups = lookup_count, .failures = failure_count, .names = name_count};
    for (const struct known_name *name = names; name; name = name->next) {
        bool is_slow = name->is_looking && now_ns - name->began_ns >= tuning.overdue_ms * NS_PER_MS;
        stats_out->overdue += name->failure != 0 || is_slow;
    }
    lock_release(&lock);
}
