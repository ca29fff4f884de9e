# Stubs of the 32 exceptions, 16 bytes each, the handler of the event upcall, and what the self-test
# attempts.

        .pushsection .text.cpu, "ax", @progbits

        .balign 16
        .global cpu_exception_stubs
cpu_exception_stubs:
        .set    vector, 0
        .rept   32
        .balign 16
        .if     vector != 8 && (vector < 10 || vector > 14) && vector != 17 && vector != 21 && vector < 29
        pushq   $0                      # in place of the error code
        .endif
        pushq   $vector
        jmp     cpu_exception
        .set    vector, vector + 1
        .endr

        .balign 16
cpu_exception:
        pushq   %rax
        pushq   %rbx
        pushq   %rcx
        pushq   %rdx
        pushq   %rsi
        pushq   %rdi
        pushq   %rbp
        pushq   %r8
        pushq   %r9
        pushq   %r10
        pushq   %r11
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        cld
        movq    %rsp, %rdi              # struct TrapFrame
        movq    %rsp, %rbx
        andq    $-16, %rsp
        call    cpu_expected_exception
        testb   %al, %al
        jnz     1f
        movq    %rbx, %rdi
        call    cpu_fatal_exception     # does not return
        # Back to cpu_attempt_ended. The vector registers have changed: its caller expects no less.
1:
        movq    %rbx, %rsp
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %r11
        popq    %r10
        popq    %r9
        popq    %r8
        popq    %rbp
        popq    %rdi
        popq    %rsi
        popq    %rdx
        popq    %rcx
        popq    %rbx
        popq    %rax
        addq    $16, %rsp               # vector, error code
        iretq

        # The only window in which interrupts are on. The upcall should come no earlier than in the
        # `hlt`, for `sti` takes effect one instruction late. But a hypervisor that loses that delay
        # over an exit of its own (QEMU's emulation of SVM does) runs the handler before the `hlt`,
        # which would then sleep through the very event that was to end it. So the handler steps over
        # a `hlt` that it would return to.
        .balign 16
        .global cpu_halt_window
cpu_halt_window:
        sti
cpu_halt:
        hlt
        cli
        ret

        # Xen raises the upcall for as long as the flag is set; all else is done by who wakes.
        .balign 16
        .global cpu_upcall
cpu_upcall:
        pushq   %rax
        movq    cpu_upcall_flag(%rip), %rax
        movb    $0, (%rax)
        leaq    cpu_halt(%rip), %rax
        cmpq    %rax, 8(%rsp)
        jne     1f
        incq    8(%rsp)                 # hlt is one byte
1:      popq    %rax
        iretq

        # bool cpu_attempt(code, argument): calls the code with the argument. Returns true if the code
        # does, and false if the exception handler ends it, by a return to cpu_attempt_ended.
        .balign 16
        .global cpu_attempt
cpu_attempt:
        pushq   %rbx
        pushq   %rbp
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        movq    %rsp, cpu_attempt_rsp(%rip)
        movq    %rdi, %rax
        movq    %rsi, %rdi
        call    *%rax
        movl    $1, %eax
        jmp     2f
        .global cpu_attempt_ended
cpu_attempt_ended:
        xorl    %eax, %eax
2:      popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbp
        popq    %rbx
        ret

        # What may be attempted. rdi: the address of a byte.
        .global cpu_attempt_read
cpu_attempt_read:
        movb    (%rdi), %al
        ret

        .global cpu_attempt_write
cpu_attempt_write:
        movb    $0, (%rdi)
        ret

        # Writes what is there, so that nothing changes if it may be written.
        .global cpu_attempt_rewrite
cpu_attempt_rewrite:
        movb    (%rdi), %al
        movb    %al, (%rdi)
        ret

        .global cpu_attempt_execute
cpu_attempt_execute:
        jmp     *%rdi

        # rdi: one past the highest address of a stack, or 0 for the present one. Never returns.
        .global cpu_attempt_overflow
cpu_attempt_overflow:
        testq   %rdi, %rdi
        cmovnzq %rdi, %rsp
3:      pushq   $0
        jmp     3b
        .popsection

        .pushsection .bss.cpu, "aw", @nobits
        .balign 8
        .global cpu_attempt_rsp
cpu_attempt_rsp:
        .skip   8
        .popsection
