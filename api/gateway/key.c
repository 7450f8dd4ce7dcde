#include "gateway/key.h"

#include "cachewarden/digest.h"
#include "gateway/rules/vary.h"

struct namespace gateway_key_space(const struct gateway_key *key)
{
    return key->user_id > 0 ? namespace_of_user(key->user_id) : namespace_of_gateway();
}

static void add_part(struct strbuf *text, struct str part)
{
    strbuf_add_int64(text, (int64_t)part.len);
    strbuf_add_char(text, ':');
    strbuf_add(text, part);
}

static void add_host(struct strbuf *text, struct str host)
{
    strbuf_add_int64(text, (int64_t)host.len);
    strbuf_add_char(text, ':');
    for (size_t i = 0; i < host.len; i++)
        strbuf_add_char(text,
                        (char)(host.ptr[i] >= 'A' && host.ptr[i] <= 'Z' ? host.ptr[i] - 'A' + 'a'
                                                                        : host.ptr[i]));
}

static enum err finish(const struct strbuf *text, struct gateway_digest *digest_out)
{
    unsigned char whole[DIGEST_SHA256_SIZE] = {0};
    enum err err = text->failed ? ERR_NO_MEMORY : digest_sha256(strbuf_str(text), whole);

    memcpy(digest_out->bytes, whole, sizeof digest_out->bytes);
    return err;
}

enum { RESERVE = 256 };

enum err gateway_key_path(const struct gateway_key *key, struct arena *arena,
                          struct gateway_digest *digest_out)
{
    struct strbuf text;

    strbuf_init(&text, arena, RESERVE);
    add_part(&text, STR("path"));
    strbuf_add_int64(&text, key->user_id);
    strbuf_add_char(&text, ';');
    add_part(&text, key->route);
    add_host(&text, key->host);
    add_part(&text, key->path);
    strbuf_add_char(&text, key->query.ptr ? '?' : '-');
    add_part(&text, key->query);
    return finish(&text, digest_out);
}

enum err gateway_key_variant(const struct gateway_key *key, struct arena *arena,
                             const struct gateway_digest *path, struct str names,
                             struct gateway_digest *digest_out)
{
    struct strbuf text;
    struct str values;
    enum err err = vary_key(arena, names, &key->request, &values);

    if (err != ERR_OK)
        return err;
    strbuf_init(&text, arena, RESERVE);
    add_part(&text, STR("variant"));
    add_part(&text, (struct str){(const char *)path->bytes, sizeof path->bytes});
    add_part(&text, names);
    add_part(&text, values);
    return finish(&text, digest_out);
}
