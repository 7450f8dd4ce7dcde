#include "entries/lease.h"

#include "cachewarden/digest.h"
#include "cachewarden/mac.h"
#include "entries/varint.h"
#include "keyspace.h"

#define FORMAT       1
#define FLAG_PROMISE 1

enum {
    SIGNATURE_SIZE = 16,
    /* Nothing that we hand out is longer. */
    LEASE_TEXT_MAX = 600,
    RESERVE = 64
};

static enum err make_key(struct str secret, void **key_out, struct error *error)
{
    unsigned char derived[MAC_MAX_SIZE];
    struct mac_key *own = NULL, *key = NULL;
    size_t size;
    enum err err = mac_key_new("SHA2-256", secret, &own);

    if (err == ERR_OK)
        err = mac_compute(own, STR("cachewarden: leases of entries, 1"), derived, &size);
    if (err == ERR_OK)
        err = mac_key_new("SHA2-256", (struct str){(const char *)derived, size}, &key);
    secret_wipe(derived, sizeof derived);
    mac_key_free(&own);
    *key_out = key;
    return err == ERR_OK ? err
                         : error_set_detail(error, err, "the key of leases could not be made");
}

static void free_key(void *memory)
{
    struct mac_key *key = memory;

    mac_key_free(&key);
}

enum err lease_keys_new(const struct secrets *secrets, struct key_ring **keys_out,
                        struct error *error)
{
    static const struct key_kind kind = {make_key, free_key};

    return key_ring_new(&kind, secrets, keys_out, error);
}

static enum err digest_model(struct str name, unsigned char out[LEASE_MODEL_SIZE])
{
    unsigned char digest[DIGEST_SHA256_SIZE];
    enum err err = digest_sha256(name, digest);

    memcpy(out, digest, LEASE_MODEL_SIZE);
    return err;
}

enum err lease_fill_in(struct lease *lease, int64_t now_ms, int64_t version,
                       const struct model_set *models)
{
    enum err err = ERR_OK;

    *lease = (struct lease){.issued_at_ms = now_ms,
                            .version = version,
                            .base = models->base,
                            .any = models->any,
                            .model_count = models->count};
    for (size_t i = 0; err == ERR_OK && i < models->count; i++) {
        lease->counts[i] = models->counts[i];
        err = digest_model(models->names[i], lease->models[i]);
    }
    return err;
}

/* What is signed: what is said, and where it holds: the entry's key names both namespace and label. */
static struct str signed_text(const struct lease_scope *scope, struct arena *arena, struct str said)
{
    struct label_key entry = key_entry(scope->space, scope->label);
    struct strbuf text;

    strbuf_init(&text, arena, said.len + entry.len + VARINT_SIZE_MAX);
    varint_add(&text, (int64_t)said.len);
    strbuf_add(&text, said);
    strbuf_add(&text, label_key_str(&entry));
    return text.failed ? STR_NONE : strbuf_str(&text);
}

static enum err sign(const struct lease_scope *scope, struct arena *arena, struct str said,
                     unsigned char signature_out[MAC_MAX_SIZE])
{
    struct str text = signed_text(scope, arena, said);
    size_t size;

    return text.ptr ? mac_compute(key_ring_keys(scope->keys)->keys[0], text, signature_out, &size)
                    : ERR_NO_MEMORY;
}

enum err lease_seal(const struct lease_scope *scope, struct arena *arena, const struct lease *lease,
                    struct str *text_out)
{
    unsigned char signature[MAC_MAX_SIZE];
    struct strbuf out;

    strbuf_init(&out, arena, RESERVE);
    strbuf_add_char(&out, FORMAT);
    varint_add(&out, lease->issued_at_ms);
    varint_add(&out, lease->version);
    varint_add(&out, lease->base);
    varint_add(&out, lease->any);
    strbuf_add_char(&out, lease->is_promised ? FLAG_PROMISE : 0);
    strbuf_add_char(&out, (char)lease->model_count);
    for (size_t i = 0; i < lease->model_count; i++) {
        strbuf_add(&out, (struct str){(const char *)lease->models[i], LEASE_MODEL_SIZE});
        varint_add(&out, lease->counts[i]);
    }
    if (out.failed)
        return ERR_NO_MEMORY;
    enum err err = sign(scope, arena, strbuf_str(&out), signature);
    strbuf_add(&out, (struct str){(const char *)signature, SIGNATURE_SIZE});
    *text_out = err == ERR_OK && !out.failed ? base64url_encode(arena, strbuf_str(&out)) : STR_NONE;
    return err != ERR_OK || text_out->ptr ? err : ERR_NO_MEMORY;
}

