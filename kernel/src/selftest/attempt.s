# What the self-test attempts, and how an attempt ends.

        .pushsection .text.attempt, "ax", @progbits

        # bool cpu_attempt(code, argument, rsp): calls the code with the argument. Returns true if the
        # code does, and false if the exception handler ends it, by a return to cpu_attempt_ended with
        # the stack pointer that is stored at rsp.
        .balign 16
        .global cpu_attempt
cpu_attempt:
        pushq   %rbx
        pushq   %rbp
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        movq    %rsp, (%rdx)
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
