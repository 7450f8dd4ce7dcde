#include "breaker.h"

enum breaker_answer breaker_ask(struct breaker *breaker, int64_t now_ns)
{
    if (!breaker->is_open)
        return BREAKER_PASS;
    if (breaker->is_probing || now_ns < breaker->next_probe_ns)
        return BREAKER_REFUSE;
    breaker->is_probing = true;
    breaker->next_probe_ns = now_ns + BREAKER_PROBE_INTERVAL_NS;
    return BREAKER_PROBE;
}

static bool open_until(struct breaker *breaker, enum redis_error cause, int64_t next_probe_ns)
{
    bool opened = !breaker->is_open;
    breaker->is_open = true;
    breaker->cause = cause;
    if (opened)
        breaker->next_probe_ns = next_probe_ns;
    return opened;
}

bool breaker_failed(struct breaker *breaker, enum redis_error cause, int64_t now_ns)
{
    breaker->is_probing = false;
    return open_until(breaker, cause, now_ns + BREAKER_PROBE_INTERVAL_NS);
}

bool breaker_suspect(struct breaker *breaker, enum redis_error cause, int64_t now_ns)
{
    return open_until(breaker, cause, now_ns);
}

bool breaker_succeeded(struct breaker *breaker)
{
    bool closed = breaker->is_open;
    breaker->is_open = false;
    breaker->is_probing = false;
    return closed;
}

void breaker_unknown(struct breaker *breaker)
{
    breaker->is_probing = false;
}
