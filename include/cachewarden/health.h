/* What the services tell of themselves. */
#ifndef CACHEWARDEN_HEALTH_H
#define CACHEWARDEN_HEALTH_H

#include "cachewarden/str.h"

struct app;

/* Appends the counters of all services in Prometheus' text format. */
void app_write_metrics(struct app *app, struct strbuf *out);

#endif
