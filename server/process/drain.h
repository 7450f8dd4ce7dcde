/*
 * When a draining server may stop listening. A load balancer learns from /health/ready that it must
 * send nobody any more, and until it has asked it goes on sending; a connection that arrives in the
 * moment of the stop is reset. So where somebody asks, the server is a lame duck first: it serves on for
 * server.lame_duck_s, long enough for who asks seldom. Where nobody does, nobody waits.
 */
#ifndef SERVER_PROCESS_DRAIN_H
#define SERVER_PROCESS_DRAIN_H

#include "http/http.h"

#include "cachewarden/app.h"

struct drain {
    int64_t began_ns; /* all of clock_mono_ns() */
    int64_t until_ns; /* so long it serves on, whether requests are under way or not */
    int64_t
        gives_up_ns; /* then what takes long is asked to give up, and has the time left to answer */
    int64_t deadline_ns;  /* then what is still under way is cut off */
    bool is_probed;       /* somebody asked for readiness within the last minute */
    bool is_probed_often; /* twice, and lately */
};

/* `at_once`: whoever stops it sits before it, so nobody is waited for who sends requests here. */
void drain_begin(struct drain *drain, struct app *app, bool at_once, int64_t lame_duck_s,
                 int64_t drain_s, int64_t now_ns);

/* No request is under way (the caller has made sure): may the server stop? */
bool drain_may_end(const struct drain *drain, const struct http *http, struct app *app,
                   int64_t now_ns);

#endif
