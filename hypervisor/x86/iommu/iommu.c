/* Chooses the IOMMU driver at boot. */
#include "x86/iommu/iommu.h"

#include "lodge/iommu.h"
#include "lodge/log.h"
#include "x86/cmdline.h"
#include "x86/iommu/amd.h"
#include "x86/parts.h"

const struct iommu_ops *iommu_ops;
bool iommu_verbose, iommu_intremap = true;

static bool opt_on = true, opt_force;

/* A list of words, separated by commas; "no-" in front turns one off. */
static bool parse_iommu_words(const char *s, bool apply)
{
	static const struct {
		const char *word;
		bool *variable, value;
	} words[] = {
		{ "on", &opt_on, true },
		{ "off", &opt_on, false },
		{ "no", &opt_on, false },
		{ "0", &opt_on, false },
		{ "1", &opt_on, true },
		{ "force", &opt_force, true },
		{ "required", &opt_force, true },
		{ "verbose", &iommu_verbose, true },
		{ "no-verbose", &iommu_verbose, false },
		{ "intremap", &iommu_intremap, true },
		{ "no-intremap", &iommu_intremap, false },
	};

	do {
		unsigned i = 0;

		while (i < ARRAY_SIZE(words) && !parse_word(&s, words[i].word))
			i++;
		if (i == ARRAY_SIZE(words))
			return false;
		if (apply)
			*words[i].variable = words[i].value;
	} while (*s++ == ',');
	return s[-1] == '\0';
}

/* All of it or nothing. */
static bool parse_iommu(const char *s)
{
	return parse_iommu_words(s, false) && parse_iommu_words(s, true);
}
OPTION_PARSE("iommu", parse_iommu);

void iommu_init(void)
{
	if (opt_on && amd_iommu_init())
		return;
	if (opt_force)
		boot_fail("iommu=force, but the machine has no usable IOMMU");
}
