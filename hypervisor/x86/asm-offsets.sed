# The lines "->NAME value" that asm-offsets.c leaves in the compiler's output, as #defines.
s/^.*->\([A-Za-z0-9_]*\) *[$]*\(-*[0-9][0-9]*\).*$/#define \1 \2/p
