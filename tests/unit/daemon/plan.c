/* What another description would change. */
#include <stdio.h>
#include <string.h>

#include "daemon/config-xml.h"
#include "unit.h"
#include "world.h"

/* "takes" of a change, "" when there is none of that name. */
static const char *takes(const cJSON *result, const char *what)
{
	const cJSON *change;

	cJSON_ArrayForEach(change, cJSON_GetObjectItemCaseSensitive(result, "changes"))
	{
		if (!strcmp(text_of(change, "what"), what))
			return text_of(change, "takes");
	}
	return "";
}

static int nr_changes(const cJSON *result)
{
	return cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(result, "changes"));
}

static void define_and_start(const char *more)
{
	world_ok("{'verb':'define','xml':'%s'}", world_xml("web", more));
	world_ok("{'verb':'start','guest':'web'}");
}

static const cJSON *plan(const char *verb, const char *more)
{
	return world_ok("{'verb':'%s','xml':'%s'}", verb, world_xml("web", more));
}

START_TEST(the_same_description_changes_nothing)
{
	define_and_start("");
	ck_assert_int_eq(nr_changes(plan("plan", "")), 0);
}
END_TEST

START_TEST(each_change_says_when_it_takes_effect)
{
	const cJSON *result;

	define_and_start("<vcpu current=\\\"1\\\">2</vcpu>");
	result = plan("plan", "<vcpu current=\\\"2\\\">2</vcpu><on_crash>restart</on_crash>"
			      "<cputune><shares>9</shares></cputune>"
			      "<uuid>11111111-2222-3333-4444-555555555555</uuid>");
	ck_assert_str_eq(takes(result, "vcpu/current"), "now");
	ck_assert_str_eq(takes(result, "on_crash"), "now");
	ck_assert_str_eq(takes(result, "cputune/shares"), "now");
	ck_assert_str_eq(takes(result, "uuid"), "not-possible");
	ck_assert_str_eq(takes(plan("plan", "<vcpu>4</vcpu>"), "vcpu"), "next-start");
}
END_TEST

START_TEST(everything_waits_for_the_next_start_of_a_guest_that_is_off)
{
	world_ok("{'verb':'define','xml':'%s'}", world_xml("web", ""));
	ck_assert_str_eq(takes(plan("plan", "<on_crash>restart</on_crash>"), "on_crash"),
			 "next-start");
	ck_assert_int_eq(nr_changes(world_ok("{'verb':'plan','xml':'%s'}", world_xml("new", ""))),
			 1);
}
END_TEST

START_TEST(apply_does_what_can_be_done_now_and_keeps_the_rest)
{
	define_and_start("<vcpu current=\\\"1\\\">2</vcpu>");
	plan("apply", "<vcpu current=\\\"2\\\">2</vcpu><cputune><shares>9</shares></cputune>"
		      "<currentMemory unit=\\\"MiB\\\">32</currentMemory>");
	ck_assert_uint_eq(fake_domain(1)->weight, 9);
	ck_assert_str_eq(node("/local/domain/1/cpu/1/availability"), "online");
	ck_assert_str_eq(node("/local/domain/1/memory/target"), "32768");
	ck_assert_ptr_nonnull(
		strstr(text_of(world_ok("{'verb':'dumpxml','guest':'web','inactive':true}"), "xml"),
		       "<shares>9</shares>"));
}
END_TEST

START_TEST(apply_refuses_as_a_whole_what_is_not_possible)
{
	define_and_start("");
	ck_assert_str_eq(
		world_code("{'verb':'apply','xml':'%s'}",
			   world_xml("web", "<uuid>11111111-2222-3333-4444-555555555555</uuid>"
					    "<cputune><shares>9</shares></cputune>")),
		"invalid");
	ck_assert_uint_eq(fake_domain(1)->weight, 256);
}
END_TEST

static char told[256];

static void tell(void *argument, const char *path, const char *from, const char *to)
{
	size_t at = strlen(told);

	(void)argument;
	snprintf(told + at, sizeof(told) - at, "%s:%s>%s ", path, from ? from : "none",
		 to ? to : "none");
}

START_TEST(a_device_that_comes_or_goes_is_one_change)
{
	static const char a[] =
		"<domain><devices><disk type='file'><source file='/a'/><target dev='xvda'/></disk>"
		"</devices></domain>";
	static const char b[] =
		"<domain><devices><disk type='file'><source file='/b'/><target dev='xvdb'/></disk>"
		"</devices></domain>";
	char *rest;

	ck_assert_int_eq(config_compare(a, b, tell, NULL), 0);
	ck_assert_str_eq(told, "devices/disk[xvda]:>none devices/disk[xvdb]:none> ");
	rest = config_device(a, "disk", "xvda");
	ck_assert_ptr_nonnull(strstr(rest, "/a"));
	free(rest);
	ck_assert_ptr_null(config_device(a, "disk", "xvdz"));
}
END_TEST

START_TEST(an_element_is_told_by_its_attributes_or_else_its_text)
{
	static const char a[] = "<domain><cputune><vcpupin vcpu='0' cpuset='1'/></cputune>"
				"<x><y/><z a='1'>2</z></x></domain>";

	told[0] = '\0';
	ck_assert_int_eq(config_compare(a, "<domain><x/></domain>", tell, NULL), 0);
	ck_assert_str_eq(told, "cputune/vcpupin[0]/vcpu:0>none cputune/vcpupin[0]/cpuset:1>none "
			       "x/y:>none x/z/a:1>none x/z:2>none x:none> ");
}
END_TEST

#define MANY 30000u

/* Many elements alike, of which the last has this in it; to be freed. */
static char *many(const char *last)
{
	char *text = malloc(MANY * 6 + 100), *to = text;

	ck_assert_ptr_nonnull(text);
	to = stpcpy(to, "<domain><x>");
	for (unsigned int i = 0; i < MANY; i++)
		to = stpcpy(to, "<y/>");
	sprintf(to, "<y>%s</y></x></domain>", last);
	return text;
}

START_TEST(long_descriptions_are_compared_in_no_time)
{
	char *a = many("1"), *b = many("2");

	told[0] = '\0';
	ck_assert_int_eq(config_compare(a, b, tell, NULL), 0);
	ck_assert_str_eq(told, "x/y[30000]:1>2 ");
	free(a);
	free(b);
}
END_TEST

UNIT_MAIN("daemon-plan", world_setup, world_teardown, the_same_description_changes_nothing,
	  each_change_says_when_it_takes_effect,
	  everything_waits_for_the_next_start_of_a_guest_that_is_off,
	  apply_does_what_can_be_done_now_and_keeps_the_rest,
	  apply_refuses_as_a_whole_what_is_not_possible, a_device_that_comes_or_goes_is_one_change,
	  an_element_is_told_by_its_attributes_or_else_its_text,
	  long_descriptions_are_compared_in_no_time)
