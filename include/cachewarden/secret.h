/* What stands at the ends of a secret by mistake. Pure; no function here keeps or repeats a secret. */
#ifndef CACHEWARDEN_SECRET_H
#define CACHEWARDEN_SECRET_H

#include "cachewarden/str.h"

/* Without the line ends (LF, or CR LF) that editors and `echo` put behind a secret in a file. */
struct str secret_line(struct str text);

/*
 * What others who read the same secret may take for a part of it, or not: a byte order mark or a blank before it, a
 * blank or a carriage return behind it. Words for people, with the mend ("ends in a blank; …"), or NULL.
 */
const char *secret_edge_fault(struct str secret);

#endif
