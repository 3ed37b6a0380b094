/* The bitcode of ahead_support.c and of the runtime, a level each, as bytes in aim-cc. */
	.section .rodata
	.macro services level
	.globl aim_services_\level\()_begin, aim_services_\level\()_end
	.balign 16
aim_services_\level\()_begin:
	.incbin "services_\level\().bc"
aim_services_\level\()_end:
	.endm
	services v2
	services v3
	services v4
	.section .note.GNU-stack,"",@progbits
