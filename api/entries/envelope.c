#include "entries/envelope.h"

#include "cachewarden/digest.h"
#include "entries/varint.h"

/* The first byte of what we store; another format has another. Not a digit, a letter or a brace: what somebody else
 * put under the key is not taken for ours. */
#define FORMAT 0xC2
/* The year 9999. */
#define TIME_MAX_MS INT64_C(253402300799000)

/* ---- content types ---- */

/* One byte in place of some dozen. Only ever added to: the numbers are stored. */
static const char *const types[] = {
    "", /* none was told */
    "application/json",
    "application/json; charset=utf-8",
    "application/octet-stream",
    "text/plain",
    "text/plain; charset=utf-8",
    "text/html",
    "text/html; charset=utf-8",
    "text/css",
    "text/csv",
    "text/javascript",
    "application/javascript",
    "application/xml",
    "text/xml",
    "application/x-www-form-urlencoded",
    "application/msgpack",
    "application/x-msgpack",
    "application/cbor",
    "application/protobuf",
    "application/x-protobuf",
    "application/x-python-pickle",
    "application/pickle",
    "application/pdf",
    "application/zip",
    "application/gzip",
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/svg+xml",
    "text/plain;charset=UTF-8",
    "application/json;charset=UTF-8",
};
enum { TYPES = sizeof types / sizeof *types, TYPE_SPELT_OUT = 255 };

static int type_number(struct str type)
{
    for (int i = 0; i < TYPES; i++) {
        if (str_eq(type, str_from(types[i])))
            return i;
    }
    return TYPE_SPELT_OUT;
}

/* ---- tag ---- */

enum err envelope_make_tag(struct str content_type, struct str body,
                           unsigned char tag_out[ENVELOPE_TAG_SIZE])
{
    /* No type has a line's end in it. */
    const struct str pieces[] = {content_type, STR("\n"), body};
    unsigned char digest[DIGEST_SHA256_SIZE] = {0};
    enum err err = digest_sha256_of(pieces, sizeof pieces / sizeof *pieces, digest);

    memcpy(tag_out, digest, ENVELOPE_TAG_SIZE);
    return err;
}

/* ---- encoding ---- */

static void add_text(struct strbuf *out, struct str text)
{
    varint_add(out, (int64_t)text.len);
    strbuf_add(out, text);
}

static void add_models(struct strbuf *out, const struct model_set *models)
{
    strbuf_add_char(out, (char)models->count);
    if (models->count > 0)
        varint_add(out, models->base);
    for (size_t i = 0; i < models->count; i++) {
        add_text(out, models->names[i]);
        varint_add(out, models->counts[i]);
    }
}

static void add_head(struct strbuf *out, const struct envelope *envelope)
{
    int type = type_number(envelope->content_type);

    strbuf_add_char(out, (char)FORMAT);
    varint_add(out, envelope->version);
    varint_add(out, envelope->stored_at_ms);
    varint_add(out, envelope->life_ms / 1000);
    varint_add(out, envelope->fill_ms);
    strbuf_add(out, (struct str){(const char *)envelope->tag, ENVELOPE_TAG_SIZE});
    strbuf_add_char(out, (char)type);
    if (type == TYPE_SPELT_OUT)
        add_text(out, envelope->content_type);
    add_models(out, &envelope->models);
}

/* Most heads are short; a longer one grows. */
enum { HEAD_RESERVE = 128 };

struct str envelope_encode(struct arena *arena, const struct envelope *envelope)
{
    struct strbuf out;

    strbuf_init(&out, arena, HEAD_RESERVE + envelope->body.len);
    add_head(&out, envelope);
    strbuf_add(&out, envelope->body);
    return out.failed ? STR_NONE : strbuf_str(&out);
}

struct str envelope_encode_head(struct arena *arena, const struct envelope *envelope)
{
    struct strbuf out;

    strbuf_init(&out, arena, HEAD_RESERVE);
    add_head(&out, envelope);
    return out.failed ? STR_NONE : strbuf_str(&out);
}

/* ---- decoding: takes what it reads off *rest ---- */

static bool take_text(struct str *rest, size_t max, struct str *text_out)
{
    int64_t len;

    return varint_take(rest, &len) && len >= 1 && (uint64_t)len <= max &&
           take_bytes(rest, (size_t)len, text_out);
}

static bool take_type(struct str *rest, struct str *type_out)
{
    unsigned char number;

    if (!take_byte(rest, &number))
        return false;
    /* It becomes a line of a head, whoever stored it. */
    if (number == TYPE_SPELT_OUT)
        return take_text(rest, ENTRY_TYPE_MAX, type_out) && !str_has_control(*type_out);
    *type_out = number < TYPES ? str_from(types[number]) : STR_NONE;
    return number < TYPES;
}

static bool take_models(struct str *rest, struct model_set *models)
{
    unsigned char count;

    if (!take_byte(rest, &count) || count > ENTRY_MODELS_MAX ||
        (count > 0 && !varint_take(rest, &models->base)))
        return false;
    for (models->count = 0; models->count < count; models->count++) {
        size_t i = models->count;
        if (!take_text(rest, ENTRY_MODEL_MAX, &models->names[i]) ||
            !varint_take(rest, &models->counts[i]))
            return false;
    }
    return true;
}

bool envelope_decode(struct str bytes, struct envelope *envelope_out)
{
    struct envelope envelope = {0};
    struct str rest = bytes, tag;
    unsigned char format;
    int64_t life_s;

    if (!take_byte(&rest, &format) || format != FORMAT || !varint_take(&rest, &envelope.version) ||
        !varint_take(&rest, &envelope.stored_at_ms) || !varint_take(&rest, &life_s) ||
        !varint_take(&rest, &envelope.fill_ms) || !take_bytes(&rest, ENVELOPE_TAG_SIZE, &tag) ||
        !take_type(&rest, &envelope.content_type) || !take_models(&rest, &envelope.models))
        return false;
    if (envelope.stored_at_ms > TIME_MAX_MS || life_s < 1 || life_s > ENTRY_TTL_MAX_S)
        return false;
    envelope.life_ms = life_s * 1000;
    memcpy(envelope.tag, tag.ptr, sizeof envelope.tag);
    envelope.body = rest;
    *envelope_out = envelope;
    return true;
}