/* ---- opening ---- */

static bool take_lease_models(struct str *rest, struct lease *lease)
{
    unsigned char count;
    struct str digest;

    if (!take_byte(rest, &count) || count > ENTRY_MODELS_MAX)
        return false;
    for (lease->model_count = 0; lease->model_count < count; lease->model_count++) {
        size_t i = lease->model_count;
        if (!take_bytes(rest, LEASE_MODEL_SIZE, &digest) || !varint_take(rest, &lease->counts[i]))
            return false;
        memcpy(lease->models[i], digest.ptr, LEASE_MODEL_SIZE);
    }
    return true;
}

static bool decode(struct str said, struct lease *lease)
{
    struct str rest = said;
    unsigned char format, flags;

    *lease = (struct lease){0};
    if (!take_byte(&rest, &format) || format != FORMAT ||
        !varint_take(&rest, &lease->issued_at_ms) || !varint_take(&rest, &lease->version) ||
        !varint_take(&rest, &lease->base) || !varint_take(&rest, &lease->any) ||
        !take_byte(&rest, &flags) || !take_lease_models(&rest, lease))
        return false;
    lease->is_promised = flags & FLAG_PROMISE;
    return rest.len == 0;
}

static bool is_signed(const struct lease_scope *scope, struct arena *arena, struct str bytes,
                      struct str *said_out)
{
    const struct key_set *keys = key_ring_keys(scope->keys);
    unsigned char signature[MAC_MAX_SIZE];
    bool is_ours = false;
    size_t size;

    if (bytes.len <= SIGNATURE_SIZE)
        return false;
    *said_out = str_sub(bytes, 0, bytes.len - SIGNATURE_SIZE);
    struct str text = signed_text(scope, arena, *said_out);
    for (size_t i = 0; text.ptr && !is_ours && i < keys->count; i++)
        is_ours = mac_compute(keys->keys[i], text, signature, &size) == ERR_OK &&
                  str_eq_secret(str_sub(bytes, said_out->len, SIGNATURE_SIZE),
                                (struct str){(const char *)signature, SIGNATURE_SIZE});
    return is_ours;
}

enum err lease_open(const struct lease_scope *scope, struct work work, struct str text,
                    int64_t now_ms, struct lease *lease_out)
{
    struct str bytes, said;

    if (text.len > LEASE_TEXT_MAX || !base64url_decode(work.arena, text, &bytes) ||
        !is_signed(scope, work.arena, bytes, &said) || !decode(said, lease_out))
        return error_set(work.error, ERR_BAD_INPUT,
                         "X-Cache-Lease: This is not a lease for this label. Send the one that "
                         "the miss handed out, as it is, or none.");
    if (now_ms - lease_out->issued_at_ms > LEASE_LIFE_S * INT64_C(1000))
        return error_set(work.error, ERR_BAD_INPUT,
                         "X-Cache-Lease: It is older than an hour. Read the label again, and take "
                         "the lease of that miss.");
    return ERR_OK;
}

bool lease_has_models(const struct lease *lease, struct model_set *models)
{
    bool has_all = models->count == 0 || lease->base != 0;

    for (size_t i = 0; has_all && i < models->count; i++) {
        unsigned char digest[LEASE_MODEL_SIZE];
        has_all = digest_model(models->names[i], digest) == ERR_OK;
        size_t k = 0;
        while (k < lease->model_count && memcmp(lease->models[k], digest, sizeof digest) != 0)
            k++;
        has_all = has_all && k < lease->model_count;
        if (has_all)
            models->counts[i] = lease->counts[k];
    }
    models->base = lease->base;
    return has_all;
}
