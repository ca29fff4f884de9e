# What precompiled core expects of a C library. The string instructions are the processor's fastest
# way for the large copies; small ones the compiler does inline.

        .pushsection .text.mem, "ax", @progbits

        .global memcpy
        .balign 16
memcpy:                                 # rdi to, rsi from, rdx bytes
        movq    %rdi, %rax
        movq    %rdx, %rcx
        shrq    $3, %rcx
        rep movsq
        movl    %edx, %ecx
        andl    $7, %ecx
        rep movsb
        ret

        .global memmove
        .balign 16
memmove:
        movq    %rdi, %rax
        subq    %rsi, %rax
        cmpq    %rdx, %rax              # unsigned: is `to` inside [from, from + bytes)?
        jae     memcpy
        movq    %rdi, %rax
        leaq    -1(%rdi, %rdx), %rdi
        leaq    -1(%rsi, %rdx), %rsi
        movq    %rdx, %rcx
        std
        rep movsb
        cld
        ret

        .global memset
        .balign 16
memset:                                 # rdi to, esi byte, rdx bytes
        movq    %rdi, %r8
        movzbl  %sil, %eax
        movabsq $0x0101010101010101, %rcx
        imulq   %rcx, %rax
        movq    %rdx, %rcx
        shrq    $3, %rcx
        rep stosq
        movl    %edx, %ecx
        andl    $7, %ecx
        rep stosb
        movq    %r8, %rax
        ret

        .global memcmp
        .global bcmp
        .balign 16
memcmp:                                 # rdi, rsi, rdx bytes
bcmp:
        xorl    %eax, %eax
        movq    %rdx, %rcx
        cmpq    %rcx, %rcx              # equal, for 0 bytes
        repe cmpsb
        je      1f
        movzbl  -1(%rdi), %eax
        movzbl  -1(%rsi), %ecx
        subl    %ecx, %eax
1:      ret

        .global strlen
        .balign 16
strlen:                                 # rdi
        xorl    %eax, %eax
2:      cmpb    $0, (%rdi, %rax)
        je      3f
        incq    %rax
        jmp     2b
3:      ret
        .popsection
