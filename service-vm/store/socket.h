/* UNIX sockets as a transport, and those that listen. Every client is the service VM's. */
#ifndef LODGE_STORE_SOCKET_H
#define LODGE_STORE_SOCKET_H

#include <stdbool.h>

#include "lib/util.h"

struct store;

/* A listening socket at path, in whose place nothing stays. Negative error, or the descriptor. */
must_check int socket_listen(const char *path, unsigned int mode);

/* Takes the clients that wait, as long as there is room. */
void socket_accept(struct store *s, int fd, bool is_read_only);

/* A client whose descriptor the caller has opened; it is closed on failure. */
must_check int socket_serve(struct store *s, int fd, bool is_read_only);

#endif
