//! Origin of a result: which facts it has, and that a run waits for none of them.

use std::process::Command;

use results::{Origin, OriginDisk, OriginDomain, Report};

use crate::stack::{Stack, emit, peers, report};

const INFO: &str = "host : h\nnr_cpus : 8\nxen_version : 4.17.5\n";
const POWER: &str = "cpu id : 0\ncurrent_governor : ondemand\nturbo mode : enabled\n";
const VCPUS: &str = "Name ID VCPU CPU State Time(s) Affinity (Hard / Soft)\n\
                     Domain-0 0 0 1 r-- 9.0 0-1 / all\n\
                     ringmark 7 0 - --p 0.0 2-3 / all\n";
const FRONTENDS: &str = "/local/domain/7/device/vbd/51712/backend = \
                         \"/local/domain/0/backend/vbd/7/51712\"\n";
const BACKENDS: &str = r#"/local/domain/0/backend/vbd/7/51712/params = "/dev/vg/lv"
/local/domain/0/backend/vbd/7/51712/dev = "xvda"
/local/domain/0/backend/vbd/7/51712/mode = "w"
"#;
/// Files of the answers, in the order in which they are asked for.
const ANSWERS: [(&str, &str); 5] = [
    ("info", INFO),
    ("power", POWER),
    ("vcpus", VCPUS),
    ("frontends", FRONTENDS),
    ("backends", BACKENDS),
];

/// Returns the stack that knows all answers.
fn stack(name: &str, guest: &str) -> Stack {
    let stack = Stack::new(name, guest);
    ANSWERS.iter().for_each(|(file, text)| stack.write(file, text));
    stack
}

fn run(stack: &Stack, more: &[&str]) -> Report {
    let arguments = [&["run", "job.fio", "--output-format=json"], more].concat();
    let (code, stdout, stderr) = stack.run(&arguments);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(!stack.has_domain());
    Report::from_json(&stdout).unwrap()
}

fn origin(report: Report) -> Origin {
    report.ringmark.unwrap().origin.unwrap()
}

fn good() -> String {
    emit(&report(115_000.0, None))
}

#[test]
fn a_result_tells_its_origin() {
    let stack = stack("a_result_tells_its_origin", &good());
    let options = ["--label=new firmware", "--cpus=2-3", "--", "--bs=8k"];
    let found = origin(run(&stack, &options));
    let text = |text: &str| Some(text.to_owned());
    let host = found.host.clone().unwrap();
    assert_eq!((host.xen.as_deref(), host.cpus), (Some("4.17.5"), Some(8)));
    assert!(host.kernel.unwrap().starts_with("Linux ") && host.dom0_vcpus.is_some());
    assert_eq!((host.governor.as_deref(), host.turbo), (Some("ondemand"), Some(true)));
    assert_eq!(host.dom0_affinity, ["0-1"]);
    assert!(found.date.as_ref().is_some_and(|date| date.ends_with('Z')), "{:?}", found.date);
    let disk = OriginDisk {
        vdev: text("xvda"),
        target: text("/dev/vg/lv"),
        backend: text("vbd"),
        backend_domid: Some(0),
        read_only: Some(false),
        ..OriginDisk::default()
    };
    let domain = OriginDomain {
        name: text("ringmark"),
        memory_mib: Some(64),
        vcpus: Some(1),
        cpus: text("2-3"),
        affinity: vec!["2-3".to_owned()],
    };
    let expected = Origin {
        tool: text(env!("CARGO_PKG_VERSION")),
        guest: text("ringmark-0.1.0"),
        label: text("new firmware"),
        date: found.date.clone(),
        job: ["[global]", "bs=8k", "[job]", "rw=randread"].map(str::to_owned).into(),
        domain: Some(domain),
        disks: vec![disk],
        host: found.host.clone(),
        others: found.others,
        ..Origin::default()
    };
    assert_eq!(found, expected);
    assert_eq!(found.others.map(|others| (others.guests, others.cpu_seconds)), Some((0, 0.0)));
}

