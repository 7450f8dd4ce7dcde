/* What the program under test logs, in process: started before, read after. One at a time. */
#ifndef SUPPORT_LOG_CAPTURE_H
#define SUPPORT_LOG_CAPTURE_H

void log_capture_start(void);
/* Everything logged since the start, NUL-terminated; the log goes to standard error again. free() it. */
char *log_capture_end(void);
/* The same without ending. */
char *log_capture_read(void);

#endif
