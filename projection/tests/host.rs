//! Projections of hosts: mechanisms show where they should, setups have bounds, and no table of
//! costs makes nonsense of it.

use projection::{
    Cause, Costs, Disk, Key, Limit, Load, Operations, Point, Projection, Setup, System, anchors,
    check, check_text, projection_text,
};

const LOAD: Load = Load { vcpus: 1, queues: 1, iodepth: 32, disk: Disk::Ramdisk };
const HOST: Setup = Setup { cpus: 24, dom0_vcpus: 24, guests: 1, load: LOAD };

fn point(setup: Setup, system: System) -> Point {
    point_with(&Costs::shipped().unwrap(), setup, system)
}

fn point_with(costs: &Costs, setup: Setup, system: System) -> Point {
    Point::project(costs, &setup, system, Operations::of(system), 1).unwrap()
}

#[test]
fn per_request_is_bound_by_flushes_and_falls_with_guests() {
    let [few, many] = [5, 10].map(|guests| Setup { guests, ..HOST });
    let [before, after] = [few, many].map(|setup| point(setup, System::LinuxPerRequest));
    assert_eq!([before.limit, after.limit], [Limit::FlushLock; 2]);
    assert!(after.iops < 0.8 * before.iops, "{before:?} {after:?}");
    let [before, after] = [few, many].map(|setup| point(setup, System::Linux));
    assert!(after.iops > 1.2 * before.iops, "{before:?} {after:?}");
}

/// Found by the mail of 2012, too: a copy costs more than mapping with few guests, less with many.
#[test]
fn linux_gains_by_persistent_grants_with_many_guests_only() {
    let costs = Costs::shipped().unwrap();
    let projection = Projection::new(&costs, &HOST, 3..=8, &[], 1).unwrap();
    let crossing = projection.crossings.iter().find(|crossing| crossing.winner == System::Linux);
    let crossing = crossing.unwrap();
    assert!(crossing.from_guests.is_some_and(|guests| guests > 3), "{crossing:?}");
    assert_eq!(crossing.pays.unwrap().cause, Cause::GuestCopy);
    assert_eq!(crossing.saves.unwrap().cause, Cause::FlushLock);
}

#[test]
fn one_vcpu_of_dom0_flushes_locally() {
    let alone = Setup { dom0_vcpus: 1, guests: 10, ..HOST };
    let point = point(alone, System::PerRequest);
    for cause in [Cause::Shootdown, Cause::FlushLock, Cause::TableLock, Cause::Interrupted] {
        assert_eq!(point.cycles(cause), 0.0, "{cause:?}");
    }
    assert_eq!(point.limit, Limit::Dom0Vcpus);
    assert!(point.cycles(Cause::MapUnmap) > 0.0);
}

#[test]
fn each_mode_pays_for_what_it_does() {
    for (system, copies, maps) in [
        (System::Persistent, false, false),
        (System::PersistentCopy, true, false),
        (System::PerRequest, false, true),
        (System::Linux, true, false),
    ] {
        let point = point(HOST, system);
        assert_eq!(point.cycles(Cause::GuestCopy) > 0.0, copies, "{system:?}");
        assert_eq!(point.cycles(Cause::MapUnmap) > 0.0, maps, "{system:?}");
        assert_eq!(point.cycles(Cause::GuestGrants) > 0.0, maps, "{system:?}");
    }
    let null = Setup { load: Load { disk: Disk::Null, ..LOAD }, ..HOST };
    assert_eq!(point(null, System::Persistent).cycles(Cause::DiskCopy), 0.0);
}

#[test]
fn queues_help_until_vcpus_are_what_is_busy() {
    let of = |queues| {
        let load = Load { vcpus: 16, queues, iodepth: 32, disk: Disk::Null };
        point(Setup { cpus: 32, dom0_vcpus: 16, guests: 1, load }, System::Linux)
    };
    let [one, two] = [of(1), of(2)];
    assert_eq!(one.limit, Limit::Threads);
    assert!(two.iops > 1.7 * one.iops, "{one:?} {two:?}");
    let (four, eight) = (of(4), of(8));
    assert!(eight.iops < 1.2 * four.iops, "{four:?} {eight:?}");
}

/// One vCPU's I/Os fill all rings, whatever the number of vCPUs.
#[test]
fn no_queue_is_idle_while_others_are_full() {
    let of = |queues| {
        let load = Load { queues, iodepth: 32 * queues, ..LOAD };
        point(Setup { load, ..HOST }, System::Persistent)
    };
    let [one, four] = [of(1), of(4)];
    assert_eq!([one.limit, four.limit], [Limit::Threads; 2]);
    assert!(four.iops > 3.0 * one.iops, "{one:?} {four:?}");
}

