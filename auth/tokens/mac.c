#include "cachewarden/mac.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct mac_key {
    uint64_t number; /* never 0 */
    const char *digest;
    size_t secret_len;
    unsigned char secret[];
};

/* Of our own secret and those before it: tokens, leases; and a few external issuers'. More than this in turn is
 * slower, not wrong. */
enum { SLOT_COUNT = 12 };

struct thread_contexts {
    struct {
        uint64_t key_number; /* 0: the slot is free */
        EVP_MAC_CTX *context;
    } slots[SLOT_COUNT];
    unsigned next; /* the slot replaced next */
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_MAC *hmac;
static pthread_key_t contexts_key;
static bool is_ready;
static atomic_uint_fast64_t last_number;

static void free_thread_contexts(void *memory)
{
    struct thread_contexts *contexts = memory;

    for (size_t i = 0; i < SLOT_COUNT; i++)
        EVP_MAC_CTX_free(contexts->slots[i].context);
    free(contexts);
}

static void set_up(void)
{
    hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    is_ready = hmac && pthread_key_create(&contexts_key, free_thread_contexts) == 0;
}

enum err mac_key_new(const char *digest, struct str secret, struct mac_key **key_out)
{
    *key_out = NULL;
    pthread_once(&once, set_up);
    if (!is_ready)
        return ERR_INTERNAL;

    struct mac_key *key = malloc(sizeof *key + secret.len);
    if (!key)
        return ERR_NO_MEMORY;
    key->number = atomic_fetch_add(&last_number, 1) + 1;
    key->digest = digest;
    key->secret_len = secret.len;
    if (secret.len > 0)
        memcpy(key->secret, secret.ptr, secret.len);
    *key_out = key;
    return ERR_OK;
}

void mac_key_free(struct mac_key **key)
{
    if (!*key)
        return;
    secret_wipe((*key)->secret, (*key)->secret_len);
    free(*key);
    *key = NULL;
}

static struct thread_contexts *this_thread(void)
{
    struct thread_contexts *contexts = pthread_getspecific(contexts_key);

    if (contexts)
        return contexts;
    contexts = calloc(1, sizeof *contexts);
    if (contexts && pthread_setspecific(contexts_key, contexts) != 0) {
        free(contexts);
        contexts = NULL;
    }
    return contexts;
}

static EVP_MAC_CTX *new_keyed_context(const struct mac_key *key)
{
    char digest[16];
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(hmac);

    /* OSSL_PARAM wants a name that is not const. */
    snprintf(digest, sizeof digest, "%s", key->digest);
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    if (context && EVP_MAC_init(context, key->secret, key->secret_len, params) == 1)
        return context;
    EVP_MAC_CTX_free(context);
    return NULL;
}

/* A context of the calling thread that holds the key and is ready for bytes; NULL when there is no
 * memory. */
static EVP_MAC_CTX *ready_context(const struct mac_key *key)
{
    struct thread_contexts *contexts = this_thread();
    if (!contexts)
        return NULL;

    for (size_t i = 0; i < SLOT_COUNT; i++) {
        EVP_MAC_CTX *context = contexts->slots[i].context;
        if (contexts->slots[i].key_number == key->number)
            return EVP_MAC_init(context, NULL, 0, NULL) == 1 ? context : NULL;
    }

    EVP_MAC_CTX *context = new_keyed_context(key);
    if (!context)
        return NULL;
    unsigned slot = contexts->next;
    contexts->next = (slot + 1) % SLOT_COUNT;
    EVP_MAC_CTX_free(contexts->slots[slot].context);
    contexts->slots[slot].key_number = key->number;
    contexts->slots[slot].context = context;
    return context;
}

enum err mac_compute(const struct mac_key *key, struct str bytes,
                     unsigned char mac_out[MAC_MAX_SIZE], size_t *size_out)
{
    EVP_MAC_CTX *context = ready_context(key);

    if (!context)
        return ERR_NO_MEMORY;
    if (EVP_MAC_update(context, (const unsigned char *)bytes.ptr, bytes.len) != 1 ||
        EVP_MAC_final(context, mac_out, size_out, MAC_MAX_SIZE) != 1)
        return ERR_INTERNAL;
    return ERR_OK;
}
