# The halt window, and the handler of the event upcall.

        .pushsection .text.cpu, "ax", @progbits

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
        movq    %gs:0, %rax             # this vCPU's (cpu.rs)
        movb    $0, (%rax)
        leaq    cpu_halt(%rip), %rax
        cmpq    %rax, 8(%rsp)
        jne     1f
        incq    8(%rsp)                 # hlt is one byte
1:      popq    %rax
        iretq
        .popsection
