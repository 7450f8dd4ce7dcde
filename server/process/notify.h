/*
 * Tells the service manager how we are, as sd_notify(3) would: one datagram to $NOTIFY_SOCKET.
 * Without that variable nothing happens, and nothing that goes wrong here stops the server.
 */
#ifndef SERVER_PROCESS_NOTIFY_H
#define SERVER_PROCESS_NOTIFY_H

#include "cachewarden/str.h"

/* "READY=1", "STOPPING=1", "WATCHDOG=1", and with it a line for people behind "STATUS=", if not empty. */
void notify_manager(const char *state, struct str status);

/* That the settings are being read again; "READY=1" ends it. Carries the time, by which the manager tells
 * this reload from one before it. */
void notify_reloading(void);

#endif
