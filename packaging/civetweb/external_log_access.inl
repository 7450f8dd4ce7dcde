/* The access log is written by the application, in its end_request callback. */
static void
log_access(const struct mg_connection *conn)
{
	(void)conn;
}