/// More vCPUs than the ring has room for, and more queues than I/Os: the others are all busy.
#[test]
fn who_has_nothing_to_do_does_not_hide_the_limit() {
    for (cost, load, limit) in [
        ("linux]\nio", Load { vcpus: 64, iodepth: 1, ..LOAD }, Limit::GuestVcpus),
        ("dom0]\nio", Load { queues: 4, iodepth: 2, ..LOAD }, Limit::Threads),
    ] {
        let mut costs = Costs::shipped().unwrap();
        let entry = "{ value = 1000000, unit = \"instructions\", source = \"a test\" }";
        costs.replace(&format!("[{cost} = {entry}")).unwrap();
        let setup = Setup { cpus: 128, dom0_vcpus: 8, load, ..HOST };
        assert_eq!(point_with(&costs, setup, System::Linux).limit, limit, "{load:?}");
    }
}

#[test]
fn a_dearer_shoot_down_costs_per_request_only() {
    let costs = Costs::shipped().unwrap();
    let mut dear = costs.clone();
    let ns =
        |name: &str| format!("{name} = {{ value = 4000, unit = \"ns\", source = \"a test\" }}");
    dear.replace(&format!("[processor]\n{}", ns("shootdown_base"))).unwrap();
    let setup = Setup { guests: 8, ..HOST };
    let ratio =
        |system| point_with(&dear, setup, system).iops / point_with(&costs, setup, system).iops;
    assert!(ratio(System::PerRequest) < 0.6);
    assert_eq!(ratio(System::Persistent), 1.0);
}

#[test]
fn a_seed_is_a_projection() {
    let costs = Costs::shipped().unwrap();
    let project = |seed| Projection::new(&costs, &HOST, 1..=3, &[], seed).unwrap();
    let projection = project(1);
    assert_eq!(projection, project(1));
    assert_ne!(projection.curves, project(2).curves);
    for (curve, other) in projection.curves.iter().zip(&project(2).curves) {
        for (point, other) in curve.points.iter().zip(&other.points) {
            assert!((point.iops / other.iops - 1.0).abs() < 0.03, "{point:?} {other:?}");
        }
    }
}

#[test]
fn all_output_says_that_it_is_projected() {
    let costs = Costs::shipped().unwrap();
    let projection = Projection::new(&costs, &HOST, 1..=2, &[], 1).unwrap();
    let text = projection_text(&costs, &projection);
    let tables = text.split("\n\n").filter(|part| part.contains("per-request"));
    assert!(tables.clone().count() >= 6, "{text}");
    tables.for_each(|table| assert!(table.contains("projected"), "{table}"));
    assert!(text.lines().all(|line| line.len() <= 130), "{text}");
    let json = serde_json::to_value(&projection).unwrap();
    let points = json["curves"].as_array().unwrap().iter();
    let points = points.flat_map(|curve| curve["points"].as_array().unwrap());
    let crossings = json["crossings"].as_array().unwrap().iter();
    let all: Vec<_> = points.chain(crossings).chain([&json]).collect();
    assert_eq!(all.len(), 5 * 2 + 3 + 1);
    assert!(all.iter().all(|of| of["projected"] == true), "{json}");
}

#[test]
fn a_result_replaces_operations() {
    let costs = Costs::shipped().unwrap();
    let twice = Operations { requests: 2.0, grants: 0.0, copies: 0.0 };
    let measured = [(System::Persistent, twice)];
    let project = |measured: &[_]| Projection::new(&costs, &HOST, 1..=1, measured, 1).unwrap();
    let [plain, changed] = [project(&[]), project(&measured)];
    let io = |of: &Projection, curve: usize| of.curves[curve].points[0].cycles(Cause::BackendIo);
    assert!((io(&changed, 0) / io(&plain, 0) - 2.0).abs() < 0.05);
    assert_eq!(changed.curves[1..], plain.curves[1..]);
}

