/* What CivetWeb wants to say goes to the log_message callback and nowhere else: without a
 * callback, or without a connection to find it by, it is dropped. No file is opened. */
static void
mg_cry_internal_impl(const struct mg_connection *conn,
                     const char *func,
                     unsigned line,
                     const char *fmt,
                     va_list ap)
{
	char message[512];

	(void)func;
	(void)line;
	if ((conn == NULL) || (conn->phys_ctx == NULL)
	    || (conn->phys_ctx->callbacks.log_message == NULL)) {
		return;
	}
	vsnprintf(message, sizeof(message), fmt, ap);
	conn->phys_ctx->callbacks.log_message(conn, message);
}
