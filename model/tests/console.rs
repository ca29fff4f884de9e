//! The console against its daemon: text out, keys in, and nobody held up for ever.

use drivers::Vcpu;
use drivers::console::Console;
use model::ModelXen;
use model::fixture::open_console;

#[test]
fn all_text_arrives_in_order() {
    for seed in 0..50 {
        let xen = ModelXen::seeded(seed);
        // Now and then the daemon is done with all before the guest goes to sleep.
        xen.world().xen.call_ns = [0, 5_000_000][seed as usize % 2];
        let mut console = open_console(&xen);
        let mut expected = String::new();
        for line in 0..200 {
            let text = format!("line {line} {}\n", "x".repeat(line % 97));
            console.write(&text);
            expected += &text.replace('\n', "\r\n");
        }
        // Longer than the ring at once.
        let long = "y".repeat(10_000);
        console.write(&long);
        expected += &long;
        console.drain();
        let shown = std::mem::take(&mut xen.world().console.shown);
        assert!(shown == expected.as_bytes(), "seed {seed}");
        assert_eq!(xen.world().xen.totals.timeouts, 0, "seed {seed}: no event was lost");
    }
}

#[test]
fn the_daemon_is_told_of_whole_lines() {
    let xen = ModelXen::seeded(1);
    let mut console = open_console(&xen);
    console.write("half");
    xen.pass_ns(1_000_000_000);
    assert_eq!(xen.world().console.shown, b"");
    console.write(" a line\n");
    xen.pass_ns(1_000_000_000);
    assert_eq!(xen.world().console.shown, b"half a line\r\n");
}

#[test]
fn all_keys_arrive_in_order() {
    for seed in 0..50 {
        let xen = ModelXen::seeded(seed);
        let mut console = open_console(&xen);
        let port = xen.console_channel().0;
        let typed: Vec<u8> = (0..5000u32).map(|n| n as u8).collect();
        {
            let mut world = xen.world();
            let world = &mut *world;
            world.console.type_keys(&mut world.xen, &typed);
        }
        let mut got = Vec::new();
        while got.len() < typed.len() {
            xen.prepare_wait();
            xen.take_event(port);
            if !console.has_input() {
                let deadline_ns = xen.now_ns() + 1_000_000_000;
                xen.wait(deadline_ns);
                assert!(xen.now_ns() < deadline_ns, "seed {seed}: an event was lost");
            }
            let mut keys = [0; 300];
            let count = console.read(&mut keys);
            got.extend_from_slice(&keys[..count]);
        }
        assert!(got == typed, "seed {seed}");
    }
}

#[test]
fn who_does_not_wait_gets_a_whole_text_shown_or_none() {
    let xen = ModelXen::seeded(1);
    let mut console = open_console(&xen);
    let page = xen.console_channel().1;
    xen.world().console.stopped = true;
    let start_ns = xen.now_ns();
    let room = page.output.len();
    let filler = "x".repeat(room - 8);
    assert!(console.try_write(&filler));
    // Each line break is two bytes.
    assert!(!console.try_write("1234567\n"));
    assert!(console.try_write("12\n34\n"));
    assert!(!console.try_write("5"));
    assert!(xen.now_ns() - start_ns < 1_000_000, "nobody waited");
    assert!(!console.has_lost(), "what is left out is not lost");

    xen.world().console.stopped = false;
    xen.pass_ns(1_000_000_000);
    assert!(console.try_write("more\n"));
    console.drain();
    let shown = std::mem::take(&mut xen.world().console.shown);
    assert!(shown == format!("{filler}12\r\n34\r\nmore\r\n").as_bytes());
}

#[test]
fn a_daemon_that_stops_costs_some_seconds_once() {
    let xen = ModelXen::seeded(1);
    let mut console = open_console(&xen);
    xen.world().console.stopped = true;
    // There is room, but nobody takes anything.
    console.write("short\n");
    let start_ns = xen.now_ns();
    console.drain();
    assert!(xen.now_ns() - start_ns < 10_000_000_000);
    assert!(!console.has_lost());
    let start_ns = xen.now_ns();
    console.write(&"z\n".repeat(1000));
    let patience_ns = xen.now_ns() - start_ns;
    assert!((1_000_000_000..10_000_000_000).contains(&patience_ns), "{patience_ns}");
    for _ in 0..100 {
        console.write(&"z\n".repeat(300));
    }
    console.drain();
    assert!(xen.now_ns() - start_ns < patience_ns + 100_000_000);

    // Once it drains again, text flows again.
    xen.world().console.stopped = false;
    console.flush();
    xen.pass_ns(1_000_000_000);
    console.write("wake up\n");
    xen.pass_ns(1_000_000_000);
    console.write("back\n");
    console.drain();
    assert!(xen.world().console.shown.ends_with(b"back\r\n"));
    assert!(console.has_lost(), "and nobody forgets what was dropped");
}

/// The ways in which a line comes: whole, in pieces as a formatter writes it, empty.
const LINES: [&[&str]; 4] = [&["a line\n"], &["a ", "line", "\n"], &["\n"], &["two\nlines\n"]];

