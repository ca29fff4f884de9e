# Stubs of the 32 exceptions, 16 bytes each.

        .pushsection .text.exception, "ax", @progbits

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
1:      movq    %rbx, %rsp
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
        .popsection
