# Turns the output of `nm -n` into the symbol table that x86/symbols.h declares: every function's
# offset from _start, ascending, and the names in the same order. Without input: an empty table.

BEGIN {
	count = 0
	print "\t.section .rodata.symbols, \"a\", @progbits"
	print "\t.globl symbol_offsets, symbol_names, symbol_count"
}

$3 == "_start" && !start {
	start = $1
}

($2 == "t" || $2 == "T") && start && $3 !~ /^\./ {
	address[count] = $1
	name[count++] = $3
}

END {
	print "\t.balign 4\nsymbol_offsets:"
	for (i = 0; i < count; i++)
		print "\t.long 0x" address[i] " - 0x" start
	print "symbol_count:\n\t.long " count
	print "symbol_names:"
	for (i = 0; i < count; i++)
		print "\t.asciz \"" name[i] "\""
	print "\t.section .note.GNU-stack, \"\", @progbits"
}
