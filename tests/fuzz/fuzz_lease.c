/*
 * Leases from the network: nothing but what was signed here is taken. The input is taken twice: as the text of a
 * lease; and as the bytes behind a good signature, which no stranger gets past.
 */
#include "entries/lease.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct mac_key *key;
static const struct namespace space = {.user_id = 7};

static void expect(bool is_true, const char *what)
{
    if (is_true)
        return;
    fprintf(stderr, "not so: %s\n", what);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct arena *arena = arena_new(4096, 0);
    struct lease lease = {0}, again;
    struct str sealed;

    if (!key)
        expect(lease_key_new(STR("a secret of at least thirty-two bytes"), &key) == ERR_OK,
               "a key");
    if (!arena)
        return 0;
    expect(lease_open(key, arena, &space, STR("label"), text, 0, &again, NULL) == ERR_BAD_INPUT,
           "what was not signed is refused");
    if (size >= sizeof lease.issued_at_ms) {
        memcpy(&lease.issued_at_ms, data, sizeof lease.issued_at_ms);
        lease.issued_at_ms &= INT64_MAX >> 1;
        lease.version = (int64_t)size;
        lease.model_count = size % (ENTRY_MODELS_MAX + 1);
        expect(lease_seal(key, arena, &space, STR("label"), &lease, &sealed) == ERR_OK, "a lease");
        expect(lease_open(key, arena, &space, STR("label"), sealed, lease.issued_at_ms, &again,
                          NULL) == ERR_OK,
               "what was signed is taken");
        expect(again.version == lease.version && again.model_count == lease.model_count,
               "it is the same");
        expect(lease_open(key, arena, &space, STR("labem"), sealed, lease.issued_at_ms, &again,
                          NULL) == ERR_BAD_INPUT,
               "but for no other label");
    }
    arena_free(&arena);
    return 0;
}
