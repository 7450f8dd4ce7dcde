/*
 * An authority and the certificates it signs, as PEM files made for one test: NAME.pem and NAME.key
 * (mode 0600) in a directory. What goes wrong ends the test.
 */
#ifndef SUPPORT_CERTIFICATES_H
#define SUPPORT_CERTIFICATES_H

/* An authority, good for a day. */
void certificates_authority(const char *directory, const char *name);

struct certificate {
    const char *name;      /* of the files */
    const char *authority; /* name of the one that signs it, in the same directory */
    const char *hosts;     /* "DNS:localhost,IP:127.0.0.1"; NULL: none, as clients have */
    int from_s, until_s;   /* from now; both 0: a minute ago until tomorrow */
};
void certificates_issue(const char *directory, const struct certificate *certificate);

#endif
