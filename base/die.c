#include "cachewarden/die.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ABORT_AFTER_S = 2 };

static void give_up(int signal_number)
{
    (void)signal_number;
    abort();
}

/* Whoever is to abort must not hang instead: then nobody starts the service anew. */
static void set_alarm(void)
{
    sigset_t alarm_only;

    signal(SIGALRM, give_up);
    sigemptyset(&alarm_only);
    sigaddset(&alarm_only, SIGALRM);
    pthread_sigmask(SIG_UNBLOCK, &alarm_only, NULL);
    alarm(ABORT_AFTER_S);
}

void die(const char *format, ...)
{
    char text[512] = "cachewarden: ";
    size_t size = strlen(text);
    va_list args;

    va_start(args, format);
    if (vsnprintf(text + size, sizeof text - size - 1, format, args) < 0)
        text[size] = '\0';
    va_end(args);
    size = strlen(text);
    text[size++] = '\n';
    set_alarm();
    if (write(STDERR_FILENO, text, size) < 0) {
        /* Nobody will know why. */
    }
    abort();
}
