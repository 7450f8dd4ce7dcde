#include "cachewarden/xsrf.h"

#include "cachewarden/digest.h"

#include <stdio.h>

/* 128 bits in hex: as hard to guess as the id it is made from. */
enum { XSRF_BYTES = 16 };

enum err xsrf_of_session(struct arena *arena, struct str session_id, struct str *xsrf_out)
{
    unsigned char digest[DIGEST_SHA256_SIZE];
    struct str text = str_format(arena, "xsrf:%.*s", STR_ARG(session_id));

    *xsrf_out = STR_NONE;
    if (!text.ptr)
        return ERR_NO_MEMORY;
    enum err err = digest_sha256(text, digest);
    if (err != ERR_OK)
        return err;
    *xsrf_out = hex_encode(arena, (struct str){(const char *)digest, XSRF_BYTES});
    return xsrf_out->ptr ? ERR_OK : ERR_NO_MEMORY;
}

/* The caller hears the one sentence, the log the reason. */
static enum err refuse(struct error *error, const char *why)
{
    enum err err = error_set(error, ERR_FORBIDDEN, "CSRF Failed");

    if (error)
        snprintf(error->detail, sizeof error->detail, "session: %s", why);
    return err;
}

enum err xsrf_check(struct arena *arena, struct str session_id, const struct xsrf_proof *proof,
                    struct error *error)
{
    struct str expected;

    if (!proof->is_same_origin)
        return refuse(error, "Origin is missing or not ours");
    enum err err = xsrf_of_session(arena, session_id, &expected);
    if (err != ERR_OK)
        return error_set_detail(error, err, "XSRF-TOKEN cannot be computed");
    if (!str_eq_secret(proof->xsrf_header, expected))
        return refuse(error, "X-XSRF-TOKEN is missing or not this session's");
    return ERR_OK;
}