#[test]
fn setups_out_of_bounds_are_refused() {
    let load = |load| Setup { load, ..HOST };
    for (setup, expected) in [
        (Setup { cpus: 0, ..HOST }, "processors: 0 is not from 1 to 1024"),
        (Setup { dom0_vcpus: 1025, ..HOST }, "vCPUs of dom0: 1025 is not from 1 to 1024"),
        (Setup { guests: u32::MAX, ..HOST }, "guests: 4294967295 is not from 1 to 128"),
        (load(Load { vcpus: 0, ..LOAD }), "vCPUs of a guest: 0 is not from 1 to 1024"),
        (load(Load { queues: 0, ..LOAD }), "queues: 0 is not from 1 to 1024"),
        (load(Load { iodepth: 0, ..LOAD }), "iodepth: 0 is not from 1 to 65536"),
        (
            Setup { guests: 128, load: Load { vcpus: 1024, queues: 1024, ..LOAD }, ..HOST },
            "I/Os in flight of all guests: 4194304 is not from 1 to 65536",
        ),
        (
            Setup { guests: 128, load: Load { vcpus: 1024, ..LOAD }, ..HOST },
            "vCPUs and queues of all guests: 131200 is not from 1 to 65536",
        ),
    ] {
        let system = System::Persistent;
        let costs = Costs::shipped().unwrap();
        let error = Point::project(&costs, &setup, system, Operations::of(system), 1).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn no_table_of_costs_makes_nonsense() {
    for all_most in [false, true] {
        let mut costs = Costs::shipped().unwrap();
        for key in Key::ALL {
            let (section, name) = key.name().split_once('.').unwrap();
            let (least, most) = key.range();
            let value = if all_most { most } else { least };
            let unit = key.unit();
            let entry = format!("{{ value = {value:?}, unit = \"{unit}\", source = \"a test\" }}");
            costs.replace(&format!("[{section}]\n{name} = {entry}")).unwrap();
        }
        for system in System::CURVES {
            let point = point_with(&costs, Setup { guests: 3, cpus: 2, ..HOST }, system);
            assert!(point.iops.is_finite() && point.iops > 0.0, "{point:?}");
            let cycles = point.cycles.iter().map(|share| share.cycles);
            assert!(cycles.clone().all(|cycles| cycles.is_finite() && cycles > 0.0), "{point:?}");
        }
    }
}

#[test]
fn the_check_has_all_published_figures_and_discusses_the_two_worst() {
    let checked = check(&Costs::shipped().unwrap(), 1).unwrap();
    assert_eq!(checked.len(), anchors().len());
    for of in &checked {
        let error = (of.projected_iops / of.anchor.iops - 1.0) * 100.0;
        assert_eq!((of.error_percent, of.is_met()), (error, error.abs() <= 20.0));
    }
    let mut errors: Vec<_> = checked.iter().map(|of| of.error_percent.abs()).collect();
    errors.sort_by(f64::total_cmp);
    let text = check_text(&checked);
    assert_eq!(text.matches("worst: ").count(), 2);
    for of in checked.iter().filter(|of| of.error_percent.abs() >= errors[errors.len() - 2]) {
        assert!(text.contains(&format!("worst: {} (", of.anchor.name)), "{text}");
    }
}

/// Docs quote the check, so they say what it prints.
#[test]
fn the_docs_have_the_check_as_it_is() {
    let docs = include_str!("../../docs/projection.md");
    let text = check_text(&check(&Costs::shipped().unwrap(), 1).unwrap());
    assert!(docs.contains(&format!("```text\n{text}```\n")), "\n{text}");
}

#[test]
fn the_docs_have_the_default_projection_as_it_is() {
    let docs = include_str!("../../docs/projection.md");
    let costs = Costs::shipped().unwrap();
    let text = projection_text(&costs, &Projection::new(&costs, &HOST, 1..=15, &[], 1).unwrap());
    assert!(docs.contains(&format!("```text\n{text}```\n")), "\n{text}");
}

/// Costs that were neither measured nor read for the table are named before the others.
#[test]
fn the_docs_name_what_is_recalled_and_assumed() {
    let docs = include_str!("../../docs/projection.md");
    let costs = docs.split("\n## Costs\n").nth(1).unwrap();
    let (before, _) = costs.split_once("| cost | is |").unwrap();
    let shipped = Costs::shipped().unwrap();
    for key in Key::ALL {
        let source = shipped.source(key);
        let is_doubtful = source.contains("(recalled)") || source.starts_with("assumed: ");
        let name = format!("`{}`", key.name());
        assert_eq!(before.contains(&name), is_doubtful, "{name}: {source}");
    }
}

#[test]
fn the_docs_have_all_costs() {
    let docs = include_str!("../../docs/projection.md");
    for key in Key::ALL {
        let name = format!("`{}`", key.name());
        assert!(docs.contains(&name), "docs/projection.md lacks {name}");
    }
}
