//! C1 to C7: a console's daemon that breaks its ring.

use std::sync::atomic::Ordering;

use drivers::Vcpu;
use drivers::console::Console;
use model::ModelXen;
use xen_abi::{Port, console::OUT_SIZE};

use crate::rig::{SEEDS, refuses_absent_pages};
use crate::{Class, Must, class};

pub const CLASSES: [Class; 7] = [
    class(1, "out_cons absurd", Must::Ignore, absurd_out_cons),
    class(2, "in_prod absurd", Must::Ignore, absurd_in_prod),
    class(3, "the console never drains", Must::Wait, undrained_console),
    class(4, "indices change, our own are overwritten", Must::Ignore, changing_indices),
    class(5, "flood of input, any bytes", Must::Ignore, flood_of_input),
    class(6, "event storm on the console's port", Must::Ignore, event_storm),
    class(7, "console page absent", Must::Fail, refuses_absent_pages),
];

/// Runs `test` with a console for each seed.
fn with_console(test: impl for<'a> Fn(&'a ModelXen, &mut Console<'a, ModelXen>)) {
    for seed in SEEDS {
        let xen = ModelXen::seeded(seed);
        let (port, page) = xen.console_channel();
        test(&xen, &mut Console::new(&xen, port, page));
    }
}

fn absurd_out_cons() {
    for ahead in [1, 100, 1 << 31, u32::MAX - 2048, u32::MAX - 4000] {
        with_console(|xen, console| {
            let page = xen.console_channel().1;
            xen.world().console.stopped = true;
            let out_prod = page.out_prod.load(Ordering::SeqCst);
            page.out_cons.store(out_prod.wrapping_add(ahead), Ordering::SeqCst);
            let start_ns = xen.now_ns();
            for _ in 0..100 {
                console.write("nobody will see this\n");
            }
            console.drain();
            // A ring that is full now is not waited for either.
            page.out_cons.store(out_prod.wrapping_sub(OUT_SIZE as u32), Ordering::SeqCst);
            console.write("nor this\n");
            console.drain();
            assert!(xen.now_ns() - start_ns < 1_000_000_000, "no wait at all");
            assert_eq!(page.out_prod.load(Ordering::SeqCst), out_prod, "and nothing written");
        });
    }
}

fn absurd_in_prod() {
    for ahead in [1025, 5000, 1 << 31, u32::MAX] {
        with_console(|xen, console| {
            let page = xen.console_channel().1;
            let in_cons = page.in_cons.load(Ordering::SeqCst);
            page.in_prod.store(in_cons.wrapping_add(ahead), Ordering::SeqCst);
            let mut keys = [0; 2000];
            for _ in 0..10 {
                assert_eq!(console.read(&mut keys), 0);
            }
            assert_eq!(page.in_cons.load(Ordering::SeqCst), in_cons);
            console.write("output goes on\n");
            page.in_prod.store(in_cons, Ordering::SeqCst);
            xen.pass_ns(100_000_000);
            assert!(xen.world().console.shown.ends_with(b"output goes on\r\n"));
        });
    }
}

fn undrained_console() {
    with_console(|xen, console| {
        xen.world().console.stopped = true;
        let start_ns = xen.now_ns();
        for _ in 0..1000 {
            console.write("a line that is dropped when the ring is full\n");
        }
        console.drain();
        assert!(xen.now_ns() - start_ns < 6_000_000_000, "one wait with a bound");
    });
}

fn changing_indices() {
    with_console(|xen, console| {
        let page = xen.console_channel().1;
        for round in 0..200u32 {
            let noise = round.wrapping_mul(0x9e37_79b9);
            let theirs = page.out_cons.load(Ordering::SeqCst);
            page.out_cons.store(noise, Ordering::SeqCst);
            page.in_prod.store(noise, Ordering::SeqCst);
            xen.world().console.stopped = true;
            console.write("in between\n");
            console.read(&mut [0; 64]);
            page.out_cons.store(theirs, Ordering::SeqCst);
        }
        // Our own indices are not read back.
        let (out_prod, in_cons) = (&page.out_prod, &page.in_cons);
        let (prod, cons) = (out_prod.load(Ordering::SeqCst), in_cons.load(Ordering::SeqCst));
        page.out_cons.store(prod, Ordering::SeqCst);
        page.in_prod.store(cons, Ordering::SeqCst);
        // First what was lost is told.
        console.write("\n");
        let prod = out_prod.load(Ordering::SeqCst).max(prod);
        page.out_cons.store(prod, Ordering::SeqCst);
        out_prod.store(77, Ordering::SeqCst);
        in_cons.store(77, Ordering::SeqCst);
        console.write("abc");
        assert_eq!(out_prod.load(Ordering::SeqCst), prod.wrapping_add(3));
        assert_eq!(console.read(&mut [0; 64]), 0);
    });
}

fn flood_of_input() {
    with_console(|xen, console| {
        let flood: Vec<u8> = (0..100_000u32).map(|n| n as u8).collect();
        {
            let world = &mut *xen.world();
            world.console.type_keys(&mut world.xen, &flood);
        }
        let mut got = Vec::new();
        let mut keys = [0; 128];
        for _ in 0..100_000 {
            xen.pass_ns(100_000);
            let count = console.read(&mut keys);
            assert!(count <= keys.len());
            got.extend_from_slice(&keys[..count]);
            if got.len() == flood.len() {
                break;
            }
        }
        assert!(got == flood);
    });
}

fn event_storm() {
    let (calm_ns, storm_ns) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    with_console(|xen, console| {
        for (storm, total_ns) in [(false, &calm_ns), (true, &storm_ns)] {
            if storm {
                xen.world().xen.storm(Port(2), 400);
            }
            let start_ns = xen.now_ns();
            console.write(&"text\n".repeat(2000));
            total_ns.set(total_ns.get() + xen.now_ns() - start_ns);
        }
        xen.world().xen.agenda.calm();
        xen.pass_ns(100_000_000);
        assert_eq!(xen.world().console.shown.len(), 2 * 2000 * 6);
    });
    assert!(storm_ns.get() < 2 * calm_ns.get(), "{storm_ns:?} ns, calm {calm_ns:?} ns");
}
