/* What the store says: lines on standard error. Whoever logs on a client's behalf limits how often. */
#ifndef LODGE_STORE_LOG_H
#define LODGE_STORE_LOG_H

void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
