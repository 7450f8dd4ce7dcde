/*
 * Numbers that every request raises: each is kept in several places, one to a line of the processor's cache, so that
 * workers do not wait for each other's. Its value is their sum.
 */
#ifndef API_SHARD_H
#define API_SHARD_H

/* More threads than this share one another's: they are counted all the same. */
enum { SHARDS = 16, SHARD_ALIGNMENT = 64 };

/* The calling thread's, given in turn. */
unsigned shard_own(void);

#endif
