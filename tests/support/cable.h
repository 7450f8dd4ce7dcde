/*
 * A network cable to a server on 127.0.0.1, with a plug: a TCP proxy on a free port. Unplugged it carries nothing in
 * either direction, for those that are connected and for those that connect; nobody is told. One thread carries all
 * connections, as many as come.
 */
#ifndef SUPPORT_CABLE_H
#define SUPPORT_CABLE_H

#include <stdbool.h>

struct cable;

/* Ends the test when it cannot listen. */
struct cable *cable_start(int target_port);
void cable_stop(struct cable **cable);
int cable_port(const struct cable *cable);
/* Plugged in again, what was said meanwhile arrives. */
void cable_plug(struct cable *cable, bool is_in);

#endif
