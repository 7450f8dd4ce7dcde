#include "entries/refresh.h"

#include <math.h>

/* -ln of the smallest u there is, 2^-53, and a little more. */
#define FARTHEST 37

bool refresh_may_be_due(int64_t fill_ms, int64_t left_ms)
{
    return fill_ms > 0 && left_ms / FARTHEST <= fill_ms;
}

bool refresh_is_due(int64_t fill_ms, int64_t left_ms, uint64_t drawn)
{
    /* 53 bits are what a double holds; none of them is 0. */
    double u = (double)((drawn >> 11) + 1) * 0x1p-53;

    return fill_ms > 0 && (double)fill_ms * -log(u) >= (double)left_ms;
}

int64_t refresh_promise_ms(int64_t fill_ms)
{
    if (fill_ms < 500)
        return 1000;
    return fill_ms > 30000 ? 60000 : 2 * fill_ms;
}
