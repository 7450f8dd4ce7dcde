/* A self-signed certificate for localhost, 127.0.0.1 and ::1, and its key, as PEM files. */
#ifndef SUPPORT_SELF_SIGNED_H
#define SUPPORT_SELF_SIGNED_H

/* Writes `directory`/NAME.pem and `directory`/NAME.key (mode 0600), good for a day. */
void self_signed_write(const char *directory, const char *name);

#endif
