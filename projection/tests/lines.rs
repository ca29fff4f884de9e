//! Cache lines and the processors that wait for them, held to exact times and closed forms.

use projection::grants::designs::{Design, Step, Word};
use projection::grants::layout::Layout;
use projection::grants::machine::{Instruction, Machine, Outcome, Processor, Times};
use projection::lines::{Access, Latencies, Lines};
use projection::simulation::{Span, Spread};

const LATENCIES: Latencies = Latencies { socket: 100, remote: 300, atomic: 7 };
const FREE: Latencies = Latencies { socket: 0, remote: 0, atomic: 0 };

const fn exactly(mean: u64) -> Span {
    Span { mean, spread: Spread::None }
}

/// Processors of these sockets, each of which runs a program for ever.
fn run(sockets: &[usize], latencies: Latencies, program: &[Instruction], rounds: u64) -> Outcome {
    let cpus = sockets.len();
    let processor =
        |socket: &usize| Processor { socket: *socket, is_dom0: true, signal: 0, wake: exactly(0) };
    let machine = Machine {
        layout: Layout { design: Design::SplitLocks, cpus, grantors: 1, pages: cpus },
        latencies,
        times: Times { covered: exactly(0), flush: [50, 10, 3], latency: 0 },
        processors: sockets.iter().map(processor).collect(),
        programs: vec![program.to_vec()],
        requests: (0..cpus).map(|cpu| vec![(cpu, 0)]).collect(),
        pages: 1,
    };
    machine.run(1, 10 * cpus as u64, rounds)
}

const fn to(word: Word, access: Access) -> Instruction {
    Instruction::Page(Step::To(word, access), 0, 0)
}

fn time_of_a_round(outcome: &Outcome) -> f64 {
    outcome.elapsed as f64 / outcome.rounds as f64
}

#[test]
fn a_line_moves_to_who_writes_it_and_is_shared_by_who_reads_it() {
    use Access::{Load, Rmw, Store};
    let mut lines = Lines::new(vec![0, 0, 1], LATENCIES, 2);
    // From memory, then for nothing, with the time of the locked instruction only.
    assert_eq!(lines.access(0, 0, Store, 0), 300);
    assert_eq!(lines.access(0, 0, Load, 300), 300);
    assert_eq!(lines.access(0, 0, Rmw, 300), 307);
    // One after the other, as long as it is modified.
    assert_eq!(lines.access(0, 1, Load, 1000), 1100);
    assert_eq!(lines.access(0, 2, Load, 1000), 1400);
    // The nearest copy will do, and is had at the same time by all.
    assert_eq!(lines.access(0, 2, Load, 2000), 2000);
    // All copies go, the farthest last.
    assert_eq!(lines.access(0, 0, Store, 2000), 2300);
    assert_eq!(lines.access(0, 1, Rmw, 2000), 2407);
    assert_eq!(lines.access(0, 2, Rmw, 2000), 2714);
    assert_eq!(lines.transfers(), 6);
    // Another line is none of that's business.
    assert_eq!(lines.access(1, 2, Load, 2000), 2300);
}

#[test]
fn a_clean_line_is_copied_to_many_at_a_time() {
    let mut lines = Lines::new(vec![0; 5], LATENCIES, 1);
    lines.access(0, 0, Access::Store, 0);
    let done: Vec<u64> = (1..5).map(|cpu| lines.access(0, cpu, Access::Load, 1000)).collect();
    assert_eq!(done, [1100, 1200, 1200, 1200]);
}

#[test]
fn two_processors_play_ping_pong_with_a_line() {
    let program = [to(Word::P2m, Access::Rmw)];
    for (sockets, time) in [([0, 0], 107), ([0, 1], 307)] {
        let outcome = run(&sockets, LATENCIES, &program, 1000);
        assert_eq!(outcome.elapsed, 1000 * time);
        assert_eq!(outcome.transfers, 1000);
        // Each waits for the other's access, and its own.
        assert_eq!(outcome.lines, 1000 * 2 * time);
    }
    // Stores are the same without the locked instruction; who is alone pays only that.
    assert_eq!(run(&[0, 0], LATENCIES, &[to(Word::P2m, Access::Store)], 99).elapsed, 9900);
    assert_eq!(run(&[0], LATENCIES, &program, 100).elapsed, 700);
}

#[test]
fn words_of_its_own_cost_a_processor_nothing() {
    let program = [Instruction::Work(exactly(50)), to(Word::Own, Access::Store)];
    let outcome = run(&[0, 1, 0, 1], LATENCIES, &program, 4000);
    assert_eq!((outcome.elapsed, outcome.lines, outcome.transfers), (50_000, 0, 0));
}

