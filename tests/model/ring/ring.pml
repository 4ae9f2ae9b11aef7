/* PROVES: no wake-up is lost in a shared ring, and no index confused, on CPUs with store buffers */
/* The ring of pv-drivers/ring/ring.h: a frontend that sends NR requests through a ring of SIZE entries whose
 * indices wrap at WRAP, and a backend that answers them in any order. Each end takes, rearms and sleeps as ring.h
 * says. Every CPU has a store buffer as x86 has: what it writes reaches memory later, in order; a barrier or a
 * notification (a hypercall) waits for that.
 *
 * Checked: entries arrive whole, once and in order; no index leaves its range; nobody sleeps for ever, which spin
 * sees as an invalid end state. -DBREAK_... takes one step away, and the check must then fail. */
#ifndef NR
#define NR 5
#endif
#define SIZE  2
#define WRAP  8 /* a multiple of SIZE, and more than twice that */
#define START 6 /* indices wrap soon */
#define DEPTH 3 /* of a store buffer: more than one end writes between two barriers */

/* Memory: indices, and entries. Entry e of the ring is at ENTRIES + e. */
#define REQ_PROD  0
#define REQ_EVENT 1
#define RSP_PROD  2
#define RSP_EVENT 3
#define ENTRIES   4

#define DIFF(a, b) (((a) + WRAP - (b)) % WRAP)
#define SLOT(i)    (ENTRIES + (i) % SIZE)

byte memory[ENTRIES + SIZE];
chan buffer[2] = [DEPTH] of { byte, byte }; /* the store buffers of both CPUs */
bool event[2];				    /* pending events: they do not count */
bool asked[NR];				    /* of each request: sent */
bool taken[NR];				    /* taken by the backend */
bool answered[NR];			    /* its response was taken by the frontend */

#define STORE(cpu, where, what) buffer[cpu] ! where, what
#define BARRIER(cpu)		(empty(buffer[cpu]))
#define NOTIFY(cpu, peer)	atomic { empty(buffer[cpu]) -> event[peer] = true }
#define SLEEP(cpu)		atomic { event[cpu] -> event[cpu] = false }

/* Memory takes what a CPU has written, when it likes. */
proctype drain(byte cpu)
{
	byte where, what;

end:
	do
	:: d_step { buffer[cpu] ? where, what -> memory[where] = what; where = 0; what = 0 }
	od
}

proctype front()
{
	byte prod = START, cons = START, sent = START;
	byte seen, old, value, id, done;

	do
	:: id < NR && DIFF(prod, cons) < SIZE -> /* put */
		asked[id] = true;
		STORE(0, SLOT(prod), id + 1);
		prod = (prod + 1) % WRAP;
		id++
	:: prod != sent -> /* push */
		old = sent;
		STORE(0, REQ_PROD, prod);
		sent = prod;
#ifndef BREAK_PUSH_BARRIER
		BARRIER(0);
#endif
		value = memory[REQ_EVENT];
		if
		:: DIFF(prod, value) < DIFF(prod, old) -> NOTIFY(0, 1)
		:: else
		fi
	:: prod == sent && (id == NR || DIFF(prod, cons) == SIZE) -> /* nothing to send: take, or sleep */
		if
		:: done == NR -> break
		:: else
		fi;
		seen = memory[RSP_PROD];
		assert(DIFF(seen, cons) <= DIFF(sent, cons));
		if
		:: seen == cons -> /* rearm */
			STORE(0, RSP_EVENT, (cons + 1) % WRAP);
			BARRIER(0);
			seen = memory[RSP_PROD];
			if
			:: seen == cons -> SLEEP(0)
			:: else
			fi
		:: else
		fi;
		do
		:: cons != seen ->
			value = memory[SLOT(cons)];
			cons = (cons + 1) % WRAP;
			d_step {
				assert(value > NR && value <= 2 * NR);
				assert(taken[value - NR - 1] && !answered[value - NR - 1]);
				answered[value - NR - 1] = true;
				value = 0;
				done++
			}
		:: else -> break
		od
	od
}

proctype back()
{
	byte prod = START, cons = START, sent = START, seen = START;
	byte old, value, next, held, first;

	do
	:: cons != seen -> /* take; at most two are held, in a register each */
		value = memory[SLOT(cons)];
		cons = (cons + 1) % WRAP;
		d_step {
			assert(value == next + 1); /* whole, once and in order */
			assert(asked[next]);
			taken[next] = true;
			next++;
			if
			:: first == 0 -> first = value
			:: else -> assert(held == 0); held = value
			fi;
			value = 0
		}
	:: first != 0 -> /* answer the older */
		STORE(1, SLOT(prod), first + NR);
		prod = (prod + 1) % WRAP;
		first = held;
		held = 0
	:: held != 0 -> /* or the younger */
		STORE(1, SLOT(prod), held + NR);
		prod = (prod + 1) % WRAP;
		held = 0
	:: prod != sent -> /* push */
		old = sent;
		STORE(1, RSP_PROD, prod);
		sent = prod;
		BARRIER(1);
		value = memory[RSP_EVENT];
		if
		:: DIFF(prod, value) < DIFF(prod, old) -> NOTIFY(1, 0)
		:: else
		fi;
		value = 0
	:: cons == seen && prod == sent -> /* look, then rearm and sleep */
		seen = memory[REQ_PROD];
		assert(DIFF(seen, cons) <= SIZE - DIFF(cons, prod));
		if
		:: seen == cons ->
#ifndef BREAK_REARM
#ifdef BREAK_EVENT
			STORE(1, REQ_EVENT, cons);
#else
			STORE(1, REQ_EVENT, (cons + 1) % WRAP);
#endif
#endif
#ifndef BREAK_REARM_BARRIER
			BARRIER(1);
#endif
#ifndef BREAK_RECHECK
			seen = memory[REQ_PROD];
#endif
			if
			:: seen == cons && first == 0 ->
end:				SLEEP(1)
			:: else
			fi
		:: else
		fi
	od
}

init
{
	atomic {
		memory[REQ_PROD] = START;
		memory[RSP_PROD] = START;
		memory[REQ_EVENT] = START + 1;
		memory[RSP_EVENT] = START + 1;
		run drain(0);
		run drain(1);
		run front();
		run back()
	}
}
