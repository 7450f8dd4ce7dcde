/* The thread that keeps the issuers' keys fresh: files are looked at, servers asked. */
#include "issuers/issuers_private.h"

#include "cachewarden/clock.h"
#include "cachewarden/log.h"

#include <stdlib.h>

/* ---- what came of it ---- */

static void log_loaded(const struct issuer *issuer, const struct issuer_keys *keys)
{
    log_event(LOG_LEVEL_INFO, "issuer.keys_loaded", LOG_STR("issuer", issuer->spec.name),
              LOG_INT("keys", issuer_keys_count(keys)));
}

static void log_failed(const struct issuer *issuer, bool has_keys, enum err err,
                       const struct error *error)
{
    log_event(LOG_LEVEL_WARN, "issuer.keys_failed", LOG_STR("issuer", issuer->spec.name),
              LOG_STR("from", issuer->spec.jwks_url.len > 0 ? issuer->spec.jwks_url
                                                            : issuer_file(&issuer->spec)),
              LOG_CSTR("reason", error->caller[0] ? error->caller : err_name(err)),
              LOG_CSTR("effect", has_keys ? "the last good keys stay in use"
                                          : "its tokens are refused until there are keys"));
}

/* Takes *keys, or gives back what they replaced. Tokens that were proven with others are proven
 * again. */
static bool install_locked(struct issuers *issuers, struct issuer *issuer,
                           struct issuer_keys **keys)
{
    if (issuer_keys_same(issuer->keys, *keys))
        return false;
    struct issuer_keys *old = issuer->keys;
    issuer->keys = *keys;
    *keys = old;
    atomic_fetch_add(&issuers->generation, 1);
    return true;
}

/* ---- files ---- */

/* Out of files, forbidden, no memory: another try may do better, though the file is the same. */
static bool may_heal(enum err err)
{
    return err != ERR_OK && err != ERR_BAD_INPUT && err != ERR_TOO_LARGE;
}

/* Whether to read it now. A file that is not there needs no second try. */
static bool is_to_read(const struct issuer *issuer)
{
    struct key_file_stamp stamp;

    key_file_look(issuer_file(&issuer->spec).ptr, &stamp);
    return !issuer->was_read || !key_file_same(&issuer->stamp, &stamp) ||
           key_file_is_young(&stamp, clock_wall_s()) ||
           (stamp.exists && may_heal(issuer->read_outcome));
}

/* One line in the log for each change of what it holds. */
static void look_at_file(struct issuers *issuers, struct issuer *issuer)
{
    struct issuer_keys *keys = NULL, *held;
    const struct key_file_stamp stamp_before = issuer->stamp;
    const enum err before = issuer->read_outcome;
    bool is_first = !issuer->was_read, is_installed = false;
    struct error error;

    if (!is_to_read(issuer))
        return;
    error_clear(&error);
    enum err err = issuer_read_file(issuer, &keys, &error);
    bool is_other = is_first || !key_file_same_text(&issuer->stamp, &stamp_before);
    issuer->read_outcome = err;
    lock_acquire(&issuers->lock);
    if (!err)
        is_installed = install_locked(issuers, issuer, &keys);
    held = issuer_keys_hold(issuer->keys);
    lock_release(&issuers->lock);
    if (err && (is_other || err != before))
        log_failed(issuer, held != NULL, err, &error);
    else if (!err && (is_installed || before))
        log_loaded(issuer, held);
    issuer_keys_release(&held);
    issuer_keys_release(&keys);
}

/* ---- servers ---- */

static void ask_server(struct issuers *issuers, struct issuer *issuer)
{
    struct issuer_keys *keys = NULL, *held;
    struct error error;
    bool is_changed = false;

    error_clear(&error);
    enum err err =
        issuer_keys_fetch(&issuer->spec, &issuers->stops, issuers->fetch_timeout_ms, &keys, &error);
    if (atomic_load(&issuers->stops)) {
        issuer_keys_release(&keys);
        return;
    }
    lock_acquire(&issuers->lock);
    int64_t now_ns = clock_mono_ns();
    refetch_end(&issuer->refetch, err == ERR_OK, now_ns);
    if (!err || refetch_is_stale(&issuer->refetch, now_ns))
        is_changed = install_locked(issuers, issuer, &keys);
    held = issuer_keys_hold(issuer->keys);
    issuer->was_asked = true;
    lock_cond_broadcast(&issuers->changed);
    lock_release(&issuers->lock);
    if (err)
        log_failed(issuer, held != NULL, err, &error);
    else if (is_changed)
        log_loaded(issuer, held);
    issuer_keys_release(&held);
    issuer_keys_release(&keys);
}

/* ---- the round ---- */

/* The issuer that has waited longest for its turn, held; or NULL, and when the next turn is. */
static struct issuer *next_locked(struct issuers *issuers, int64_t now_ns, int64_t *wake_ns_out)
{
    struct issuer *next = NULL;

    for (size_t i = 0; i < issuers->list.count; i++) {
        struct issuer *issuer = issuers->list.items[i];
        if (issuer->refetch.next_ns < *wake_ns_out) {
            *wake_ns_out = issuer->refetch.next_ns;
            next = issuer;
        }
    }
    return next && *wake_ns_out <= now_ns ? issuer_hold(next) : NULL;
}

static struct issuer *await_turn(struct issuers *issuers)
{
    struct issuer *issuer = NULL;

    lock_acquire(&issuers->lock);
    while (!issuer && !atomic_load(&issuers->stops)) {
        int64_t now_ns = clock_mono_ns(), wake_ns = now_ns + 3600 * NS_PER_S;
        issuer = next_locked(issuers, now_ns, &wake_ns);
        if (!issuer)
            lock_cond_wait(&issuers->changed, &issuers->lock, wake_ns);
    }
    if (issuer && issuer->spec.jwks_url.len > 0)
        refetch_start(&issuer->refetch, clock_mono_ns());
    else if (issuer)
        issuer->refetch.next_ns = clock_mono_ns() + issuers->look_ms * NS_PER_MS;
    lock_release(&issuers->lock);
    return issuer;
}

void issuers_refresh(struct issuers *issuers)
{
    struct issuer *issuer;

    while ((issuer = await_turn(issuers)) != NULL) {
        if (issuer->spec.jwks_url.len > 0)
            ask_server(issuers, issuer);
        else
            look_at_file(issuers, issuer);
        issuer_release(&issuer);
    }
}
