/* guest_main() of an image that is a test. */
#include "guest/console.h"
#include "guest/start.h"
#include "guest/test.h"

void guest_main(void)
{
	printf("\nTEST: %s\n", test_title);
	test_main();
	test_finish(NULL);
}
