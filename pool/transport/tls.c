/*
 * The transport that speaks TLS over its socket. Every wait is transport_wait's, so deadlines are
 * the plain transport's; OpenSSL only ever finds a socket that does not block.
 *
 * A stream that ends without a close_notify is a closed connection like any other: what was
 * owed is missing then, and a round trip needs all that is owed (conn.c). After a failure OpenSSL is
 * not asked again; the connection is broken and can only be closed.
 */
#include "transport/tls.h"

#include "cachewarden/clock.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>

/* ---- the socket, as OpenSSL sees it ----
 *
 * OpenSSL's own socket BIO writes with write(2), which kills the process with SIGPIPE when Redis
 * has gone; this one sends as the plain transport does. */

static int socket_write(BIO *bio, const char *bytes, int size)
{
    struct transport *transport = BIO_get_data(bio);
    ssize_t sent = send(transport->fd, bytes, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT);
    BIO_clear_retry_flags(bio);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_write(bio);
    else if (sent < 0)
        transport->error = errno;
    return (int)sent;
}

static int socket_read(BIO *bio, char *buffer, int size)
{
    struct transport *transport = BIO_get_data(bio);
    ssize_t got = recv(transport->fd, buffer, (size_t)size, MSG_DONTWAIT);
    BIO_clear_retry_flags(bio);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_read(bio);
    else if (got < 0)
        transport->error = errno;
    return (int)got;
}

static long socket_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH; /* nothing is held back; no other command has a meaning */
}

static BIO_METHOD *socket_method; /* made once, kept for good: connections of all pools share it */

static void make_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "redis socket");
    if (!method)
        return;
    BIO_meth_set_write(method, socket_write);
    BIO_meth_set_read(method, socket_read);
    BIO_meth_set_ctrl(method, socket_control);
    socket_method = method;
}

static BIO *socket_bio(struct transport *transport)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_method);
    BIO *bio = socket_method ? BIO_new(socket_method) : NULL;
    if (bio) {
        BIO_set_data(bio, transport);
        BIO_set_init(bio, 1);
    }
    return bio;
}

/* ---- why it failed, and the remedy ---- */

static const char *certificate_error(long result)
{
    switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "the certificate of Redis, or of its authority, has expired; renew it";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "the certificate of Redis is not valid yet; compare the clocks";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return "the certificate of Redis is not for this host; reach it by a name or address that "
               "the certificate has, or add this one to it";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        return "the certificate of Redis is not signed by an authority we trust; set redis.tls_ca";
    default:
        return X509_verify_cert_error_string(result);
    }
}

/* What the first error in OpenSSL's queue means to whoever runs this. */
static const char *tls_error(const SSL *ssl, unsigned long code)
{
    switch (ERR_GET_REASON(code)) {
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
        return certificate_error(SSL_get_verify_result(ssl));
    case SSL_R_WRONG_VERSION_NUMBER:
        return "Redis does not speak TLS on this port; use its TLS port, or redis://";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
        return "Redis offers no version of TLS from 1.2 up; set its tls-protocols";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
        return "Redis wants a certificate from us; set redis.tls_certificate and redis.tls_key";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
        return "Redis does not accept our certificate; see redis.tls_certificate and the "
               "tls-ca-cert-file of Redis";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
        return "our certificate has expired; renew redis.tls_certificate";
    default:
        return ERR_reason_error_string(code);
    }
}

