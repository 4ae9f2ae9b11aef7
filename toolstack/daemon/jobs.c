/* See jobs.h. Threads are started as they are needed and then wait for more; the lock guards both lists. */
#include "daemon/jobs.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/hypervisor.h"
#include "daemon/loop.h"

#define MAX_THREADS 16u

struct jobs {
	struct loop_fd done_fd;
	hypervisor_open_fn open;
	void *argument;
	unsigned int max_threads;
	pthread_t threads[MAX_THREADS];
	pthread_mutex_t lock;
	pthread_cond_t more;
	/* Under the lock. */
	struct list waiting, done;
	unsigned int nr_threads, nr_idle, nr_waiting;
	bool is_over;
};

static void finish(struct jobs *jobs, struct job *j)
{
	uint64_t one = 1;

	pthread_mutex_lock(&jobs->lock);
	list_push_back(&jobs->done, &j->node);
	pthread_mutex_unlock(&jobs->lock);
	(void)!write(jobs->done_fd.fd, &one, sizeof(one)); /* cannot overflow */
}

static struct job *next_job(struct jobs *jobs)
{
	struct list_node *n;

	pthread_mutex_lock(&jobs->lock);
	jobs->nr_idle++;
	while (!(n = list_pop_front(&jobs->waiting)) && !jobs->is_over)
		pthread_cond_wait(&jobs->more, &jobs->lock);
	jobs->nr_idle--;
	jobs->nr_waiting -= n != NULL;
	pthread_mutex_unlock(&jobs->lock);
	return n ? list_entry(n, struct job, node) : NULL;
}

static void *work(void *argument)
{
	struct jobs *jobs = argument;
	struct hypervisor *hv = NULL;
	struct job *j;

	while ((j = next_job(jobs))) {
		if (!hv)
			hv = jobs->open(jobs->argument);
		j->work(j, hv); /* says itself what no handle means */
		finish(jobs, j);
	}
	hypervisor_close(hv);
	return NULL;
}

static void take_done(struct loop_fd *f, uint32_t events)
{
	struct jobs *jobs = container_of(f, struct jobs, done_fd);
	struct list done = LIST_INIT(done);
	struct list_node *n;
	uint64_t count;

	(void)events;
	(void)!read(f->fd, &count, sizeof(count));
	pthread_mutex_lock(&jobs->lock);
	list_splice_back(&done, &jobs->done);
	pthread_mutex_unlock(&jobs->lock);
	while ((n = list_pop_front(&done))) {
		struct job *j = list_entry(n, struct job, node);

		j->done(j);
	}
}

int jobs_create(struct loop *l, unsigned int max_threads, hypervisor_open_fn open, void *argument,
		struct jobs **ret_jobs)
{
	struct jobs *jobs = calloc(1, sizeof(*jobs));
	int ret;

	if (!jobs)
		return -ENOMEM;
	jobs->open = open;
	jobs->argument = argument;
	jobs->max_threads = MIN(max_threads, MAX_THREADS);
	jobs->done_fd.ready = take_done;
	jobs->done_fd.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&jobs->lock, NULL);
	pthread_cond_init(&jobs->more, NULL);
	list_init(&jobs->waiting);
	list_init(&jobs->done);
	ret = jobs->done_fd.fd < 0 ? -errno : loop_add(l, &jobs->done_fd, EPOLLIN);
	if (ret) {
		jobs_destroy(jobs);
		return ret;
	}
	*ret_jobs = jobs;
	return 0;
}

void jobs_destroy(struct jobs *jobs)
{
	if (!jobs)
		return;
	pthread_mutex_lock(&jobs->lock);
	jobs->is_over = true;
	pthread_cond_broadcast(&jobs->more);
	pthread_mutex_unlock(&jobs->lock);
	for (unsigned int i = 0; i < jobs->nr_threads; i++)
		pthread_join(jobs->threads[i], NULL);
	jobs->nr_threads = 0;
	jobs->max_threads = 0; /* what is submitted from here on is done where it is submitted */
	while (!list_is_empty(&jobs->done))
		take_done(&jobs->done_fd, 0);
	loop_remove(&jobs->done_fd);
	if (jobs->done_fd.fd >= 0)
		close(jobs->done_fd.fd);
	pthread_cond_destroy(&jobs->more);
	pthread_mutex_destroy(&jobs->lock);
	free(jobs);
}

/* Signals are the loop's. Without a thread the job waits for one that there is, or runs right here. */
static void add_thread(struct jobs *jobs)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (!pthread_create(&jobs->threads[jobs->nr_threads], NULL, work, jobs))
		jobs->nr_threads++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void work_here(struct jobs *jobs, struct job *j)
{
	struct hypervisor *hv = jobs->open(jobs->argument);

	j->work(j, hv);
	hypervisor_close(hv);
	finish(jobs, j);
}

void jobs_submit(struct jobs *jobs, struct job *j)
{
	bool has_thread;

	pthread_mutex_lock(&jobs->lock);
	if (jobs->nr_idle <= jobs->nr_waiting && jobs->nr_threads < jobs->max_threads)
		add_thread(jobs);
	has_thread = jobs->nr_threads;
	if (has_thread) {
		list_push_back(&jobs->waiting, &j->node);
		jobs->nr_waiting++;
		pthread_cond_signal(&jobs->more);
	}
	pthread_mutex_unlock(&jobs->lock);
	if (!has_thread)
		work_here(jobs, j);
}
