#include "cachewarden/key_ring.h"

#include <stdatomic.h>
#include <stdlib.h>

struct held_set {
    struct key_set set;
    void *keys[KEY_SET_MAX];
    char *secrets[KEY_SET_MAX];
    struct held_set *before; /* the one whose place it took */
};

struct key_ring {
    struct key_kind kind;
    _Atomic(struct held_set *) current;
};

static struct str secret_at(const struct secrets *secrets, size_t i)
{
    return i == 0 ? secrets->current : secrets->previous[i - 1];
}

static void free_set(const struct key_kind *kind, struct held_set *held)
{
    for (size_t i = 0; i < KEY_SET_MAX; i++) {
        if (held->keys[i])
            kind->free(held->keys[i]);
        if (held->secrets[i])
            secret_wipe(held->secrets[i], strlen(held->secrets[i]));
        free(held->secrets[i]);
    }
    free(held);
}

static enum err add(const struct key_kind *kind, struct held_set *held, struct str secret,
                    struct error *error)
{
    size_t i = held->set.count;

    held->secrets[i] = strndup(secret.ptr ? secret.ptr : "", secret.len);
    if (!held->secrets[i])
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for a key");
    enum err err = kind->make(secret, &held->keys[i], error);
    if (err != ERR_OK)
        return err;
    held->set.keys[i] = held->keys[i];
    held->set.count++;
    return ERR_OK;
}

static enum err make_set(const struct key_kind *kind, const struct secrets *secrets,
                         struct held_set **held_out, struct error *error)
{
    struct held_set *held = calloc(1, sizeof *held);
    enum err err = ERR_OK;

    *held_out = NULL;
    if (!held)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for a key");
    for (size_t i = 0; err == ERR_OK && i <= secrets->previous_count; i++)
        err = i < KEY_SET_MAX ? add(kind, held, secret_at(secrets, i), error)
                              : error_set_detail(error, ERR_INTERNAL, "too many secrets");
    if (err == ERR_OK)
        *held_out = held;
    else
        free_set(kind, held);
    return err;
}

enum err key_ring_new(const struct key_kind *kind, const struct secrets *secrets,
                      struct key_ring **ring_out, struct error *error)
{
    struct key_ring *ring = calloc(1, sizeof *ring);
    struct held_set *held;

    *ring_out = NULL;
    if (!ring)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for keys");
    ring->kind = *kind;
    enum err err = make_set(kind, secrets, &held, error);
    if (err != ERR_OK) {
        free(ring);
        return err;
    }
    held->set.number = 1;
    atomic_init(&ring->current, held);
    *ring_out = ring;
    return ERR_OK;
}

void key_ring_free(struct key_ring **ring)
{
    if (!*ring)
        return;
    struct held_set *held = atomic_load(&(*ring)->current);
    while (held) {
        struct held_set *before = held->before;
        free_set(&(*ring)->kind, held);
        held = before;
    }
    free(*ring);
    *ring = NULL;
}

static bool has(const struct held_set *held, const struct secrets *secrets)
{
    bool is_same = held->set.count == 1 + secrets->previous_count;

    for (size_t i = 0; is_same && i < held->set.count; i++)
        is_same = str_eq_secret(str_from(held->secrets[i]), secret_at(secrets, i));
    return is_same;
}

enum err key_ring_set(struct key_ring *ring, const struct secrets *secrets, bool *changed_out,
                      struct error *error)
{
    struct held_set *before = atomic_load(&ring->current), *held;

    *changed_out = false;
    if (has(before, secrets))
        return ERR_OK;
    enum err err = make_set(&ring->kind, secrets, &held, error);
    if (err != ERR_OK)
        return err;
    held->set.number = before->set.number + 1;
    held->before = before;
    atomic_store_explicit(&ring->current, held, memory_order_release);
    *changed_out = true;
    return ERR_OK;
}

const struct key_set *key_ring_keys(const struct key_ring *ring)
{
    return &atomic_load_explicit(&ring->current, memory_order_acquire)->set;
}
