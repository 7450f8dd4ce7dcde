/*
 * Leases as clients send them back: none is taken that was not made here, for this label of this namespace, within
 * the hour. Input: the label up to a newline, and the lease. Its bytes are also the numbers of a lease that is made
 * here, taken, and then spoilt in one place.
 */
#include "entries/lease.h"
#include "entries/varint.h"

#include "cachewarden/arena.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct key_ring *key, *other_key;

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void expect_none(const struct key_ring *with, struct arena *arena, struct namespace space,
                        struct str label, struct str text, int64_t now_ms)
{
    struct lease lease;
    struct error error;

    error_clear(&error);
    const struct lease_scope scope = {with, &space, label};
    enum err err = lease_open(&scope, (struct work){arena, 0, &error}, text, now_ms, &lease);
    must(err == ERR_BAD_INPUT && str_starts(str_from(error.caller), STR("X-Cache-Lease: ")));
}

/* Numbers from whatever bytes there are. */
static int64_t take(struct str *bytes)
{
    int64_t number;

    if (!varint_take(bytes, &number)) {
        *bytes = str_sub(*bytes, 1, bytes->len);
        return 0;
    }
    return number >> 1; /* a moment of it and an hour more is a number, too */
}

static struct lease make(struct str bytes)
{
    struct lease lease = {.issued_at_ms = take(&bytes),
                          .version = take(&bytes),
                          .base = take(&bytes),
                          .any = take(&bytes),
                          .is_promised = bytes.len % 2 == 1};

    for (; lease.model_count < ENTRY_MODELS_MAX && bytes.len > LEASE_MODEL_SIZE;
         lease.model_count++) {
        memcpy(lease.models[lease.model_count], bytes.ptr, LEASE_MODEL_SIZE);
        bytes = str_sub(bytes, LEASE_MODEL_SIZE, bytes.len);
        lease.counts[lease.model_count] = take(&bytes);
    }
    return lease;
}

static void check_same(const struct lease *a, const struct lease *b)
{
    must(a->issued_at_ms == b->issued_at_ms && a->version == b->version && a->base == b->base &&
         a->any == b->any && a->is_promised == b->is_promised && a->model_count == b->model_count);
    for (size_t i = 0; i < a->model_count; i++)
        must(memcmp(a->models[i], b->models[i], LEASE_MODEL_SIZE) == 0 &&
             a->counts[i] == b->counts[i]);
}

/* The text with another character in one place. */
static struct str spoil(struct arena *arena, struct str text, size_t at)
{
    struct str spoilt = str_dup(arena, text);

    must(spoilt.ptr != NULL);
    char *byte = (char *)(uintptr_t)spoilt.ptr + at % text.len; /* our own copy */
    *byte = *byte == 'A' ? 'B' : 'A';
    return spoilt;
}

static void try_own(struct arena *arena, struct str label, struct str bytes)
{
    const struct namespace mine = namespace_of_user(7), other = namespace_of_user(8),
                           app = namespace_of_app(STR("7"));
    struct lease lease = make(bytes), opened;
    int64_t now_ms = lease.issued_at_ms;
    struct str text;

    const struct lease_scope scope = {key, &mine, label};
    must(lease_seal(&scope, arena, &lease, &text) == ERR_OK);
    must(lease_open(&scope, (struct work){.arena = arena}, text, now_ms, &opened) == ERR_OK);
    check_same(&lease, &opened);
    expect_none(key, arena, other, label, text, now_ms);
    expect_none(key, arena, app, label, text, now_ms);
    expect_none(other_key, arena, mine, label, text, now_ms);
    expect_none(key, arena, mine, label.len > 1 ? str_sub(label, 1, label.len) : STR("another"),
                text, now_ms);
    expect_none(key, arena, mine, label, text, now_ms + LEASE_LIFE_S * INT64_C(1000) + 1);
    expect_none(key, arena, mine, label, spoil(arena, text, bytes.len), now_ms);
    expect_none(key, arena, mine, label, str_sub(text, 0, bytes.len % text.len), now_ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size}, label = STR_NONE;
    struct arena *arena = arena_new(4096, (size_t)16 << 20);

    if (!key)
        must(lease_keys_new(&(struct secrets){.current = STR("0123456789abcdef0123456789abcdef")},
                            &key, NULL) == ERR_OK &&
             lease_keys_new(&(struct secrets){.current = STR("0123456789abcdef0123456789abcdeF")},
                            &other_key, NULL) == ERR_OK);
    (void)str_split(&rest, '\n', &label);
    if (arena && label.len >= 1 && label.len <= ENTRY_LABEL_MAX) {
        expect_none(key, arena, namespace_of_user(7), label, rest, 0);
        try_own(arena, label, rest);
    }
    arena_free(&arena);
    return 0;
}
