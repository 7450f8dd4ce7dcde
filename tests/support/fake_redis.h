/*
 * A Redis that misbehaves on demand: a TCP server on a free port of 127.0.0.1 with a thread of its
 * own. Left alone it is polite: AUTH, SELECT and CLIENT answer OK, ECHO and PING as Redis does, HELLO
 * nothing of itself, and every other command "+OK". What it does instead is said by
 *   - the script: the next commands that are not of those six, one step each, whichever
 *     connection they come over;
 *   - overrides: one fixed answer for a command's name, those of the handshake included;
 *   - modes: accept and slam the door; accept and read nothing; say more than was asked.
 * All functions may be called from the test's thread at any time. Failures end the test.
 */
#ifndef SUPPORT_FAKE_REDIS_H
#define SUPPORT_FAKE_REDIS_H

#include <stdbool.h>
#include <stddef.h>

struct fake_redis;

enum fake_then {
    FAKE_GO_ON,
    FAKE_CLOSE, /* orderly, once the bytes are out */
    FAKE_RESET, /* at once, with a TCP reset */
    FAKE_MUTE   /* stays connected and never says another word */
};

struct fake_step {
    const char *bytes; /* the answer; NULL or "": none */
    size_t size;       /* 0: strlen(bytes) */
    int delay_ms;      /* before the answer; with `is_drip` before every byte of it */
    bool is_drip;      /* byte by byte */
    bool is_held;      /* not before fake_redis_release */
    enum fake_then then;
};

struct fake_redis *fake_redis_start(void);
void fake_redis_stop(struct fake_redis **fake);
int fake_redis_port(const struct fake_redis *fake);
const char *fake_redis_url(const struct fake_redis *fake); /* redis://127.0.0.1:PORT/0 */

/* Appends steps to the script; bytes must outlive the fake. */
void fake_redis_script(struct fake_redis *fake, const struct fake_step *steps, size_t count);
#define FAKE_SCRIPT(fake, ...)                                                            \
    do {                                                                                  \
        const struct fake_step fake_steps_[] = {__VA_ARGS__};                             \
        fake_redis_script((fake), fake_steps_, sizeof fake_steps_ / sizeof *fake_steps_); \
    } while (0)
/* Drops the steps that nobody has come to yet. */
void fake_redis_forget(struct fake_redis *fake);
/* From now on `command` (upper case) answers these bytes; NULL: as it would by itself. */
void fake_redis_override(struct fake_redis *fake, const char *command, const char *bytes);

/* Accepts, says these words ("" for none) and closes; NULL: as usual again. */
void fake_redis_slam(struct fake_redis *fake, const char *words);
/* Says these bytes behind every answer to ECHO; NULL: no more. */
void fake_redis_trail(struct fake_redis *fake, const char *bytes);
void fake_redis_deafen(struct fake_redis *fake, bool is_on); /* reads nothing from anybody */

void fake_redis_release(struct fake_redis *fake);                /* lets all held answers go */
void fake_redis_say(struct fake_redis *fake, const char *bytes); /* unasked, on every connection */
void fake_redis_hang_up(struct fake_redis *fake); /* closes every connection, keeps listening */

/* Counters since the start. `command` NULL: all commands. */
size_t fake_redis_accepted(struct fake_redis *fake);
size_t fake_redis_seen(struct fake_redis *fake, const char *command);
size_t fake_redis_open_connections(struct fake_redis *fake);
/* Wait until a counter is at least `count`; false when the test has no patience left. */
bool fake_redis_wait_accepted(struct fake_redis *fake, size_t count);
bool fake_redis_wait_seen(struct fake_redis *fake, const char *command, size_t count);

#endif
