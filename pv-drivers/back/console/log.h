/* What lodge-console says: lines on standard error. Whoever logs on a guest's behalf limits how often. */
#ifndef LODGE_CONSOLE_LOG_H
#define LODGE_CONSOLE_LOG_H

void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
