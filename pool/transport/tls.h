/*
 * TLS to Redis: what all connections of one pool share (trust, our own certificate, the last
 * session), and the transport that runs over it. Certificates are read when the context is made, and
 * when it is renewed.
 */
#ifndef POOL_TRANSPORT_TLS_H
#define POOL_TRANSPORT_TLS_H

#include "transport/transport.h"

#include "cachewarden/tls_summary.h"

struct ssl_st;

/*
 * Reads the address's files. TLS 1.2 at least; the certificate of Redis must be signed by an
 * authority of tls_ca_file (none: the system's) and be for the host of the address, by one of its
 * alternative names. ERR_BAD_INPUT: a file is no good, *file_out tells which; ERR_NO_MEMORY.
 */
CW_MUST_CHECK enum err tls_context_new(const struct redis_address *address,
                                       struct tls_context **context_out,
                                       enum redis_tls_file *file_out, struct error *error);
void tls_context_free(struct tls_context **context);

/* Reads the files of `address` (not its host) in place of those before. Handshakes from now on use
 * them, and resume no session. Connections there are keep what they began with. Errors as
 * tls_context_new; nothing has changed then. Any thread. */
CW_MUST_CHECK enum err tls_context_renew(struct tls_context *context,
                                         const struct redis_address *address,
                                         enum redis_tls_file *file_out, struct error *error);
/* Of what is in force. Any thread. */
void tls_context_summarize(struct tls_context *context, struct tls_summary *summary_out);

/* A fresh SSL object that expects the context's host and offers its last session, so that Redis
 * can spare both sides the costly part of the handshake. NULL when memory is out. Any thread. */
struct ssl_st *tls_context_ssl(struct tls_context *context);
/* A handshake failed: the next one is a whole one again. Any thread. */
void tls_context_forget(struct tls_context *context);

extern const struct transport_ops transport_tls;

#endif
