/* Sessions of browsers. */
#ifndef CACHEWARDEN_SESSION_H
#define CACHEWARDEN_SESSION_H

struct call;

/*
 * Of a call whose caller is known: one that came with a session's cookie keeps that session alive.
 * Now and then this takes a new cookie, which goes out with the answer, whatever that is; it costs no
 * round trip.
 */
void session_keep(struct call *call);

#endif
