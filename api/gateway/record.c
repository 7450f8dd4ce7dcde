#include "gateway/record.h"

#include "gateway/tags.h"

/* The first byte of what we store; another format has another. */
#define FORMAT 0xC7
/* The year 9999. */
#define TIME_MAX_MS INT64_C(253402300799000)

/* ---- encoding ---- */

static void add_number(struct strbuf *out, uint64_t number, int width)
{
    for (int shift = (width - 1) * 8; shift >= 0; shift -= 8)
        strbuf_add_char(out, (char)(number >> shift & 0xff));
}

static void add_bytes(struct strbuf *out, const unsigned char *bytes, size_t size)
{
    strbuf_add(out, (struct str){(const char *)bytes, size});
}

static void add_text(struct strbuf *out, struct str text)
{
    add_number(out, text.len, 4);
    strbuf_add(out, text);
}

static void add_start(struct strbuf *out, enum record_kind kind,
                      const struct gateway_digest *digest, const struct stored_numbers *numbers)
{
    strbuf_add_char(out, (char)FORMAT);
    strbuf_add_char(out, (char)kind);
    add_bytes(out, digest->bytes, sizeof digest->bytes);
    add_bytes(out, numbers->drop, sizeof numbers->drop);
    add_bytes(out, numbers->stamp, sizeof numbers->stamp);
}

static void add_head(struct strbuf *out, const struct stored_response *response,
                     const struct stored_numbers *numbers)
{
    size_t count = response->tag_count;

    add_number(out, (uint64_t)response->status, 2);
    add_number(out, (uint64_t)response->request_time_ms, 8);
    add_number(out, (uint64_t)response->response_time_ms, 8);
    add_text(out, response->vary);
    add_number(out, count, 1);
    add_number(out, (uint64_t)numbers->counts[0], 8);
    for (size_t i = 0; i < count; i++) {
        add_text(out, response->tags[i]);
        add_number(out, (uint64_t)numbers->counts[1 + i], 8);
        add_number(out, (uint64_t)numbers->counts[1 + count + i], 8);
    }
    add_number(out, response->fields.count, 2);
    for (size_t i = 0; i < response->fields.count; i++) {
        add_text(out, response->fields.items[i].name);
        add_text(out, response->fields.items[i].value);
    }
}

enum { HEAD_RESERVE = 1024 };

struct str record_encode_head(struct arena *arena, const struct stored_response *response,
                              const struct stored_numbers *numbers)
{
    struct strbuf head;

    if (response->fields.count > RECORD_FIELDS_MAX || response->tag_count > STORED_TAGS_MAX)
        return STR_NONE;
    strbuf_init(&head, arena, HEAD_RESERVE);
    add_head(&head, response, numbers);
    return head.failed || head.len > RECORD_HEAD_SIZE_MAX ? STR_NONE : strbuf_str(&head);
}

struct str record_encode_response(struct arena *arena, const struct gateway_digest *digest,
                                  const struct stored_response *response,
                                  const struct stored_numbers *numbers, size_t head_length)
{
    struct strbuf out;

    strbuf_init(&out, arena, RECORD_RESPONSE_SIZE);
    add_start(&out, RECORD_RESPONSE, digest, numbers);
    add_number(&out, (uint64_t)numbers->version, 8);
    add_number(&out, (uint64_t)numbers->base, 8);
    add_number(&out, (uint64_t)numbers->any, 8);
    add_bytes(&out, response->id, sizeof response->id);
    add_number(&out, head_length, 4);
    add_number(&out, response->body.len, 8);
    return out.failed ? STR_NONE : strbuf_str(&out);
}

struct str record_encode_variants(struct arena *arena, const struct gateway_digest *digest,
                                  const struct stored_numbers *numbers, struct str names)
{
    struct strbuf out;

    strbuf_init(&out, arena, RECORD_LIST_SIZE_MIN + names.len);
    add_start(&out, RECORD_VARIANTS, digest, numbers);
    strbuf_add(&out, names);
    return out.failed ? STR_NONE : strbuf_str(&out);
}

/* ---- decoding: takes what it reads off *rest ---- */

static bool take_bytes(struct str *rest, size_t count, struct str *bytes_out)
{
    if (rest->len < count)
        return false;
    *bytes_out = str_sub(*rest, 0, count);
    *rest = str_sub(*rest, count, rest->len);
    return true;
}

static bool take_into(struct str *rest, unsigned char *bytes_out, size_t count)
{
    struct str bytes;

    if (!take_bytes(rest, count, &bytes))
        return false;
    memcpy(bytes_out, bytes.ptr, count);
    return true;
}

/* From 0 up. */
static bool take_number(struct str *rest, size_t width, int64_t *number_out)
{
    uint64_t number = 0;
    struct str bytes;

    if (!take_bytes(rest, width, &bytes))
        return false;
    for (size_t i = 0; i < width; i++)
        number = number << 8 | (unsigned char)bytes.ptr[i];
    *number_out = (int64_t)number;
    return number <= INT64_MAX;
}

