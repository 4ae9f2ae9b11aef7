# Lists what the ABI headers promise:
#   SIZE(our type, public type)   OFFSET(our type, public type, member)   VALUE(constant)
# wide=32: the compat_ twin of a structure stands in its place where there is one.

# Names that only our headers have.
BEGIN {
	split("xen_e820_entry compat_uint64_t XEN_PAGE_SHIFT XEN_PAGE_SIZE XEN_EINTR XEN_ERESTART " \
	      "RUNSTATE_NR MEMOP_EXTENT_SHIFT MEMOP_CMD_MASK COMPAT_EVTCHN_2L_NR_CHANNELS " \
	      "XENPF_get_dom0_console XEN_HVM_START_VERSION XEN_HVM_MEMMAP_LINUX_MAX " \
	      "XEN_ELFNOTE_NAME XEN_COMMANDLINE_LEN HVM_PARAM_CALLBACK_IRQ_TYPE_SHIFT " \
	      "XEN_HYPERCALL_MSR XEN_HYPERCALL_PAGE_ENTRY_SIZE XEN_CPUID_TSC_EMULATED " \
	      "XEN_CPUID_TSC_SAFE XEN_CPUID_TSC_RDTSCP LODGE_CLAIMED_XEN_MAJOR " \
	      "LODGE_CLAIMED_XEN_MINOR", names, " ")
	for (i in names)
		ours_only[names[i]] = 1
}

function emit(what, type, member,    public)
{
	public = type
	sub(/^compat_/, "", public)
	if (public in ours_only)
		return
	if (wide == 64 && type != public)
		return
	if (wide == 32 && type == public && (("compat_" type) in twin))
		return
	if (public == "ring_header") { # the public headers have it as a part of each protocol's own
		if (what == "SIZE")
			return
		public = "blkif_sring"
	}
	printf "%s(%s, %s%s)\n", what, type, public, member == "" ? "" : ", " member
}

/^ABI_(SIZE|OFFSET)\(struct / {
	line = $0
	gsub(/^ABI_|struct |\);.*$/, "", line)
	split(line, part, /[(, ]+/)
	if (part[1] == "OFFSET" && part[3] ~ /(^|\.)(pad[0-9]*|rsvd|res0)$/)
		next
	rows[nr_rows++] = line
	if (part[2] ~ /^compat_/)
		twin[part[2]] = 1
}

/^#define [A-Za-z_0-9]+[ \t]+[^ \t]/ && $2 !~ /^(LODGE_ABI|ABI_)/ && !($2 in ours_only) && wide == 64 {
	values[nr_values++] = $2
}

/^\tXenbusState[A-Za-z]+ = / && wide == 64 {
	values[nr_values++] = $1
}

END {
	for (i = 0; i < nr_rows; i++) {
		split(rows[i], part, /[(, ]+/)
		if (part[1] == "SIZE")
			emit("SIZE", part[2], "")
		else
			emit("OFFSET", part[2], part[3])
	}
	for (i = 0; i < nr_values; i++)
		printf "VALUE(%s)\n", values[i]
}