#[test]
fn other_guests_that_take_processors_are_flagged() {
    let mut report = report(115_000.0, None);
    report.jobs[0].ringmark = Some(results::Extra { members: 1, ..results::Extra::default() });
    let stack = stack("other_guests_that_take_processors_are_flagged", &emit(&report));
    // 1,000 s of CPU time between both lists.
    stack.write("busy", "");
    let (code, stdout, stderr) = stack.run(&["run", "job.fio"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("     mark      : other guests (1) used "), "{stdout}");
}

#[test]
fn an_origin_that_a_guest_makes_up_is_dropped() {
    let mut lie = report(1.0, None);
    let made_up = Origin { label: Some("made up".to_owned()), ..Origin::default() };
    lie.ringmark.as_mut().unwrap().origin = Some(made_up);
    let stack = stack("an_origin_that_a_guest_makes_up_is_dropped", &emit(&lie));
    let found = origin(run(&stack, &[]));
    assert_eq!((found.label, found.disks.len()), (None, 1));
}

#[test]
fn a_run_needs_no_answer() {
    let stack = stack("a_run_needs_no_answer", &good());
    let known = |found: &Origin| {
        let host = found.host.as_ref().is_some_and(|host| host.xen.is_some());
        let power = found.host.as_ref().is_some_and(|host| host.turbo == Some(true));
        let affinity = found.domain.as_ref().is_some_and(|domain| !domain.affinity.is_empty());
        [host, power, affinity, !found.disks.is_empty()]
    };
    for (file, text) in ANSWERS.into_iter().rev() {
        std::fs::remove_file(stack.0.join(file)).unwrap();
        let expected = ANSWERS.map(|(answer, _)| answer != file);
        let [host, power, affinity, frontends, backends] = expected;
        // Who does not know of Xen does not ask for its clock.
        let expected = [host, host && power, affinity, frontends && backends];
        assert_eq!(known(&origin(run(&stack, &[]))), expected);
        stack.write(file, text);
    }
    std::fs::remove_file(stack.0.join("xenstore-ls")).unwrap();
    assert_eq!(known(&origin(run(&stack, &[]))), [true, true, true, false]);
}

/// A pipe without a writer never answers.
#[test]
fn a_question_that_hangs_is_the_last() {
    let stack = stack("a_question_that_hangs_is_the_last", &good());
    for (index, (file, text)) in ANSWERS.into_iter().enumerate() {
        let path = stack.0.join(file);
        std::fs::remove_file(&path).unwrap();
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let _ = std::fs::remove_file(stack.0.join("calls"));
        let found = origin(run(&stack, &["--xl-timeout=1"]));
        assert!(found.host.is_some() && found.disks.is_empty(), "{file}: {found:?}");
        let asked = ["xl info", "xenpm ", "xl vcpu-list", "device/vbd\n", "backend/vbd"];
        let asked = asked.map(|call| stack.calls().contains(call));
        assert_eq!(asked, [0, 1, 2, 3, 4].map(|question| question <= index), "{}", stack.calls());
        std::fs::remove_file(&path).unwrap();
        stack.write(file, text);
    }
}

#[test]
fn both_sides_of_a_comparison_tell_their_origin() {
    let guest = peers(&good(), &report(1000.0, None));
    let stack = stack("both_sides_of_a_comparison_tell_their_origin", &guest);
    stack.write("peer.cpio", "an archive");
    let peer = ["--peer-kernel=vmlinux", "--peer-initramfs=peer.cpio", "--save=all.json"];
    let more = ["compare", "job.fio", "--runs=2", "--label=both"];
    assert_eq!(stack.run(&[&more[..], &peer].concat()).0, Some(0));
    let saved = std::fs::read_to_string(stack.0.join("all.json")).unwrap();
    let saved: serde_json::Value = serde_json::from_str(&saved).unwrap();
    let found = saved["runs"].as_array().unwrap().iter().map(|run| {
        let origin = run["result"]["ringmark"]["origin"].clone();
        let origin: Origin = serde_json::from_value(origin).unwrap();
        assert_eq!((origin.label.as_deref(), origin.disks.len()), (Some("both"), 1));
        (origin.repetition, origin.repetitions, origin.domain.unwrap().memory_mib)
    });
    let run = |number, memory| (Some(number), Some(2), Some(memory));
    assert!(found.eq([run(1, 64), run(1, 400), run(2, 400), run(2, 64)]));
}

#[test]
fn a_label_that_is_not_printable_is_refused() {
    let stack = stack("a_label_that_is_not_printable_is_refused", &good());
    for label in ["--label=a\nb", "--label=\u{1b}[2J"] {
        let (code, stdout, stderr) = stack.run(&["run", "job.fio", label]);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
    }
    assert!(!stack.calls().contains("xl create"));
}

#[test]
fn a_table_in_csv_has_label_and_date() {
    let stack = stack("a_table_in_csv_has_label_and_date", &good());
    let arguments = ["run", "job.fio", "--output-format=csv", "--label==1+1", "--repeat=2"];
    let (code, stdout, stderr) = stack.run(&arguments);
    assert_eq!(code, Some(0), "{stderr}");
    let lines: Vec<&str> = stdout.lines().collect();
    let [header, first, second] = lines[..] else { panic!("{stdout}") };
    assert!(header.starts_with("job,group,direction,") && header.ends_with(",label,date,run"));
    assert!(first.contains(",'=1+1,20") && first.ends_with("Z,1"), "{first}");
    assert!(second.ends_with("Z,2"), "{second}");
}
