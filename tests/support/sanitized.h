/*
 * Whether a sanitizer watches this program. Then all it does takes ten times as long, and a mistake that a
 * thousand tries show without it shows in fewer: tests that are many tries of the same make fewer of them.
 */
#ifndef CACHEWARDEN_TESTS_SANITIZED_H
#define CACHEWARDEN_TESTS_SANITIZED_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED 1
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED 0
#endif

#endif