static bool take_text(struct str *rest, struct str *text_out)
{
    int64_t len;

    return take_number(rest, 4, &len) && take_bytes(rest, (size_t)len, text_out);
}

/* As vary_of gives them: what is not is none of ours. */
static bool is_names(struct str names)
{
    struct str rest = names, name, before = STR_NONE;
    size_t count = 0;

    while (str_split(&rest, ',', &name)) {
        if (!str_is_token(name) || name.len > VARY_NAME_SIZE_MAX || count++ == VARY_NAMES_MAX ||
            (before.ptr && str_eq(before, name)))
            return false;
        before = name;
    }
    return true;
}

static bool take_rest_of_response(struct str *rest, struct record *record)
{
    int64_t head, body;

    if (!take_number(rest, 8, &record->version) || !take_number(rest, 8, &record->base) ||
        !take_number(rest, 8, &record->any) || !take_into(rest, record->id, sizeof record->id) ||
        !take_number(rest, 4, &head) || !take_number(rest, 8, &body) ||
        head > RECORD_HEAD_SIZE_MAX || rest->len > 0)
        return false;
    record->head_length = (size_t)head;
    record->body_length = (uint64_t)body;
    return true;
}

bool record_decode(struct str start, struct record *record_out)
{
    struct str rest = start, two;
    struct record record = {.names = STR_NONE};

    if (!take_bytes(&rest, 2, &two) || (unsigned char)two.ptr[0] != FORMAT ||
        !take_into(&rest, record.digest.bytes, sizeof record.digest.bytes) ||
        !take_into(&rest, record.drop, sizeof record.drop) ||
        !take_into(&rest, record.stamp, sizeof record.stamp))
        return false;
    record.kind = (enum record_kind)two.ptr[1];
    record.names = rest;
    *record_out = record;
    switch (record.kind) {
    case RECORD_RESPONSE:
        record_out->names = STR_NONE;
        return take_rest_of_response(&rest, record_out);
    case RECORD_VARIANTS:
        return is_names(rest);
    default:
        return false;
    }
}

/* ---- the head ---- */

static bool take_tags(struct str *rest, struct arena *arena, struct stored_response *response,
                      struct stored_numbers *numbers)
{
    int64_t count;

    if (!take_number(rest, 1, &count) || count > STORED_TAGS_MAX)
        return false;
    struct str *tags = arena_calloc(arena, (size_t)count, sizeof *tags);
    int64_t *counts = arena_calloc(arena, gateway_names_count((size_t)count), sizeof *counts);
    if (!tags || !counts || !take_number(rest, 8, &counts[0]))
        return false;
    for (int64_t i = 0; i < count; i++) {
        if (!take_text(rest, &tags[i]) || !entry_is_model(tags[i]) ||
            !take_number(rest, 8, &counts[1 + i]) || !take_number(rest, 8, &counts[1 + count + i]))
            return false;
    }
    response->tags = tags;
    response->tag_count = (size_t)count;
    numbers->counts = counts;
    return true;
}

/* They become lines of a head, whoever stored them. */
static bool is_value(struct str value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool take_fields(struct str *rest, struct arena *arena, struct http_fields *fields)
{
    int64_t count;

    if (!take_number(rest, 2, &count) || count > RECORD_FIELDS_MAX)
        return false;
    fields->items = arena_calloc(arena, (size_t)count, sizeof *fields->items);
    fields->count = (size_t)count;
    for (size_t i = 0; fields->items && i < fields->count; i++) {
        struct http_field *field = &fields->items[i];
        if (!take_text(rest, &field->name) || !take_text(rest, &field->value) ||
            !str_is_token(field->name) || !is_value(field->value))
            return false;
    }
    return fields->items != NULL;
}

static bool take_head(struct str head, struct arena *arena, struct stored_response *response,
                      struct stored_numbers *numbers)
{
    struct str rest = head;
    int64_t status;

    if (!take_number(&rest, 2, &status) || status < 200 || status > 999 ||
        !take_number(&rest, 8, &response->request_time_ms) ||
        !take_number(&rest, 8, &response->response_time_ms) ||
        response->request_time_ms > TIME_MAX_MS || response->response_time_ms > TIME_MAX_MS ||
        !take_text(&rest, &response->vary) ||
        (response->vary.len > 0 && !is_names(response->vary)) ||
        !take_tags(&rest, arena, response, numbers) ||
        !take_fields(&rest, arena, &response->fields))
        return false;
    response->status = (int)status;
    return rest.len == 0;
}

bool record_decode_head(struct str head, const struct record *record, struct arena *arena,
                        struct stored_response *response_out, struct stored_numbers *numbers_out)
{
    struct stored_response response = {.body = STR_NONE};
    struct stored_numbers numbers = {
        .version = record->version, .base = record->base, .any = record->any};

    if (head.len != record->head_length || !take_head(head, arena, &response, &numbers))
        return false;
    memcpy(response.id, record->id, sizeof response.id);
    memcpy(numbers.drop, record->drop, sizeof numbers.drop);
    memcpy(numbers.stamp, record->stamp, sizeof numbers.stamp);
    *response_out = response;
    *numbers_out = numbers;
    return true;
}
