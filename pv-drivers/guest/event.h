/*
 * Event channels, 2-level and FIFO. Each vCPU calls event_init_cpu() once (event_init() does it for the
 * first); the upcall then counts every event it takes in event_count[port]. All ports start masked.
 * Calls that create a port end the guest with ERROR when the hypervisor refuses; the raw hypercalls are
 * there for tests of refusal.
 */
#ifndef GUEST_EVENT_H
#define GUEST_EVENT_H

#include "guest/cpu.h"
#include "guest/time.h"

#define EVENT_VECTOR 0xf3
#define EVENT_MAX    4096 /* ports that the kit counts */

enum event_delivery {
	EVENT_PER_VCPU_VECTOR, /* HVMOP_set_evtchn_upcall_vector, through the local APIC */
	EVENT_CALLBACK_VECTOR, /* HVM_PARAM_CALLBACK_IRQ, past the local APIC */
};

struct vcpu_info;
struct shared_info;

extern struct shared_info *shared_info;
extern volatile uint32_t event_count[EVENT_MAX];

void event_init(enum event_delivery delivery);
void event_init_cpu(void); /* on the vCPU itself */
struct regs;
void event_upcall(struct regs *regs);                  /* the handler, for who wraps it */
void event_set_delivery(enum event_delivery delivery); /* changes it; interrupts must be off */
bool event_fifo_init(void); /* all vCPUs; false where the hypervisor has only the 2-level ABI */
void event_fifo_expand(uint32_t nr_ports);
volatile struct vcpu_info *event_vcpu_info(uint32_t vcpu_id);
void event_set_vcpu_info(uint32_t vcpu_id, volatile struct vcpu_info *info);
volatile uint32_t *event_fifo_word(uint32_t port);

bool event_is_pending(uint32_t port);
bool event_is_masked(uint32_t port);
void event_mask(uint32_t port);
void event_unmask(uint32_t port);
void event_clear(uint32_t port);

uint32_t event_bind_virq(uint32_t virq, uint32_t vcpu);
uint32_t event_bind_ipi(uint32_t vcpu);
uint32_t event_alloc_unbound(uint16_t domid, uint16_t remote);
uint32_t event_bind_interdomain(uint16_t remote, uint32_t remote_port);
int event_send(uint32_t port);
int event_close(uint32_t port);
uint16_t own_domid(void);

/*
 * Waits, halted, until the condition holds or the time is over, and tells whether it holds. An event must
 * come when it begins to. FOREVER costs no hypercalls; other times need the timer's VIRQ, unmasked.
 */
#define FOREVER (~0UL)
#define HALT_UNTIL(condition, timeout_ns)                                                  \
	({                                                                                 \
		uint64_t timeout_ = (timeout_ns), end_ = event_timer_start(timeout_);      \
		bool held_;                                                                \
		irq_disable();                                                             \
		while (!(held_ = (condition)) && (end_ == FOREVER || clock_ns() < end_)) { \
			irq_enable_and_halt();                                             \
			irq_disable();                                                     \
		}                                                                          \
		irq_enable();                                                              \
		event_timer_stop(end_);                                                    \
		held_;                                                                     \
	})
uint64_t event_timer_start(uint64_t timeout_ns); /* when it will be over */
void event_timer_stop(uint64_t end);

/* Waits, halted, until event_count[port] reaches the value or the time is over; tells which. */
bool event_wait(uint32_t port, uint32_t count, uint64_t timeout_ns);

#endif
