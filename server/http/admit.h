/* Who is calling, and whether they may. */
#ifndef SERVER_HTTP_ADMIT_H
#define SERVER_HTTP_ADMIT_H

#include "http/exchange.h"

/* By call.route, which says whom it takes; fills call.principal. False: answered. */
bool admit_caller(struct app *app, struct exchange *exchange);

#endif
