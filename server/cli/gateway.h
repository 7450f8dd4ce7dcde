/* What the files of `gateway` share. */
#ifndef SERVER_CLI_GATEWAY_H
#define SERVER_CLI_GATEWAY_H

#include "cli/cli.h"

#include "cachewarden/gateway_explain.h"

/* What was asked for, and what came of it. */
struct explained {
    struct str url, method;
    struct str user; /* its name; empty: not told */
    bool is_inactive;
    struct gateway_explanation told;
};

void explained_print(struct strbuf *out, const struct explained *explained);
void explained_write(struct strbuf *out, const struct explained *explained);

#endif
