//! The order of locks, which a processor checks in builds with debug assertions.

use std::panic::{AssertUnwindSafe, catch_unwind};

use grant_table::lock::{Lock, Spin};
use grant_table::{Access, Cpu, Handle, Rank, Status};
use protocols::Native;
use xen_abi::{DomId, GrantRef};

use crate::all::all;
use crate::panics::{Failure, tell_of_messages};
use crate::random::SMALL;

fn hold<R>(rank: Rank, cpu: &mut Cpu, work: impl FnOnce(&mut Cpu) -> R) -> R {
    Spin::<Native>::default().hold(rank, cpu, work)
}

/// Returns what a new processor says that does `work` under a lock of a rank, if it refuses.
fn refusal<R>(outer: Rank, work: impl FnOnce(&mut Cpu) -> R) -> Option<Failure> {
    tell_of_messages();
    let all = || hold(outer, &mut Cpu::new(0), work);
    catch_unwind(AssertUnwindSafe(all)).err().map(|panic| Failure::of(&*panic))
}

#[test]
fn each_rank_allows_those_that_come_later() {
    use Rank::{Entry, FreeList, Maptrack, Table};

    for (outer, allowed) in [
        (Table(0), [false, true, true, true, true]),
        (Table(1), [false, false, true, true, true]),
        (Entry, [false, false, false, false, true]),
        (Maptrack, [false, false, false, false, true]),
        (FreeList, [false; 5]),
    ] {
        for (inner, allowed) in [Table(0), Table(1), Entry, Maptrack, FreeList].iter().zip(allowed)
        {
            let said = refusal(outer, |cpu| hold(*inner, cpu, |_| ()));
            let expected = format!("lock order: {inner:?} is taken under {outer:?}");
            assert_eq!(said, (!allowed).then_some(Failure::Fault(expected)));
        }
    }
}

/// Operation that uses an entry.
type Hypercall<'a> = &'a dyn Fn(&mut Cpu) -> Result<(), Status>;

/// Using an entry is refused under another entry, in whatever way the design has it to itself.
#[test]
fn an_entry_is_not_used_under_another() {
    let (by, of) = (DomId(0), DomId(1));
    for design in all::<Native>() {
        let tables = (design.new)(SMALL);
        let cpu = &mut Cpu::new(0);
        let [source, target] = [0, 1].map(|gref| {
            tables.entry(of, GrantRef(gref)).expect("it is there").permit(by, 1, Access::Write);
            (of, GrantRef(gref))
        });
        let mapping = tables.map(cpu, by, of, source.1, Access::Read).expect("a grant");
        let map = |cpu: &mut Cpu| tables.map(cpu, by, of, target.1, Access::Read).map(|_| ());
        let unmap = |cpu: &mut Cpu, Handle(handle)| tables.unmap(cpu, by, Handle(handle));
        let copy = |cpu: &mut Cpu| tables.copy(cpu, by, source, target, &mut |_, _| ());
        let under: [(&str, Hypercall<'_>); 3] = [
            ("map", &|cpu| map(cpu)),
            ("unmap", &|cpu| unmap(cpu, mapping.handle)),
            ("copy", &|cpu| copy(cpu)),
        ];
        for (operation, run) in under {
            let said = refusal(Rank::Entry, run);
            let (name, end) = (design.name, "is taken under Entry");
            let refused = matches!(&said, Some(Failure::Fault(said)) if said.ends_with(end));
            assert!(refused, "{name}: {operation}: {said:?}");
        }
        // What was taken is noted as given back: the next one may be taken.
        let again = map(cpu).and_then(|()| copy(cpu)).and_then(|()| unmap(cpu, mapping.handle));
        assert_eq!(again, Ok(()), "{}", design.name);
    }
}
