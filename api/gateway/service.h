/* The life of the gateway. */
#ifndef API_GATEWAY_SERVICE_H
#define API_GATEWAY_SERVICE_H

#include "cachewarden/gateway.h"

/* Behind the entries of `app`, which is closed later. Texts are copied; connects nothing. ERR_BAD_INPUT names what an
 * upstream cannot be. */
CW_MUST_CHECK enum err gateway_open(struct app *app, const struct gateway_options *options,
                                    struct gateway **gateway_out, struct error *error);
/* No request is under way. */
void gateway_close(struct gateway **gateway);

/* For GET /metrics. */
void gateway_write_metrics(const struct gateway *gateway, struct strbuf *out);

#endif
