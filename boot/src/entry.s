# The PVH entry (docs/misc/pvh.pandoc): 32-bit protected mode, paging off, flat segments, interrupts
# off, %ebx = address of hvm_start_info. Goes to long mode and calls boot_main(start_info).

# The note by which a loader knows a PVH kernel and its entry (elfnote.h).
        .pushsection .note.Xen, "a", @note
        .balign 4
        .long 4, 4, 18                  # name size, value size, XEN_ELFNOTE_PHYS32_ENTRY
        .asciz "Xen"
        .long boot_entry
        .popsection

        .pushsection .text.boot, "ax", @progbits
        .code32
        .global boot_entry
boot_entry:
        cld
        cli
        movl    $boot_stack_top, %esp

        # 1. Identity map of the first 4 GiB: one PML4 entry, four page directories of 2 MiB pages.
        movl    $boot_pdpt + 3, boot_pml4               # present, writable
        movl    $boot_directories + 3, %eax
        xorl    %ecx, %ecx
1:      movl    %eax, boot_pdpt(, %ecx, 8)
        addl    $4096, %eax
        incl    %ecx
        cmpl    $4, %ecx
        jne     1b
        movl    $0x83, %eax                             # present, writable, 2 MiB
        xorl    %ecx, %ecx
2:      movl    %eax, boot_directories(, %ecx, 8)
        addl    $0x200000, %eax
        incl    %ecx
        cmpl    $2048, %ecx
        jne     2b

        # 2. The first 4 MiB in small pages, without the page below the stack, so that a stack overflow
        #    faults. What each page may be used for is set later (paging.rs), when all that the loader
        #    passed has been copied: QEMU's loader puts things into page 0.
        movl    $boot_small_tables + 3, boot_directories
        movl    $boot_small_tables + 4096 + 3, boot_directories + 8
        movl    $0x3, %eax
        xorl    %ecx, %ecx
3:      movl    %eax, boot_small_tables(, %ecx, 8)
        addl    $4096, %eax
        incl    %ecx
        cmpl    $1024, %ecx
        jne     3b
        movl    $boot_stack_guard, %eax
        shrl    $12, %eax
        movl    $0, boot_small_tables(, %eax, 8)

        # 3. Long mode: PAE, SSE, the tables, EFER.LME, paging.
        movl    $(1 << 5 | 1 << 9 | 1 << 10), %eax      # CR4: PAE, OSFXSR, OSXMMEXCPT
        movl    %eax, %cr4
        movl    $boot_pml4, %eax
        movl    %eax, %cr3
        movl    $0xc0000080, %ecx                       # EFER
        rdmsr
        orl     $(1 << 8), %eax                         # LME
        wrmsr
        movl    $(1 << 31 | 1 << 16 | 1 << 5 | 1 << 1 | 1), %eax  # CR0: PG, WP, NE, MP, PE
        movl    %eax, %cr0
        lgdt    boot_gdt_pointer
        ljmp    $8, $boot_entry_long

        .code64
boot_entry_long:
        xorl    %eax, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %fs
        movl    %eax, %gs
        movl    %eax, %ss
        movl    %ebx, %edi                              # start_info, zero-extended
        xorl    %ebp, %ebp
        call    boot_main
4:      hlt
        jmp     4b
        .popsection

        .pushsection .rodata.boot, "a", @progbits
        .balign 8
boot_gdt:
        .quad   0
        .quad   0x00209a0000000000                      # 64-bit code
boot_gdt_pointer:
        .word   boot_gdt_pointer - boot_gdt - 1
        .quad   boot_gdt
        .popsection

        .pushsection .bss.boot, "aw", @nobits
        .balign 4096
boot_pml4:
        .skip   4096
        .global boot_pdpt
boot_pdpt:
        .skip   4096
        .global boot_directories
boot_directories:
        .skip   4 * 4096
        .global boot_small_tables
boot_small_tables:
        .skip   2 * 4096
        .global boot_stack_guard
boot_stack_guard:
        .skip   4096
        .global boot_stack_bottom
boot_stack_bottom:
        .skip   64 * 1024
        .global boot_stack_top
boot_stack_top:
        .popsection
