/*
 * Ends a test that is said to start no thread (threadless_tests in tests/CMakeLists.txt), and starts one. It is part of
 * this library for the reason that names.c gives.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

typedef int create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *with);

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *with)
{
    create *c_library;

    if (getenv("CW_THREADLESS")) {
        fputs("a thread is started: take this test out of threadless_tests "
              "(tests/CMakeLists.txt)\n",
              stderr);
        abort();
    }
    *(void **)&c_library = dlsym(RTLD_NEXT, "pthread_create");
    return c_library(thread, attributes, run, with);
}
