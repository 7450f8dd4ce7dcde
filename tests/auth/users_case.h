/* What the tests of users.h share: a database of the kind a loop test is run with. */
#ifndef TESTS_USERS_CASE_H
#define TESTS_USERS_CASE_H

#include "users_backend.h"

static const struct users_backend *backend;
static struct users *users;
static struct arena *arena;
static struct error error;

/* check runs a loop test once a backend, with its number as _i. */
static void open_backend(int number)
{
    backend = &users_backends[number];
    backend->init();
    users = users_backend_open();
    arena = arena_new(4096, 0);
    error_clear(&error);
}

static void close_backend(void)
{
    arena_free(&arena);
    users_close(&users);
    ck_assert_ptr_null(users);
    backend->fini();
}

#endif
