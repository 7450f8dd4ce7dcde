/* What the files of statuses share. */
#ifndef SERVER_HTTP_STATUS_PRIVATE_H
#define SERVER_HTTP_STATUS_PRIVATE_H

#include "http/status.h"

/* The call's reply, which went well, becomes the response. */
void status_render_reply(struct exchange *exchange);

#endif
