#include "resp.h"

static void add_header(struct strbuf *out, char kind, size_t number)
{
    strbuf_add_char(out, kind);
    strbuf_add_int64(out, (int64_t)number);
    strbuf_add(out, STR("\r\n"));
}

void resp_add_command(struct strbuf *out, size_t argc, const struct str *argv)
{
    add_header(out, '*', argc);
    for (size_t i = 0; i < argc; i++) {
        add_header(out, '$', argv[i].len);
        strbuf_add(out, argv[i]);
        strbuf_add(out, STR("\r\n"));
    }
}
