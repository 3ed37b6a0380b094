/* The bitcode of support.c, as bytes in aim-cc. */
	.section .rodata
	.globl aim_support_begin, aim_support_end
	.balign 16
aim_support_begin:
	.incbin "support.bc"
aim_support_end:
	.section .note.GNU-stack,"",@progbits
