/* toolstack/config: golden files (cases/), the values that come out, and what writes them again.
 *
 *   pass-*.xml        is a domain; NAME.txt are its warnings, if any, NAME.out is what domain_write() makes of it
 *   fail-*.xml        is none, and the schema knows it; NAME.txt are the exact mistakes
 *   fail-rule-*.xml   is none for a reason that the schema cannot say
 *
 * With LODGE_GOLDEN_UPDATE in the environment the .txt and .out files are written instead of compared. */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <libxml/relaxng.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config/domain.h"
#include "config/report.h"
#include "config/schema.h"
#include "lib/cleanup.h"

#define CASES SOURCE_DIR "/tests/unit/config/cases/"

static struct report report;
static struct domain_description *d;

static void setup(void)
{
	report_init(&report, "test.xml");
	d = NULL;
}

static void teardown(void)
{
	domain_free(d);
	report_fini(&report);
}

/* Files. */

static char *file_text(const char *path)
{
	static char buffer[1 << 20];
	FILE *stream = fopen(path, "r");
	size_t length;

	if (!stream)
		return NULL;
	length = fread(buffer, 1, sizeof(buffer) - 1, stream);
	fclose(stream);
	buffer[length] = '\0';
	return strdup(buffer);
}

static void write_file(const char *path, const char *text)
{
	FILE *stream = fopen(path, "w");

	ck_assert_ptr_nonnull(stream);
	fputs(text, stream);
	fclose(stream);
}

/* cases/NAME with another ending. */
static char *sibling(const char *name, const char *ending)
{
	char *path;

	ck_assert_int_gt(
		asprintf(&path, CASES "%.*s%s", (int)(strlen(name) - strlen(".xml")), name, ending),
		0);
	return path;
}

static bool update(void)
{
	return getenv("LODGE_GOLDEN_UPDATE");
}

