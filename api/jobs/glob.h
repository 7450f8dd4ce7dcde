/* Patterns of SCAN's MATCH, made of bytes that mean themselves and of what a caller may choose. Pure. */
#ifndef API_JOBS_GLOB_H
#define API_JOBS_GLOB_H

#include "cachewarden/str.h"

/* Each star may stand for any part of a name, and a Redis without the fix of CVE-2022-36021 tries all of
 * them: with a few it stays quick. */
enum { GLOB_STARS_MAX = 4, GLOB_MAX_SIZE = 512 };

/*
 * Whether a caller may choose it: 1 to 512 bytes of UTF-8 without control characters, and at most four stars that
 * are not next to each other. Nothing that Redis would read as another pattern than was meant: a [ without its ],
 * [!…], [], [[:digit:]], [z-a], a range with a \ or ] at an end, and a backslash at the end. ERR_BAD_INPUT names the
 * field `pattern`, and says what to write instead.
 */
CW_MUST_CHECK enum err glob_check(struct str pattern, struct error *error);

/*
 * A pattern that matches `literal` and behind it whatever `pattern` matches; `pattern` empty: anything.
 * Nothing in `literal` is special, so every name that matches begins with it. {NULL,0} when memory is out.
 */
struct str glob_behind(struct arena *arena, struct str literal, struct str pattern);

#endif
