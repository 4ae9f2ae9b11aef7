/* What a daemon says: lines on standard error, with its name. Who logs on a guest's or a client's behalf limits how
 * often. */
#ifndef LODGE_LOG_H
#define LODGE_LOG_H

void log_line(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));

#endif
