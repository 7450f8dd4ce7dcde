/*
 * Files that root makes for a service. Before the service's first start its folder is empty, and a
 * command run as root would leave files there that the service then cannot open.
 */
#ifndef CACHEWARDEN_OWNER_H
#define CACHEWARDEN_OWNER_H

/*
 * As root: gives what was just made at `path`, open as `fd`, to the owner of the folder it is in, as
 * SQLite does with its journals. Anybody else's files are theirs already. Where even root may not, it
 * stays root's: whoever opens it next says what is wrong.
 */
void owner_inherit(int fd, const char *path);

#endif
