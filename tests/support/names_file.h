/* What name servers say to the programs under test: the file of tests/quick_argon2/names.c. In one process. */
#ifndef SUPPORT_NAMES_FILE_H
#define SUPPORT_NAMES_FILE_H

/* A fresh file in a folder of its own, without names. */
void names_file_open(void);
void names_file_close(void);
/* "CW_NAMES_FILE=…", for the environment of a program. */
const char *names_file_variable(void);
/* All of it from now on: lines, "cache.test 127.0.0.1\n". */
void names_file_say(const char *lines);
/* How often a name was asked about, by all programs together; and waiting until it was that often. */
int names_file_asked(const char *host);
void names_file_wait_asked(const char *host, int count);

#endif
