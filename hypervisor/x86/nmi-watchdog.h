/* The watchdog (option `watchdog`). */
#ifndef LODGE_NMI_WATCHDOG_H
#define LODGE_NMI_WATCHDOG_H

void watchdog_cpu_init(void); /* each CPU, for itself, last */

#endif
