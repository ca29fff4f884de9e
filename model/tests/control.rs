//! R2: requests of the tool stack. A watch event is no request, and only some requests end a guest.
//! What it says of vCPUs.

use drivers::Vcpu;
use drivers::availability::usable_vcpus;
use drivers::control::{Control, Request};
use drivers::xenstore::{Error, Transaction, Xenstore};
use model::xenstored::Perms;
use model::{GUEST, Guest, ModelXen};
use xen_abi::DomId;
use xen_abi::sched::ShutdownReason;
use xen_abi::xenstore::MessageType;

const NODE: &str = "/local/domain/1/control/shutdown";

/// Runs `test` with a guest that listens.
fn listening(test: impl Fn(&ModelXen, &mut Xenstore<'_, ModelXen>, &mut Control)) {
    for seed in 0..20 {
        let xen = ModelXen::seeded(seed);
        let mut guest = Guest::boot(&xen);
        let mut control = Control::new(&mut guest.store).unwrap();
        assert_eq!(control.read(&mut guest.store), Ok(None));
        assert_eq!(control.poll(&mut guest.store), Ok(None), "the first event is none");
        test(&xen, &mut guest.store, &mut control);
        // However that ended, the guest listens.
        assert_eq!(asked(&xen, &mut guest.store, &mut control, "halt"), [POWEROFF]);
    }
}

const POWEROFF: Request = Request::End(ShutdownReason::Poweroff);

/// Returns the requests that this value brings within a second.
fn asked(
    xen: &ModelXen,
    store: &mut Xenstore<'_, ModelXen>,
    control: &mut Control,
    value: &str,
) -> Vec<Request> {
    xen.world().set(NODE, value);
    let mut requests = Vec::new();
    for _ in 0..20 {
        xen.pass_ns(50_000_000);
        requests.extend(control.poll(store).unwrap());
    }
    requests
}

#[test]
fn r2_each_request_is_what_it_says_and_is_acknowledged() {
    for (value, request) in [
        ("poweroff", POWEROFF),
        ("reboot", Request::End(ShutdownReason::Reboot)),
        ("suspend", Request::Suspend),
        ("foo", Request::Unknown("foo".into())),
        ("Poweroff", Request::Unknown("Poweroff".into())),
        ("poweroff ", Request::Unknown("poweroff ".into())),
    ] {
        listening(|xen, store, control| {
            for _ in 0..3 {
                assert_eq!(asked(xen, store, control, value), vec![request.clone()]);
                assert_eq!(xen.world().store.tree.text(NODE), "", "xl waits for that");
            }
        });
    }
}

#[test]
fn r2_an_event_alone_asks_for_nothing() {
    listening(|xen, store, control| {
        assert_eq!(asked(xen, store, control, ""), []);
        xen.world().unset(NODE);
        xen.pass_ns(50_000_000);
        assert_eq!(control.poll(store), Ok(None));
        xen.world().unset("/local/domain/1/control");
        xen.pass_ns(50_000_000);
        assert_eq!(control.poll(store), Ok(None));
        assert_eq!(control.read(store), Ok(None));
    });
}

#[test]
fn r2_a_lost_event_is_made_up_for() {
    listening(|xen, store, control| {
        xen.world().store.wire.loses_events = true;
        assert_eq!(asked(xen, store, control, "reboot"), []);
        let request = Some(Request::End(ShutdownReason::Reboot));
        assert_eq!(control.read(store), Ok(request));
        xen.world().store.wire.loses_events = false;
    });
}

/// Some tool stacks do not let a guest write there: a request is told once.
#[test]
fn r2_what_cannot_be_acknowledged_is_told_once() {
    for seed in 0..20 {
        let xen = ModelXen::seeded(seed);
        let perms = Perms::readable_by(DomId(0), GUEST);
        xen.world().store.tree.make("/local/domain/1/control", "", perms.clone());
        xen.world().store.tree.make(NODE, "", perms);
        let mut guest = Guest::boot(&xen);
        let store = &mut guest.store;
        let mut control = Control::new(store).unwrap();
        for value in ["suspend", "suspend", "foo"] {
            let times = usize::from(value != xen.world().store.tree.text(NODE));
            assert_eq!(asked(&xen, store, &mut control, value).len(), times, "{value}");
            assert_eq!(control.read(store), Ok(None));
        }
        assert_eq!(asked(&xen, store, &mut control, "poweroff"), [POWEROFF]);
    }
}

/// Asked in the middle of a job, between two looks, while nothing is there: no request is sent.
#[test]
fn r2_a_look_at_nothing_sends_nothing() {
    listening(|xen, store, control| {
        let served = xen.world().store.requests;
        let start_ns = xen.now_ns();
        for _ in 0..100 {
            assert_eq!(control.poll(store), Ok(None));
        }
        assert_eq!(xen.world().store.requests, served);
        assert!(xen.now_ns() - start_ns < 1_000_000);
    });
    // Nor does a request get lost that comes while another is acknowledged.
    let xen = ModelXen::seeded(2);
    xen.world().store.contention = 12;
    let mut guest = Guest::boot(&xen);
    let mut control = Control::new(&mut guest.store).unwrap();
    assert_eq!(asked(&xen, &mut guest.store, &mut control, "suspend"), [Request::Suspend]);
    assert_eq!(guest.store.read(Transaction::NONE, "control/shutdown").unwrap(), "");
}

/// Lets no reply of this type come.
fn withhold(xen: &ModelXen, kind: MessageType) {
    xen.world().store.forger =
        Some(Box::new(
            move |header, body| {
                if header.kind == kind as u32 { Vec::new() } else { vec![(header, body)] }
            },
        ));
}

#[test]
fn r2_a_request_whose_read_timed_out_is_read_again_though_not_at_each_look() {
    listening(|xen, store, control| {
        withhold(xen, MessageType::Read);
        xen.world().set(NODE, "reboot");
        xen.pass_ns(50_000_000);
        assert_eq!(control.poll(store), Err(Error::Timeout));
        let served = xen.world().store.requests;
        for _ in 0..90 {
            // Not even when the watch fires again.
            xen.world().set(NODE, "reboot");
            xen.pass_ns(100_000_000);
            assert_eq!(control.poll(store), Ok(None));
        }
        assert_eq!(xen.world().store.requests, served);
        xen.pass_ns(1_000_000_000);
        assert_eq!(control.poll(store), Err(Error::Timeout), "the next");
        xen.world().store.forger = None;
        xen.pass_ns(10_000_000_000);
        assert_eq!(control.poll(store), Ok(Some(Request::End(ShutdownReason::Reboot))));
        assert_eq!(xen.world().store.tree.text(NODE), "");
    });
}

#[test]
fn r2_a_request_is_known_whether_or_not_its_acknowledgement_came_about() {
    let kinds = [MessageType::TransactionStart, MessageType::Write, MessageType::TransactionEnd];
    for kind in kinds {
        listening(|xen, store, control| {
            let reboot = Request::End(ShutdownReason::Reboot);
            withhold(xen, kind);
            assert_eq!(asked(xen, store, control, "reboot"), [reboot], "{kind:?}");
            let is_emptied = xen.world().store.tree.text(NODE).is_empty();
            assert!(!is_emptied || kind == MessageType::TransactionEnd, "{kind:?}");
            xen.world().store.forger = None;
            assert_eq!(control.read(store), Ok(None), "{kind:?}: once");
        });
    }
}

#[test]
fn r2_a_value_that_is_no_text_is_a_word_that_nobody_knows() {
    let unknown = Request::Unknown("\u{fffd}".into());
    listening(|xen, store, control| {
        xen.world().set(NODE, "");
        xen.world().store.tree.write(DomId(0), NODE, b"\xff").unwrap();
        assert_eq!(control.read(store), Ok(Some(unknown.clone())));
        assert_eq!(xen.world().store.tree.text(NODE), "", "xl waits for that");
    });
}

#[test]
fn vcpus_that_are_offline_are_not_used() {
    for (words, count, usable) in [
        (&[][..], 1, &[0][..]),
        (&[], 4, &[0, 1, 2, 3]),
        (&["online", "online", "offline", "offline"], 4, &[0, 1]),
        (&["online", "offline", "online", "offline", "online"], 5, &[0, 2, 4]),
        // xl vcpu-set takes from the end; the boot vCPU runs whatever is said.
        (&["offline", "offline"], 2, &[0]),
        // One that is said to be there is none that the domain lacks.
        (&["online", "online"], 1, &[0]),
        (&["online", "", "Offline", "unknown"], 4, &[0, 1, 2, 3]),
    ] {
        let xen = ModelXen::seeded(1);
        for (id, word) in words.iter().enumerate() {
            xen.world().set(&format!("/local/domain/1/cpu/{id}/availability"), word);
        }
        let mut guest = Guest::boot(&xen);
        let found = usable_vcpus(&mut guest.store, count);
        assert_eq!(found.as_deref(), Ok(usable), "{words:?}, {count}");
    }
}

#[test]
fn vcpus_are_found_out_about_in_the_time_of_one_request() {
    let xen = ModelXen::seeded(1);
    let mut guest = Guest::boot(&xen);
    xen.world().set("/local/domain/1/cpu/2/availability", "");
    xen.world().store.tree.write(DomId(0), "/local/domain/1/cpu/2/availability", b"\xff").unwrap();
    assert_eq!(usable_vcpus(&mut guest.store, 4).as_deref(), Ok(&[0, 1, 2, 3][..]));
    withhold(&xen, MessageType::Read);
    let start_ns = xen.now_ns();
    assert_eq!(usable_vcpus(&mut guest.store, 32), Err(Error::Timeout));
    assert!(xen.now_ns() - start_ns < 15_000_000_000);
}