#[test]
fn a_stuck_reader_costs_one_patience_for_all_lines() {
    for pieces in LINES {
        let xen = ModelXen::seeded(1);
        let mut console = open_console(&xen);
        xen.world().console.stopped = true;
        let start_ns = xen.now_ns();
        for _ in 0..3000 {
            pieces.iter().for_each(|piece| console.write(piece));
            console.write_raw(b"and bytes");
        }
        console.drain();
        let cost_ns = xen.now_ns() - start_ns;
        assert!((1_900_000_000..2_500_000_000).contains(&cost_ns), "{pieces:?}: {cost_ns} ns");
        assert!(console.has_lost());
    }
}

/// A reader is shown what was written up to the gap, a line that tells its length, and whole lines
/// from there on.
#[test]
fn what_a_reader_missed_is_told_when_it_comes_back() {
    for seed in 0..40 {
        let xen = ModelXen::seeded(seed);
        let mut console = open_console(&xen);
        let line = |n: u32| format!("line {n} {}\n", "x".repeat(seed as usize));
        let write = |console: &mut Console<'_, ModelXen>, n: u32| {
            let text = line(n);
            let (begin, end) = text.split_at(seed as usize % text.len());
            console.write(begin);
            // The reader may come back in the middle of a line.
            if n == 1000 {
                xen.world().console.stopped = false;
                console.flush();
                xen.pass_ns(1_000_000_000);
            }
            console.write(end);
        };
        for n in 0..2000 {
            xen.world().console.stopped |= n == 500;
            write(&mut console, n);
        }
        console.drain();
        let shown = String::from_utf8(std::mem::take(&mut xen.world().console.shown)).unwrap();
        let (before, rest) = shown.split_once("ringmark: ").expect("a gap is told");
        let (lost, after) =
            rest.split_once(" bytes of output are lost here: nobody read the console\r\n").unwrap();
        let all: String = (0..2000).map(line).collect::<String>().replace('\n', "\r\n");
        assert!(after.starts_with("line 100") && all.ends_with(after), "seed {seed}: {after:.20}");
        // A line that was cut is ended first.
        let lost: usize = lost.parse().unwrap();
        let cut = before.len() + lost + after.len() - all.len();
        assert!(cut == 0 || (cut == 2 && before.ends_with("\r\n")), "seed {seed}: {cut}");
        assert!(all.starts_with(&before[..before.len() - cut]), "seed {seed}");
    }
}

#[test]
fn a_reader_that_comes_back_for_the_end_hears_of_the_gap() {
    let xen = ModelXen::seeded(1);
    let mut console = open_console(&xen);
    let page = xen.console_channel().1;
    xen.world().console.stopped = true;
    console.write(&"z".repeat(page.output.len() + 7));
    assert!(!console.try_write("no room\n"));
    xen.world().console.stopped = false;
    console.flush();
    xen.pass_ns(1_000_000_000);
    console.drain();
    let shown = String::from_utf8(std::mem::take(&mut xen.world().console.shown)).unwrap();
    assert!(
        shown.ends_with(
            "z\r\nringmark: 7 bytes of output are lost here: nobody read the console\r\n"
        )
    );
    assert!(console.try_write("more\n"));
}

/// A reader that takes a byte now and then is as stuck as one that takes none.
#[test]
fn a_trickle_is_not_waited_for() {
    let xen = ModelXen::seeded(1);
    let mut console = open_console(&xen);
    let page = xen.console_channel().1;
    xen.world().console.stopped = true;
    console.write(&"z".repeat(page.output.len() + 1));
    let (start_ns, prod) = (xen.now_ns(), page.out_prod.load(std::sync::atomic::Ordering::SeqCst));
    for _ in 0..100 {
        page.out_cons.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        console.write("a line\n");
    }
    assert!(xen.now_ns() - start_ns < 100_000_000);
    assert_eq!(page.out_prod.load(std::sync::atomic::Ordering::SeqCst), prod, "nor filled");
}

/// A text that fits what the reader took, but not beside the line that tells of the gap.
#[test]
fn who_does_not_wait_leaves_room_for_the_gap() {
    let xen = ModelXen::seeded(1);
    let mut console = open_console(&xen);
    let page = xen.console_channel().1;
    xen.world().console.stopped = true;
    console.write(&format!("{}\n", "z".repeat(page.output.len())));
    page.out_cons.fetch_add(150, std::sync::atomic::Ordering::SeqCst);
    let start_ns = xen.now_ns();
    assert!(!console.try_write(&"x".repeat(140)));
    assert!(xen.now_ns() - start_ns < 1_000_000, "nobody waited");
    assert!(console.try_write(&"x".repeat(20)));
}

#[test]
fn each_gap_is_told_for_itself() {
    let xen = ModelXen::seeded(1);
    let mut console = open_console(&xen);
    let page = xen.console_channel().1;
    for lost in [5, 9] {
        xen.world().console.stopped = true;
        console.write(&"z".repeat(page.output.len() + lost));
        xen.world().console.stopped = false;
        console.flush();
        xen.pass_ns(1_000_000_000);
        console.drain();
        let shown = String::from_utf8(std::mem::take(&mut xen.world().console.shown)).unwrap();
        assert!(shown.contains(&format!("ringmark: {lost} bytes")), "{lost}");
    }
}
