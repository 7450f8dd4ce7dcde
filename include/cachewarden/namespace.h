/*
 * Whose cache it is: an account's ("user:7"), an application's ("app:shop"), or that of the gateway for everybody.
 * Nothing that is kept for one is seen by another. An account's and an application's have a version of their own. A
 * value without memory of its own.
 */
#ifndef CACHEWARDEN_NAMESPACE_H
#define CACHEWARDEN_NAMESPACE_H

#include "cachewarden/str.h"

#include <stdbool.h>
#include <stdint.h>

struct arena;

/* The longest name an application's namespace may have: 1 to 64 of A-Z a-z 0-9 . _ - (key_is_cache_name). */
#define NAMESPACE_APP_MAX 64
/* "app:" and a name, or "user:" and a number. */
#define NAMESPACE_TEXT_MAX 72

struct namespace
{
    int64_t user_id; /* > 0: an account's, which has a switch, too */
    struct str app;  /* else an application's, by this name; empty: nobody's */
    bool
        is_gateway; /* else what the gateway keeps for everybody, and the models of all that it keeps */
};

static inline struct namespace namespace_of_user(int64_t user_id)
{
    return (struct namespace){.user_id = user_id};
}

static inline struct namespace namespace_of_app(struct str name)
{
    return (struct namespace){.app = name};
}

static inline struct namespace namespace_of_gateway(void)
{
    return (struct namespace){.is_gateway = true};
}

/* Everybody's together is nobody's in particular. */
static inline bool namespace_is_given(const struct namespace *space)
{
    return space->user_id > 0 || space->app.len > 0 || space->is_gateway;
}

/* "user:7" or "app:shop"; the name stays where it is. False: it is neither. */
bool namespace_parse(struct str text, struct namespace *space_out);
/* As that, and "gateway". */
bool namespace_parse_any(struct str text, struct namespace *space_out);
/* The same text in the arena; {NULL,0} when memory is out. */
struct str namespace_text(struct arena *arena, const struct namespace *space);

#endif