/* No file stands for no text. */
static void expect_golden(const char *name, const char *ending, const char *text)
{
	cleanup_free char *path = sibling(name, ending), *golden = NULL;

	if (update() && *text)
		write_file(path, text);
	golden = file_text(path);
	ck_assert_msg(!strcmp(golden ? golden : "", text), "%s%s: expected\n%s\ngot\n%s", name,
		      ending, golden ? golden : "", text);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Calls visit for each file of a folder that begins so and ends with .xml; at least one. */
static void for_each_case(const char *folder, const char *begin, void (*visit)(const char *name))
{
	char *names[512];
	size_t nr = 0;
	DIR *dir = opendir(folder);

	ck_assert_ptr_nonnull(dir);
	for (const struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		size_t length = strlen(e->d_name);

		if (!strncmp(e->d_name, begin, strlen(begin)) && length > 4 &&
		    !strcmp(e->d_name + length - 4, ".xml") && nr < ARRAY_SIZE(names))
			names[nr++] = strdup(e->d_name);
	}
	closedir(dir);
	ck_assert_uint_gt(nr, 0);
	qsort(names, nr, sizeof(names[0]), by_name);
	for (size_t i = 0; i < nr; i++) {
		visit(names[i]);
		free(names[i]);
	}
}

static int read_case(const char *name)
{
	cleanup_free char *path = sibling(name, ".xml");
	int err;

	teardown();
	report_init(&report, name);
	d = NULL;
	err = domain_read(path, NULL, &d, &report);
	return err;
}

static void visit_pass(const char *name)
{
	int err = read_case(name);
	cleanup_free char *said = report_text(&report), *written = NULL, *again = NULL;
	cleanup_free char *path = sibling(name, ".out");
	struct domain_description *same = NULL;
	struct report silence;

	expect_golden(name, ".txt", said);
	ck_assert_msg(err == 0, "%s: %d", name, err);
	written = domain_write(d);
	if (!access(path, R_OK) || (update() && !d->uuid_made))
		expect_golden(name, ".out", written);
	report_init(&silence, "again");
	ck_assert_int_eq(domain_parse(written, strlen(written), NULL, &same, &silence), 0);
	ck_assert_msg(silence.nr_findings == 0, "%s: what was written: %s", name,
		      silence.nr_findings ? silence.findings[0].text : "");
	again = domain_write(same);
	ck_assert_str_eq(written, again);
	domain_free(same);
	report_fini(&silence);
}

static void visit_fail(const char *name)
{
	int err = read_case(name);
	cleanup_free char *said = report_text(&report);

	ck_assert_msg(err == -EINVAL && !d, "%s: %d", name, err);
	expect_golden(name, ".txt", said);
}

START_TEST(each_good_file_has_its_warnings_and_is_the_same_when_written_and_read_again)
{
	for_each_case(CASES, "pass-", visit_pass);
}
END_TEST

START_TEST(each_bad_file_has_exactly_its_mistakes)
{
	for_each_case(CASES, "fail-", visit_fail);
}
END_TEST

static void visit_example(const char *name)
{
	cleanup_free char *path = NULL;

	ck_assert_int_gt(asprintf(&path, SOURCE_DIR "/docs/examples/%s", name), 0);
	ck_assert_msg(!domain_read(path, NULL, &d, &report), "%s", name);
	ck_assert_uint_eq(report.nr_findings, 0);
	domain_free(d);
	d = NULL;
}

START_TEST(the_examples_of_the_documentation_have_no_mistake)
{
	for_each_case(SOURCE_DIR "/docs/examples", "", visit_example);
}
END_TEST

/* The schema. */

#define SCHEMA SOURCE_DIR "/toolstack/config/domain.rng"

static xmlRelaxNG *schema;

static void ignore(void *context, xmlError *error)
{
	(void)context, (void)error;
}

static void load_schema(void)
{
	xmlRelaxNGParserCtxt *parser = xmlRelaxNGNewParserCtxt(SCHEMA);

	schema = xmlRelaxNGParse(parser);
	xmlRelaxNGFreeParserCtxt(parser);
	ck_assert_ptr_nonnull(schema);
}

static bool is_valid(const char *name)
{
	cleanup_free char *path = sibling(name, ".xml");
	xmlDoc *doc = xmlReadFile(path, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR);
	xmlRelaxNGValidCtxt *validator = xmlRelaxNGNewValidCtxt(schema);
	bool valid;

	xmlRelaxNGSetValidStructuredErrors(validator, ignore, NULL);
	valid = doc && !xmlRelaxNGValidateDoc(validator, doc);
	xmlRelaxNGFreeValidCtxt(validator);
	xmlFreeDoc(doc);
	return valid;
}

static void visit_valid(const char *name)
{
	ck_assert_msg(is_valid(name), "%s is not valid", name);
}

static void visit_invalid(const char *name)
{
	bool by_rule = !strncmp(name, "fail-rule-", strlen("fail-rule-"));

	ck_assert_msg(is_valid(name) == by_rule, "%s: %s", name,
		      by_rule ? "a matter of the schema" : "valid");
}

START_TEST(the_schema_that_ships_is_that_of_the_checker)
{
	cleanup_free char *made = domain_schema(), *stored = NULL;

	if (update())
		write_file(SCHEMA, made);
	stored = file_text(SCHEMA);
	ck_assert_msg(stored && !strcmp(made, stored), "run with LODGE_GOLDEN_UPDATE=1");
}
END_TEST

START_TEST(the_schema_takes_each_good_file)
{
	load_schema();
	for_each_case(CASES, "pass-", visit_valid);
	xmlRelaxNGFree(schema);
}
END_TEST

START_TEST(the_schema_refuses_each_bad_file_that_it_can)
{
	load_schema();
	for_each_case(CASES, "fail-", visit_invalid);
	xmlRelaxNGFree(schema);
}
END_TEST

/* Values. */

static int parse(const char *text)
{
	return domain_parse(text, strlen(text), NULL, &d, &report);
}

#define DOMAIN(rest)                                                                       \
	"<domain type='xen'><name>web</name><memory>65536</memory><os><type>xenpvh</type>" \
	"<kernel>/k</kernel></os>" rest "</domain>"

START_TEST(what_is_left_out_is_what_users_of_libvirt_and_xl_expect)
{
	static const uint8_t prefix[] = { 0x00, 0x16, 0x3e };
	const struct interface *card;

	ck_assert_int_eq(parse(DOMAIN("<devices><interface/></devices>")), 0);
	ck_assert_str_eq(d->name, "web");
	ck_assert(d->uuid_made);
	ck_assert_uint_eq(d->memory, 64 << 20);
	ck_assert_uint_eq(d->memory_current, d->memory);
	ck_assert_uint_eq(d->memory_guaranteed, 0);
	ck_assert_uint_eq(d->nr_vcpus, 1);
	ck_assert_uint_eq(d->nr_vcpus_current, 1);
	ck_assert(cpu_set_is_empty(&d->affinity));
	ck_assert_uint_eq(d->weight, 256);
	ck_assert_uint_eq(d->cap_percent, 0);
	ck_assert_int_eq(d->arch, DOMAIN_ARCH_X86_64);
	ck_assert_int_eq(d->on_poweroff, DOMAIN_DESTROY);
	ck_assert_int_eq(d->on_reboot, DOMAIN_RESTART);
	ck_assert_int_eq(d->on_crash, DOMAIN_DESTROY);
	ck_assert_int_eq(d->clock, CLOCK_UTC);
	ck_assert_int_eq(d->tsc_mode, TSC_AUTO);
	ck_assert_int_eq(d->cpu_mode, CPU_HOST_MODEL);
	ck_assert(d->console && !d->console_log && !d->autostart);
	card = &d->interfaces[0];
	ck_assert_int_eq(card->type, INTERFACE_BRIDGE);
	ck_assert_str_eq(card->bridge, "xenbr0");
	ck_assert_mem_eq(card->mac, prefix, sizeof(prefix));
	ck_assert_uint_eq(card->mac[3] & 0x80, 0);
}
END_TEST

START_TEST(everything_that_is_given_comes_out)
{
	const struct disk *disk;
	const struct interface *card;

	ck_assert_int_eq(read_case("pass-full.xml"), 0);
	ck_assert_str_eq(d->title, "Everything");
	ck_assert_uint_eq(d->uuid[0], 0x4d);
	ck_assert(!d->uuid_made && d->autostart);
	ck_assert_uint_eq(d->start_order, 20);
	ck_assert_uint_eq(d->nr_start_after, 2);
	ck_assert_str_eq(d->start_after[1], "ldap");
	ck_assert_uint_eq(d->store_watches, 256);
	ck_assert_uint_eq(d->nr_metadata, 1);
	ck_assert_uint_eq(d->memory, UINT64_C(2) << 30);
	ck_assert_uint_eq(d->memory_current, UINT64_C(1) << 30);
	ck_assert_uint_eq(d->memory_guaranteed, UINT64_C(512) << 20);
	ck_assert_uint_eq(d->nr_vcpus, 4);
	ck_assert_uint_eq(d->nr_vcpus_current, 2);
	ck_assert(cpu_set_has(&d->affinity, 3) && !cpu_set_has(&d->affinity, 2));
	ck_assert_uint_eq(d->nr_pins, 2);
	ck_assert(cpu_set_has(&d->pins[1].cpus, 5));
	ck_assert_uint_eq(d->weight, 512);
	ck_assert_uint_eq(d->cap_percent, 150); /* the domain's 150, less than the vCPUs' 4 x 50 */
	ck_assert_uint_eq(d->nr_initrds, 2);
	ck_assert_str_eq(d->initrds[1], "/srv/extra.img");
	ck_assert_str_eq(d->cmdline, "root=/dev/xvda1 console=hvc0 quiet");
	ck_assert_uint_eq(d->nr_features, 2);
	ck_assert_int_eq(d->features[0].policy, FEATURE_DISABLE);
	ck_assert_str_eq(d->features[0].name, "avx2");
	ck_assert_int_eq(d->clock, CLOCK_VARIABLE);
	ck_assert_int_eq(d->clock_adjustment_s, -3600);
	ck_assert_int_eq(d->tsc_mode, TSC_NATIVE);
	ck_assert_int_eq(d->on_crash, DOMAIN_COREDUMP_RESTART);
	ck_assert_uint_eq(d->nr_disks, 4);
	disk = &d->disks[0];
	ck_assert_str_eq(disk->path, "/srv/web.qcow2");
	ck_assert_int_eq(disk->format, DISK_QCOW2);
	ck_assert_int_eq(disk->cache, DISK_CACHE_NONE);
	ck_assert_uint_eq(disk->bytes.total, 10485760);
	ck_assert_uint_eq(disk->operations.read, 1000);
	ck_assert_str_eq(disk->serial, "WEB-1");
	disk = &d->disks[2];
	ck_assert_int_eq(disk->type, DISK_NETWORK);
	ck_assert_str_eq(disk->hosts[0].name, "store.example");
	ck_assert_uint_eq(disk->hosts[0].port, 10809);
	ck_assert_str_eq(disk->hosts[1].socket, "/run/nbd");
	ck_assert(d->disks[3].readonly && !d->disks[3].path);
	card = &d->interfaces[0];
	ck_assert_uint_eq(card->mtu, 9000);
	ck_assert_uint_eq(card->inbound.average, 1000);
	ck_assert_uint_eq(card->outbound.burst, 512);
	ck_assert_uint_eq(card->vlans[1].id, 43);
	ck_assert(card->vlan_trunk && card->link_down);
	ck_assert_int_eq(card->port, PORT_OPENVSWITCH);
	ck_assert_str_eq(d->interfaces[1].network, "default");
	ck_assert_str_eq(d->console_log, "/var/log/web.log");
	ck_assert_uint_eq(d->max_grant_frames, 64);
	ck_assert_uint_eq(d->max_event_channels, 2047);
}
END_TEST

START_TEST(a_made_mac_stays_the_same_and_differs_by_guest_host_and_card)
{
	const char *text = DOMAIN("<devices><interface/><interface/></devices>");
	uint8_t first[6], second[6];

	ck_assert_int_eq(parse(text), 0);
	memcpy(first, d->interfaces[0].mac, sizeof(first));
	memcpy(second, d->interfaces[1].mac, sizeof(second));
	ck_assert_mem_ne(first, second, sizeof(first));
	domain_free(d);
	ck_assert_int_eq(parse(text), 0);
	ck_assert_mem_eq(d->interfaces[0].mac, first, sizeof(first));
	ck_assert_mem_eq(d->interfaces[1].mac, second, sizeof(second));
	domain_free(d);
	ck_assert_int_eq(domain_parse(text, strlen(text), "another host", &d, &report), 0);
	ck_assert_mem_ne(d->interfaces[0].mac, first, sizeof(first));
}
END_TEST

START_TEST(a_made_mac_is_not_one_that_another_card_has)
{
	cleanup_free char *xml = NULL;
	uint8_t made[6];

	ck_assert_int_eq(parse(DOMAIN("<devices><interface/></devices>")), 0);
	memcpy(made, d->interfaces[0].mac, sizeof(made));
	domain_free(d);
	ck_assert_int_gt(
		asprintf(
			&xml,
			DOMAIN("<devices><interface/><interface>"
			       "<mac address='%02x:%02x:%02x:%02x:%02x:%02x'/></interface></devices>"),
			made[0], made[1], made[2], made[3], made[4], made[5]),
		0);
	ck_assert_int_eq(parse(xml), 0);
	ck_assert_mem_eq(d->interfaces[1].mac, made, sizeof(made));
	ck_assert_mem_ne(d->interfaces[0].mac, made, sizeof(made));
}
END_TEST

START_TEST(a_made_uuid_is_another_each_time)
{
	uint8_t first[16];

	ck_assert_int_eq(parse(DOMAIN("")), 0);
	memcpy(first, d->uuid, sizeof(first));
	domain_free(d);
	ck_assert_int_eq(parse(DOMAIN("")), 0);
	ck_assert_mem_ne(d->uuid, first, sizeof(first));
}
END_TEST

static void expect_memory(const char *text, uint64_t bytes)
{
	cleanup_free char *xml = NULL;

	ck_assert_int_gt(asprintf(&xml,
				  "<domain type='xen'><name>a</name>%s<os><type>xenpvh</type>"
				  "<kernel>/k</kernel></os></domain>",
				  text),
			 0);
	ck_assert_msg(!parse(xml), "%s", text);
	ck_assert_msg(d->memory == bytes, "%s", text);
	domain_free(d);
	d = NULL;
}

START_TEST(memory_counts_kib_without_a_unit_and_comes_in_whole_pages)
{
	expect_memory("<memory>1024</memory>", 1048576);
	expect_memory("<memory unit='MB'>10</memory>", 10002432);
	expect_memory("<memory unit='bytes'>1048577</memory>", 1052672);
	expect_memory("<memory unit='g'> 1 </memory>", 1073741824);
	expect_memory("<memory unit='TiB'>64</memory>", UINT64_C(1) << 46);
}
END_TEST

static void expect_cap(const char *cputune, unsigned int percent)
{
	cleanup_free char *xml = NULL;

	ck_assert_int_gt(asprintf(&xml, DOMAIN("<vcpu>2</vcpu><cputune>%s</cputune>"), cputune), 0);
	ck_assert_int_eq(parse(xml), 0);
	ck_assert_uint_eq(d->cap_percent, percent);
	domain_free(d);
	d = NULL;
}

START_TEST(the_cap_is_the_lower_of_all_vcpus_quota_and_the_domains)
{
	expect_cap("<quota>50000</quota>", 100);
	expect_cap("<quota>-1</quota>", 0);
	expect_cap("<period>10000</period><quota>1001</quota>", 21);
	expect_cap("<global_quota>50000</global_quota>", 50);
	expect_cap("<quota>50000</quota><global_quota>50000</global_quota>", 50);
	expect_cap("<quota>10000</quota><global_quota>90000</global_quota>", 20);
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_told_with_the_reason)
{
	cleanup_free char *text = NULL;

	report_fini(&report);
	report_init(&report, "/nowhere/a.xml");
	ck_assert_int_eq(domain_read("/nowhere/a.xml", NULL, &d, &report), -ENOENT);
	text = report_text(&report);
	ck_assert_str_eq(text, "/nowhere/a.xml: cannot be read: No such file or directory\n");
}
END_TEST

START_TEST(a_folder_is_no_file)
{
	ck_assert_int_eq(domain_read("/", NULL, &d, &report), -EISDIR);
}
END_TEST

START_TEST(a_text_of_more_than_256_kib_is_refused)
{
	size_t length = DOMAIN_XML_MAX + 1;
	char *text = calloc(1, length);

	ck_assert_int_eq(domain_parse(text, length, NULL, &d, &report), -EINVAL);
	free(text);
}
END_TEST

START_TEST(a_text_that_grows_beyond_256_kib_when_written_is_refused)
{
	const size_t length = DOMAIN_XML_MAX - 1000;
	cleanup_free char *text = malloc(DOMAIN_XML_MAX);
	size_t used = (size_t)sprintf(text, DOMAIN("<title>"));

	used -= strlen("</domain>");
	memset(text + used, '>', length - used);
	sprintf(text + length, "</title></domain>");
	ck_assert_int_eq(parse(text), -EINVAL);
	ck_assert_str_eq(report.findings[0].text, "longer than 256 KiB when all is written out");
}
END_TEST

START_TEST(text_that_is_not_utf_8_is_refused)
{
	static const char latin[] = "<domain>\xe9</domain>", zero[] = "<domain\0/>";

	ck_assert_int_eq(domain_parse(latin, sizeof(latin) - 1, NULL, &d, &report), -EINVAL);
	ck_assert_int_eq(domain_parse(zero, sizeof(zero) - 1, NULL, &d, &report), -EINVAL);
	ck_assert_str_eq(report.findings[0].text, "not text in UTF-8");
}
END_TEST

START_TEST(columns_count_characters_and_not_a_byte_order_mark)
{
	ck_assert_int_eq(parse("\xef\xbb\xbf<domain tüpe='xen'/>"), -EINVAL);
	ck_assert_uint_eq(report.findings[0].line, 1);
	ck_assert_uint_eq(report.findings[0].column, 1);
	report_fini(&report);
	ck_assert_int_eq(parse("<!-- \xc3\xbc --><domain type='kvm'/>"), -EINVAL);
	ck_assert_uint_eq(report.findings[0].column, 11);
}
END_TEST

START_TEST(mistakes_beyond_the_limit_are_counted)
{
	static char text[65536];
	size_t used = (size_t)sprintf(text, "<domain type='xen'>");
	cleanup_free char *said = NULL;

	for (unsigned int i = 0; i < 300; i++)
		used += (size_t)sprintf(text + used, "<nonsense%u/>\n", i);
	sprintf(text + used, "</domain>");
	ck_assert_int_eq(parse(text), -EINVAL);
	ck_assert_uint_eq(report.nr_findings, REPORT_MAX);
	ck_assert_uint_eq(report.nr_lost, 103); /* name, memory and os are missing too */
	said = report_text(&report);
	ck_assert_ptr_nonnull(strstr(said, "test.xml: 103 more are not shown\n"));
}
END_TEST

START_TEST(a_list_has_at_most_1024_items)
{
	static char text[1 << 17];
	size_t used = (size_t)sprintf(text, DOMAIN("<devices>"));

	used -= strlen("</domain>");
	for (unsigned int i = 0; i < 1025; i++)
		used += (size_t)sprintf(text + used, "<interface type='ethernet'/>\n");
	sprintf(text + used, "</devices></domain>");
	ck_assert_int_eq(parse(text), -EINVAL);
	ck_assert_uint_eq(report.nr_mistakes, 1);
	ck_assert_str_eq(report.findings[0].text, "<interface>: more than 1024 of them");
}
END_TEST

START_TEST(one_warning_tells_of_an_ignored_thing_however_often_it_comes)
{
	ck_assert_int_eq(parse(DOMAIN("<devices><serial/><serial/><serial/></devices>")), 0);
	ck_assert_uint_eq(report.nr_findings, 1);
	ck_assert(report.findings[0].is_warning);
}
END_TEST

START_TEST(entities_and_files_named_in_a_document_type_are_never_looked_at)
{
	ck_assert_int_eq(parse("<!DOCTYPE d [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>"
			       "<domain type='xen'><name>&a;</name></domain>"),
			 -EINVAL);
	ck_assert_uint_eq(report.nr_findings, 1);
	ck_assert_ptr_nonnull(strstr(report.findings[0].text, "<!DOCTYPE>: refused"));
}
END_TEST

/* Each name of the tables is in the documentation. */
static const char *documentation;

static void expect_documented(const struct element_rule *rule)
{
	char name[80];

	snprintf(name, sizeof(name), "<%s", rule->name);
	ck_assert_msg(strstr(documentation, name), "docs/domain-xml.md does not tell of %s>", name);
	for (size_t i = 0; i < rule->nr_attributes; i++) {
		snprintf(name, sizeof(name), "%s", rule->attributes[i].name);
		ck_assert_msg(strstr(documentation, name), "docs/domain-xml.md: %s of <%s>", name,
			      rule->name);
		if (rule->attributes[i].fate != USED)
			ck_assert_ptr_nonnull(rule->attributes[i].why);
	}
	if (rule->fate != USED)
		ck_assert_ptr_nonnull(rule->why);
	for (size_t i = 0; i < rule->nr_children; i++)
		expect_documented(&rule->children[i]);
}

START_TEST(each_element_and_attribute_is_documented)
{
	cleanup_free char *text = file_text(SOURCE_DIR "/docs/domain-xml.md");

	documentation = text;
	ck_assert_ptr_nonnull(text);
	expect_documented(&domain_rule);
}
END_TEST

UNIT_MAIN("config", setup, teardown, the_schema_that_ships_is_that_of_the_checker,
	  each_good_file_has_its_warnings_and_is_the_same_when_written_and_read_again,
	  each_bad_file_has_exactly_its_mistakes, the_examples_of_the_documentation_have_no_mistake,
	  the_schema_takes_each_good_file, the_schema_refuses_each_bad_file_that_it_can,
	  what_is_left_out_is_what_users_of_libvirt_and_xl_expect,
	  everything_that_is_given_comes_out,
	  a_made_mac_stays_the_same_and_differs_by_guest_host_and_card,
	  a_made_mac_is_not_one_that_another_card_has, a_made_uuid_is_another_each_time,
	  a_list_has_at_most_1024_items, memory_counts_kib_without_a_unit_and_comes_in_whole_pages,
	  the_cap_is_the_lower_of_all_vcpus_quota_and_the_domains,
	  a_file_that_cannot_be_read_is_told_with_the_reason, a_folder_is_no_file,
	  a_text_of_more_than_256_kib_is_refused,
	  a_text_that_grows_beyond_256_kib_when_written_is_refused,
	  text_that_is_not_utf_8_is_refused, columns_count_characters_and_not_a_byte_order_mark,
	  mistakes_beyond_the_limit_are_counted,
	  one_warning_tells_of_an_ignored_thing_however_often_it_comes,
	  entities_and_files_named_in_a_document_type_are_never_looked_at,
	  each_element_and_attribute_is_documented)