#[test]
fn a_lock_without_transfers_is_a_repairman() {
    let exponential = |mean| Span { mean, spread: Spread::Exponential };
    let (think, hold) = (900_000.0, 100_000.0);
    let program = [
        Instruction::Work(exponential(think as u64)),
        Instruction::FlushLock,
        Instruction::Work(exponential(hold as u64)),
        Instruction::FlushUnlock,
    ];
    for cpus in [1, 4, 10, 24] {
        let outcome = run(&vec![0; cpus], FREE, &program, 200_000);
        // M/M/1//N: terms are the odds of so many at the lock, against none.
        let mut terms = vec![1.0];
        for at in 0..cpus {
            terms.push(terms[at] * (cpus - at) as f64 * hold / think);
        }
        let busy = 1.0 - 1.0 / terms.iter().sum::<f64>();
        let expected = hold / busy;
        let found = time_of_a_round(&outcome);
        assert!((found / expected - 1.0).abs() < 0.01, "{cpus}: {found}, not {expected}");
    }
}

#[test]
fn locks_on_one_line_wait_for_it_and_not_for_each_other() {
    let step = |step| Instruction::Page(step, 0, 0);
    let hold = [
        step(Step::Lock(Word::EntryLock)),
        Instruction::Work(exactly(1000)),
        step(Step::Unlock(Word::EntryLock)),
    ];
    // The first two entries share a line, of which each has to get its part.
    let outcome = run(&[0, 0], LATENCIES, &hold, 1000);
    assert_eq!(outcome.spin, 0);
    assert!(outcome.transfers >= 1000, "{outcome:?}");
    assert!(time_of_a_round(&outcome) < 1000.0, "{outcome:?}");
    // Swaps of one word are not disturbed by those of another.
    let swap = [step(Step::Swap(Word::EntryLock)), Instruction::Work(exactly(400))];
    let outcome = run(&[0, 0], LATENCIES, &swap, 1000);
    assert!(outcome.transfers <= 2000, "{outcome:?}");
    // One lock makes them wait.
    let one = [Instruction::FlushLock, Instruction::Work(exactly(1000)), Instruction::FlushUnlock];
    assert!(run(&[0, 0], LATENCIES, &one, 1000).elapsed >= 1_000_000);
}

#[test]
fn a_fence_costs_what_a_locked_instruction_does() {
    let program = [Instruction::Page(Step::Fence, 0, 0)];
    let outcome = run(&[0], LATENCIES, &program, 100);
    assert_eq!((outcome.elapsed, outcome.lines, outcome.transfers), (700, 700, 0));
}

#[test]
fn who_spins_makes_the_next_hand_over_longer() {
    let program = [
        Instruction::FlushLock,
        Instruction::Work(exactly(1000)),
        Instruction::FlushUnlock,
        Instruction::Work(exactly(300)),
    ];
    let times = |cpus: usize| time_of_a_round(&run(&vec![0; cpus], LATENCIES, &program, 2000));
    // Alone: the work and the locked instruction.
    assert_eq!(times(1), 1307.0);
    let times = [8, 16, 64].map(times);
    // Each who waits tries once when the lock is free, with a transfer and an instruction, and the
    // store that gives it back comes after these: of few, most try while the work goes on.
    assert!(times[0] < times[1], "{times:?}");
    assert!(times[2] - times[1] > 40.0 * 107.0, "{times:?}");
}

#[test]
fn who_gives_a_lock_back_and_wants_it_again_has_it_before_those_who_wait() {
    let program =
        [Instruction::FlushLock, Instruction::Work(exactly(1000)), Instruction::FlushUnlock];
    // The line is still its own: the work, the locked instruction, the store after others looked.
    for cpus in [2, 16] {
        assert_eq!(time_of_a_round(&run(&vec![0; cpus], LATENCIES, &program, 2000)), 1107.0);
    }
}

#[test]
fn a_swap_that_another_came_before_is_made_again() {
    let swap = [Instruction::Page(Step::Swap(Word::P2m), 0, 0)];
    let add = [to(Word::P2m, Access::Rmw)];
    let alone = run(&[0], LATENCIES, &swap, 100);
    assert_eq!(alone.elapsed, 700);
    let times = |program: &[Instruction]| {
        [2, 8, 32].map(|cpus| time_of_a_round(&run(&vec![0; cpus], LATENCIES, program, 4000)))
    };
    let (swaps, adds) = (times(&swap), times(&add));
    assert!(swaps.iter().zip(&adds).all(|(swap, add)| swap > add), "{swaps:?}, {adds:?}");
}

#[test]
fn a_flush_interrupts_all_others_that_run() {
    let program = [Instruction::FlushLock, Instruction::Flush, Instruction::FlushUnlock];
    // A base, and each of three others, who spin and lose nothing.
    let outcome = run(&[0; 4], FREE, &program, 100);
    assert_eq!((outcome.elapsed, outcome.flush, outcome.work), (100 * 80, 100 * 80, 0));
    // Alone there is nobody to tell.
    assert_eq!(
        run(&[0], FREE, &[Instruction::Flush, Instruction::Work(exactly(9))], 10).elapsed,
        90
    );
    // Who works loses what it takes to be interrupted.
    let program = [Instruction::Flush, Instruction::Work(exactly(1000))];
    let outcome = run(&[0, 0], FREE, &program, 100);
    assert!((1062.5 / 2.0..=1063.5 / 2.0).contains(&time_of_a_round(&outcome)), "{outcome:?}");
}