static bool is_end_of_stream(unsigned long code)
{
    return ERR_GET_LIB(code) == ERR_LIB_SSL &&
           ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

static enum io_status fail(struct transport *transport)
{
    unsigned long code = ERR_peek_error();
    enum io_status status = IO_FAILED;
    if (!code || is_end_of_stream(code)) {
        status = IO_CLOSED; /* or a socket error: transport->error has it */
    } else if (!transport->error) {
        const char *why = tls_error(transport->session, code);
        snprintf(transport->reason, sizeof transport->reason, "%s", why ? why : "TLS failed");
    }
    ERR_clear_error();
    return status;
}

/* ---- the operations ---- */

/* A call of OpenSSL did not succeed. IO_DONE: what it waited for is there, call again. */
static enum io_status wait_for_io(struct transport *transport, int result, int64_t deadline_ns)
{
    short events = 0;
    switch (SSL_get_error(transport->session, result)) {
    case SSL_ERROR_WANT_READ:
        events = POLLIN;
        break;
    case SSL_ERROR_WANT_WRITE:
        events = POLLOUT;
        break;
    case SSL_ERROR_ZERO_RETURN:
        transport->error = 0;
        return IO_CLOSED;
    default:
        return fail(transport);
    }
    enum io_status status = transport_wait(transport, events, deadline_ns);
    /* Bytes that keep coming and make no whole record must not keep anybody past the deadline. */
    bool is_late = status == IO_DONE && clock_mono_ns() >= deadline_ns;
    return is_late ? IO_TIMEOUT : status;
}

static enum io_status start(struct transport *transport, struct tls_context *tls,
                            int64_t deadline_ns)
{
    SSL *ssl = tls_context_ssl(tls);
    BIO *bio = ssl ? socket_bio(transport) : NULL;
    if (!bio) {
        SSL_free(ssl);
        transport->error = ENOMEM;
        return IO_FAILED;
    }
    SSL_set_bio(ssl, bio, bio); /* takes the reference */
    transport->session = ssl;
    enum io_status status;
    do {
        ERR_clear_error();
        int result = SSL_connect(ssl);
        if (result == 1)
            return IO_DONE;
        status = wait_for_io(transport, result, deadline_ns);
    } while (status == IO_DONE);
    tls_context_forget(tls);
    return status;
}

/* Redis has hung up while we wrote. Before that it may have sent an alert that says why: so TLS 1.3
 * refuses our certificate. It is only for the log, and changes no outcome. */
static void read_alert(struct transport *transport)
{
    char byte;
    size_t got;
    int error = transport->error;
    transport->error = 0;
    if (SSL_read_ex(transport->session, &byte, 1, &got) != 1)
        (void)fail(transport);
    transport->error = error;
}

/* What OpenSSL could not get rid of whole is no whole record, so Redis cannot have understood it:
 * *sent_out counts what may have had an effect. */
static enum io_status send_all(struct transport *transport, const char *bytes, size_t size,
                               int64_t deadline_ns, size_t *sent_out)
{
    size_t sent = 0;
    enum io_status status = IO_DONE;
    while (sent < size && status == IO_DONE) {
        size_t part = 0;
        ERR_clear_error();
        int result = SSL_write_ex(transport->session, bytes + sent, size - sent, &part);
        if (result == 1)
            sent += part;
        else
            status = wait_for_io(transport, result, deadline_ns);
    }
    *sent_out = sent;
    if (status == IO_CLOSED && transport->error)
        read_alert(transport);
    return status;
}

static enum io_status receive(struct transport *transport, char *buffer, size_t size,
                              int64_t deadline_ns, size_t *received_out)
{
    /* As with the plain transport, waiting first saves a failing call; but what OpenSSL has taken
     * from the socket already does not show there. */
    enum io_status status = SSL_has_pending(transport->session)
                                ? IO_DONE
                                : transport_wait(transport, POLLIN, deadline_ns);
    while (status == IO_DONE) {
        ERR_clear_error();
        int result = SSL_read_ex(transport->session, buffer, size, received_out);
        if (result == 1)
            return IO_DONE;
        status = wait_for_io(transport, result, deadline_ns);
    }
    return status;
}

/* A ticket for the next session, which Redis may send at any time, is no word of Redis. */
static enum io_idle_check check_idle(struct transport *transport)
{
    SSL *ssl = transport->session;
    char byte;
    size_t got;
    ERR_clear_error();
    int result = SSL_peek_ex(ssl, &byte, 1, &got);
    if (result == 1)
        return IO_UNEXPECTED_DATA;
    int error = SSL_get_error(ssl, result);
    ERR_clear_error();
    if (error != SSL_ERROR_WANT_READ)
        return IO_PEER_CLOSED;
    return SSL_has_pending(ssl) ? IO_UNEXPECTED_DATA : IO_IDLE;
}

/* Nothing is sent any more, no close_notify either: OpenSSL would first finish a record that it could
 * not send whole, and Redis would then do what we have called not done. The mark keeps the session
 * good for the next connection. */
static void stop(struct transport *transport)
{
    SSL *ssl = transport->session;
    transport->session = NULL;
    if (!ssl)
        return;
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(ssl);
    ERR_clear_error();
}

const struct transport_ops transport_tls = {start, send_all, receive, check_idle, stop};
