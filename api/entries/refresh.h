/*
 * When a hit is filled anew before its life ends: by chance, which grows as the end comes near, and with the time that
 * a fill takes (Vattani, Chierichetti, Lowenstein: Optimal Probabilistic Cache Stampede Prevention, 2015). A reader is
 * chosen when fill time * -ln(u) >= time left, with u drawn evenly from (0, 1]. Pure.
 */
#ifndef API_ENTRIES_REFRESH_H
#define API_ENTRIES_REFRESH_H

#include <stdbool.h>
#include <stdint.h>

/* Whether there is any chance: else nothing need be drawn. fill_ms 0: how long a fill takes is not known. */
bool refresh_may_be_due(int64_t fill_ms, int64_t left_ms);
/* `drawn` is any 64 bits. */
bool refresh_is_due(int64_t fill_ms, int64_t left_ms, uint64_t drawn);
/* How long one who was chosen is waited for before another is: twice the time it took last, a second at least and a
 * minute at most. */
int64_t refresh_promise_ms(int64_t fill_ms);

#endif
