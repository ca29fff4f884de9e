//! Tests of command lines, and of the values of all options on them.

use super::*;
use crate::file_path::FilePath;
use crate::grant_mode::GrantMode;
use crate::keyword::{IoEngine, Poll, Rw};
use crate::limits::RANDSEED;
use crate::number::Amount;
use crate::verify::{Backlog, Checksum, Headers, Method, Verify};
use crate::verify_pattern::VerifyPattern;
use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec;
use proptest::prelude::*;

fn error(command_line: &str) -> String {
    parse(command_line).expect_err(command_line).to_string()
}

fn one(command_line: &str) -> Job {
    let mut jobs = parse(command_line).expect(command_line);
    assert_eq!(jobs.len(), 1, "{command_line}");
    jobs.remove(0)
}

#[test]
fn a_guests_usual_line() {
    let line = "rw=randread bs=4k iodepth=32 runtime=10 filename=/dev/xvda grants=per-request";
    let expected = Job {
        rw: Rw::RandRead,
        iodepth: 32,
        runtime_ns: Some(10_000_000_000),
        disks: vec!["xvda".to_owned()],
        grants: GrantMode::PerRequest,
        ..Job::default()
    };
    assert_eq!(one(line), expected);
    assert_eq!(one(&line.replace("bs=", "--blocksize=")), expected);
    assert_eq!(one(&format!("-{}", line.replace(' ', " -"))), expected);
    assert_eq!(parse("-name=a -name=b").map(|jobs| jobs.len()), Ok(2));
}

#[test]
fn names_start_jobs_and_take_the_defaults_before_them() {
    let line = "bs=8k --name=a --bs=4k --name=b name=globals bs=1k name=c name=aglobal";
    let jobs = parse(line).expect("jobs");
    let sizes: Vec<_> = jobs.iter().map(|job| (job.name.as_str(), job.bs_bytes)).collect();
    assert_eq!(sizes, [("a", 4096), ("b", 8192), ("c", 1024), ("aglobal", 1024)]);
    assert!(jobs.iter().all(|job| !job.stonewall));
}

#[test]
fn semicolons_separate_runs() {
    let jobs = parse("rw=randread bs=8k; rw=read ;; --name=x --name=y;").expect("jobs");
    let summary: Vec<_> =
        jobs.iter().map(|job| (job.name.as_str(), job.bs_bytes, job.stonewall)).collect();
    let expected =
        [("job1", 8192, false), ("job2", 4096, true), ("x", 4096, true), ("y", 4096, false)];
    assert_eq!(summary, expected);
    assert_eq!(parse(" ; "), Ok(vec![]));
    assert_eq!(parse(""), Ok(vec![]));
}

#[test]
fn values() {
    assert_eq!(one("rw=randrw rwmixwrite=30 filename=xvda").rwmixread, 70);
    assert_eq!(one("offset=10%").offset, Amount::Percent(10));
    for time in ["thinktime=16", "thinktime=0x10", "thinktime=16us"] {
        assert_eq!(one(time).pace.think.map(|think| think.time_ns), Some(16_000), "{time}");
    }
    assert_eq!(one("randrepeat=0").randseed, None);
    assert_eq!(one("randrepeat=0 randseed=5").randseed, Some(5));
    assert_eq!(one("randrepeat=1").randseed, Some(RANDSEED));
    assert_eq!(one("ringmark_poll_us=0").poll, Poll::Us(0));
    assert_eq!(one("filename=/dev/xvda:xvdb").disks, ["xvda", "xvdb"]);
    let file = one("filename=/dev/xvda:/a:b/c");
    assert_eq!((file.disks, file.file), (vec!["xvda".to_owned()], Some("/a:b/c".into())));
    for (word, disk, partition, path) in [
        ("/dev/xvda@s1a:/a:b/c", "xvda", "s1a", "/a:b/c"),
        ("xvdb@p2:/dev/x", "xvdb", "p2", "/dev/x"),
        ("xvdb@disk:/a@b", "xvdb", "disk", "/a@b"),
    ] {
        let job = one(&format!("filename={word}"));
        let file = FilePath { partition: Some(partition.to_owned()), path: path.to_owned() };
        assert_eq!((job.disks, job.file), (vec![disk.to_owned()], Some(file)), "{word}");
    }
    assert_eq!(one("filename=xvda:/a@b").file, Some("/a@b".into()));
    assert_eq!(one("filename=xvda:/dev/xvdb").disks, ["xvda", "xvdb"]);
    assert!(one("rw=write filename=xvda:/a allow_file_overwrite").allow_file_overwrite);
    assert_eq!(one("iodepth=1 ioengine=psync direct=1 group_reporting norandommap").iodepth, 1);
    assert_eq!(one("ioengine=io_uring").ioengine, Some(IoEngine::IoUring));
    assert_eq!(one("name=\"a b\" nice=10 description=\"of no effect\"").name, "a b");
    assert_eq!((one("loops=3").loops, one("number_ios=2k").number_ios), (3, Some(2048)));
    let verify = one("rw=write filename=xvda verify_pattern=\"a b;c\" verify=pattern").verify;
    let verify = verify.expect("a check");
    assert!(verify.after_write && !verify.fatal);
    let pattern = VerifyPattern::parse("\"a b;c\"").expect("a pattern");
    assert_eq!(verify.method, Method::Pattern(pattern));
    for (interval, interval_bytes) in [("", 16_384), (" verify_interval=4k", 4096)] {
        let line = format!("bs=16k verify=crc32c verify_fatal=1 do_verify=0{interval}");
        let checksum = Checksum::Crc32c;
        let headers = Headers { checksum, interval_bytes, offset_bytes: 0, pattern: None };
        let method = Method::Headers(headers);
        let verify = Verify { method, after_write: false, fatal: true, backlog: None };
        assert_eq!(one(&line).verify, Some(verify));
    }
}

#[test]
fn what_fio_takes_for_off_is_off() {
    let plain = one("rw=randrw filename=xvda thinktime=5");
    for option in [
        "rate=0",
        "rate_iops=0",
        "rate=0,0",
        "rate_min=0",
        "rate_iops_min=0",
        "rate=0 rate_iops=0",
        "offset_align=0",
        "thinktime_blocks=0",
        "latency_target=0",
        "latency_target=0ms",
        "latency_window=0",
        "latency_percentile=100",
        "zonesize=0",
        "zonerange=0k",
        "flow=0",
        "dedupe_mode=repeat",
        "replay_scale=1",
        "time_based=0",
        "--",
    ] {
        assert_eq!(one(&format!("rw=randrw filename=xvda thinktime=5 {option}")), plain);
    }
    let rate = one("rate=0,1m").pace.rate.expect("a rate");
    assert_eq!([rate.read, rate.write, rate.trim], [None, Some(1 << 20), Some(1 << 20)]);
    assert!(one("rate=1m rate_iops=0").pace.rate.is_some());
    for option in
        ["wait_for=", "zonesize=1", "flow=", "flow", "latency_percentile=0", "replay_scale=0"]
    {
        assert!(parse(option).is_err(), "{option}");
    }
}

#[test]
fn values_have_each_form_that_fio_reads() {
    for (one_way, other) in [
        ("ioengine=aio", "ioengine=libaio"),
        ("ioengine=linuxaio", "ioengine=libaio"),
        ("bssplit=4k/50%:8k/50%", "bssplit=4k/50:8k/50"),
        ("group_reporting=2", "group_reporting"),
        ("end_fsync=01", "end_fsync=1"),
        ("randseed=-1", "randseed=18446744073709551615"),
        ("filename=/dev/xvda:", "filename=xvda"),
        ("filename=:/dev/xvda::xvdb", "filename=xvda:xvdb"),
        ("rw=read -- bs=8k --", "rw=read bs=8k"),
    ] {
        assert_eq!(one(one_way), one(other), "{one_way}");
    }
}

#[test]
fn sizes_of_blocks() {
    assert_eq!(one("bs=8k,8k,16k").bs_mix, None);
    for (line, options) in [
        ("bs=4k,8k", "bs=4k,8k"),
        ("bs=4k-8k", "bs=4k,8k"),
        ("bs=4k:8k:16k", "bs=4k,8k"),
        ("bs=,8k,", "bs=4k,8k"),
        ("bs=8k,", "bs=8k,4k"),
        ("bs=2k bs=8k,", "bs=8k,2k"),
        ("bssplit=4k/50:1k:2k:512/0", "bssplit=1k/16:2k/16:512/16:4k/52"),
        ("bssplit=8k/90:16k/10,,", "bssplit=16k/10:8k/90,4k/100"),
        ("bs=2k bssplit=8k/90:16k/10,,", "bssplit=16k/10:8k/90,2k/100"),
        ("bssplit=8k/90:16k/10,, bs=2k", "bssplit=16k/10:8k/90,2k/100"),
        ("bsrange=4k-64k", "bsrange=4k-64k"),
        ("bsrange=4Ki-64Ki", "bsrange=4k-64k"),
        ("bsrange=64k:4k", "bsrange=4k-64k"),
        ("bsrange=4k-64k,8k-8k", "bsrange=4k-64k,8k-8k"),
        ("bsrange=4k-64k, bssplit=,4k:8k", "bssplit=,4k/50:8k/50 bsrange=4k-64k,"),
    ] {
        let job = one(&format!("rw=rw filename=xvda {line}"));
        let mut printed = job.options();
        printed.retain(|(option, _)| option.starts_with("bs"));
        let printed: Vec<String> =
            printed.iter().map(|(option, value)| format!("{option}={value}")).collect();
        assert_eq!(printed.join(" "), options, "{line}");
    }
    for line in [
        "rw=read bs=4k,8k",
        "rw=randread bsrange=4k:4k,4k:8k",
        "rw=read bssplit=4k/50:6k/50",
        "rw=randtrim bs=64k,8k,4k filename=xvda",
        "rw=read bs=4k,8k bs_is_seq_rand=1",
        "rw=randread bs=8k,4k bs_is_seq_rand=1 norandommap",
    ] {
        assert_eq!((one(line).bs_bytes, one(line).bs_mix), (4096, None), "{line}");
    }
    assert_eq!(one("rw=trim bs=2300M filename=xvda").bs_bytes, 2300 << 20);
    assert_eq!((one("bs=1m").bs_bytes, one("bs=1G").bs_bytes), (1 << 20, 1 << 30));
    assert_eq!(one("rw=write bs=16m,16m,64m filename=xvda").bs_bytes, 16 << 20);
}

/// Returns the method of a job that checks its data.
fn method(line: &str) -> Method {
    one(&format!("rw=write filename=xvda bs=4k {line}")).verify.expect(line).method
}

#[test]
fn a_pattern_alone_is_a_check_unless_that_is_off() {
    let pattern = || Some(VerifyPattern::parse("%o").expect("a pattern"));
    for line in ["verify_pattern=%o", "verify_pattern=%o verify=pattern verify_interval=512"] {
        assert_eq!(Some(method(line)), pattern().map(Method::Pattern), "{line}");
    }
    assert_eq!(one("verify_pattern=%o verify=0").verify, None);
    let Method::Headers(headers) = method("verify_pattern=%o verify=crc7") else {
        panic!("no header");
    };
    assert_eq!((headers.checksum, headers.pattern), (Checksum::Crc7, pattern()));
}

#[test]
fn an_interval_that_does_not_divide_the_block_is_a_block_and_leaves_room_for_headers() {
    for (interval, expected) in [("3k", 4096), ("8k", 4096), ("512", 512)] {
        let Method::Headers(headers) = method(&format!("verify=md5 verify_interval={interval}"))
        else {
            panic!("no header");
        };
        assert_eq!(headers.interval_bytes, expected);
    }
    // A header with MD5 takes 56 bytes.
    for (offset, fits) in [(55, false), (56, true), (456, true), (457, false)] {
        let line = format!("verify=md5 verify_interval=512 verify_offset={offset}");
        assert_eq!(parse(&line).is_ok(), fits, "{offset}");
        assert!(parse(&format!("{line} verify=null")).is_ok(), "no header, no place for it");
    }
}

#[test]
fn flushes_are_those_of_jobs_that_write() {
    for (line, sync_writes, end_flush) in [
        ("sync=1 end_fsync=1", true, true),
        ("sync=dsync end_fsync=1 end_fsync=0", true, false),
        ("sync=none fsync_on_close=1 end_fsync=0", false, true),
        ("sync=1 sync=0", false, false),
    ] {
        for (rw, writes) in [("write", true), ("randrw", true), ("read", false)] {
            let pace = one(&format!("rw={rw} filename=xvda {line}")).pace;
            let expected = (sync_writes && writes, end_flush && writes);
            assert_eq!((pace.sync_writes, pace.end_flush), expected, "{rw} {line}");
        }
    }
}

#[test]
fn checks_alone_read_what_would_be_written() {
    for (rw, kind) in [("write", Rw::Read), ("randwrite", Rw::RandRead), ("read", Rw::Read)] {
        let job = one(&format!("rw={rw} verify=md5 verify_only filename=xvda"));
        assert_eq!(job.rw, kind);
    }
}

#[test]
fn a_backlog_is_read_back_whole_unless_more_is_asked_for() {
    for (line, backlog) in [
        ("verify_backlog=8", Some((8, 8))),
        ("verify_backlog=8 verify_backlog_batch=9", Some((8, 9))),
        ("verify_backlog_batch=9", None),
    ] {
        let verify = one(&format!("verify=md5 {line}")).verify.expect(line);
        let backlog = backlog.map(|(writes, batch)| Backlog { writes, batch });
        assert_eq!(verify.backlog, backlog, "{line}");
    }
}

#[test]
fn numjobs_are_jobs_that_start_together() {
    let jobs = parse("name=a stonewall numjobs=3 offset=1m offset_increment=64k name=b");
    let jobs = jobs.expect("jobs");
    let summary: Vec<_> =
        jobs.iter().map(|job| (job.name.as_str(), job.offset.to_string(), job.stonewall)).collect();
    let expected = [("a", "1m", true), ("a", "1088k", false), ("a", "1152k", false)];
    let expected = expected.map(|(name, offset, wall)| (name, offset.to_owned(), wall));
    assert_eq!(summary[..3], expected);
    assert_eq!(summary[3], ("b", "0".to_owned(), false));
    let jobs = parse("numjobs=2 offset_increment=25%").expect("jobs");
    assert_eq!(jobs[1].offset, Amount::Percent(25));
}

/// Wrong options, and their error messages.
const ERRORS: &[(&str, &str)] = &[
    ("iodpeth=4", "unknown option \"iodpeth\"; did you mean iodepth?"),
    ("---bs=4k", "unknown option \"-bs\"; did you mean bs?"),
    ("frobnicate=4", "unknown option \"frobnicate\"; see help for the supported options"),
    ("=4", "unknown option \"\"; see help for the supported options"),
    ("zonemode=strided", "zonemode=strided: a disk here has no zones; leave it out"),
    (
        "ignore_error=EIO",
        "fio option ignore_error is not supported; use continue_on_error= to go on after errors",
    ),
    ("bs", "bs needs a value; write bs=..."),
    ("name=", "name needs a value; write name=..."),
    (
        "blocksize=1000",
        "blocksize=1000: not a multiple of the 512-byte sector; use, for example, 4k",
    ),
    ("bs=0", "bs=0: an I/O cannot be empty; use, for example, 4k"),
    (
        "bs=16385k verify=md5",
        "job job1: data that is checked has at most 16m, the pages that one I/O has; use \
         bs=16m, or leave verify= out",
    ),
    ("bs=4g", "bs=4g: too large; use less than 4g"),
    ("bs=4k,1000", "bs=1000: not a multiple of the 512-byte sector; use, for example, 4k"),
    (
        "bs=4k,8k,1k,2k",
        "bs=4k,8k,1k,2k: too many values; give at most three, for reads, writes and trims",
    ),
    (
        "bssplit=4k/30:8k/80:2k",
        "bssplit=4k/30:8k/80:2k: the shares of a list are more than 100; \
         use, for example, 4k/30:8k",
    ),
    ("bsrange=4k", "bsrange=4k: use two sizes, for example 4k-16k"),
    ("bsrange=4k-8k bssplit=4k:8k", "job job1: bssplit= and bsrange= exclude each other; use one"),
    (
        "bsrange=4k-8k bs_unaligned",
        "job job1: bs_unaligned makes blocks of any number of bytes, and a disk's are whole \
         sectors; leave it out",
    ),
    (
        "rw=randread bs=4k,8k bs_is_seq_rand=1",
        "job job1: bs_is_seq_rand of a random job needs norandommap; add it",
    ),
    (
        "blockalign=1000",
        "blockalign=1000: not a multiple of the 512-byte sector; use, for example, 4k",
    ),
    (
        "rw=randread:4k",
        "rw=randread:4k: use, for example, randread:8: a new place for every 8th I/O",
    ),
    (
        "random_distribution=zoned:50/50:50/50,100/100",
        "random_distribution=zoned:50/50:50/50,100/100: fio 3.33 takes no lists for reads and \
         writes; give one for all, or two jobs",
    ),
    (
        "random_distribution=zipf:1",
        "random_distribution=zipf:1: use, for example, zipf:1.2; more than 0, up to 100, and not 1",
    ),
    ("iodepth=0", "iodepth=0: nothing in flight; use 1 to 65536"),
    ("iodepth=65537", "iodepth=65537: too many; use 1 to 65536"),
    ("iodepth=4294967297", "iodepth=4294967297: too many; use 1 to 65536"),
    ("iodepth=x", "iodepth=x: not a whole number"),
    ("numjobs=0", "numjobs=0: no job to run; use 1 to 512"),
    ("numjobs=513", "numjobs=513: too many; use 1 to 512"),
    ("name=a numjobs=512 name=b", "job b: more than 512 jobs; leave some out, or lower numjobs"),
    ("rwmixread=101", "rwmixread=101: more than 100 %; use 0 to 100"),
    ("runtime=31d", "runtime=31d: too long; use at most 30d"),
    ("runtime=1.5", "runtime=1.5: unknown unit; use us, ms, s, m, h or d (no unit means seconds)"),
    ("rw=scan", "rw=scan: use read, write, trim, rw, randread, randwrite, randtrim or randrw"),
    ("offset=101%", "offset=101%: more than 100 %; use 0% to 100%"),
    ("filename=/tmp/x", "filename=/tmp/x: not a disk; use, for example, /dev/xvda or xvda:xvdb"),
    ("filename=xvda:/dev/xvda", "filename=xvda:/dev/xvda: a disk is named twice; name each once"),
    (
        "direct=0",
        "direct=0: I/O through a page cache is another load, and there is none here; \
         use direct=1",
    ),
    (
        "ioengine=mmap",
        "ioengine=mmap: it goes through a page cache, and there is none here; \
         use libaio and direct=1",
    ),
    (
        "ioengine=net:x",
        "ioengine=net:x: it uses a network; attach the storage as a disk of the guest, and use libaio",
    ),
    (
        "ioengine=lib",
        "ioengine=lib: use libaio, io_uring, posixaio, sync, psync or pvsync2, or leave it out",
    ),
    (
        "exec_prerun=ls",
        "fio option exec_prerun is not supported; a guest has no programs; run it in dom0, before or after",
    ),
    ("gtod_reduce=2", "gtod_reduce=2: use 0 or 1"),
    ("end_fsync", "end_fsync needs a value; write end_fsync=..."),
    ("end_fsync=2", "end_fsync=2: use 0 or 1"),
    ("softrandommap", "softrandommap needs a value; write softrandommap=..."),
    ("iodepth=-1", "iodepth=-1: less than 0; use a whole number from 0 on"),
    (
        "rwmixread=70%",
        "rwmixread=70%: use one number, perhaps with a unit: no %, range, list or formula",
    ),
    (
        "startdelay=1-2",
        "startdelay=1-2: use one number, perhaps with a unit: no %, range, list or formula",
    ),
    ("runtime=99999999999", "runtime=99999999999: too long; use at most 30d"),
    ("bs=4KiB", "bs=4KiB: a KiB has 1000 bytes in fio, and a k 1024; use, as there, 4k"),
    ("log_entries=1023", "log_entries=1023: less than fio takes"),
    ("significant_figures=0", "significant_figures=0: less than fio takes"),
    ("sync_file_range=1", "sync_file_range=1: not one of fio's words for it"),
    (
        "latency_target=5ms",
        "fio option latency_target is not supported; the depth is not searched for; use \
         ringmark curve, which finds latency against load",
    ),
    (
        "rw=readreadreadreadreadreadreadreadreadreadreadreadreadreadreadreadx",
        "rw=readreadreadreadreadreadreadreadreadreadreadreadreadreadreadread..: use read, \
         write, trim, rw, randread, randwrite, randtrim or randrw",
    ),
    ("thread=yes", "thread=yes: not a whole number"),
    ("mem=huge", "mem=huge: not one of fio's words for it"),
    ("significant_figures=11", "significant_figures=11: more than fio takes"),
    ("nice=20", "nice=20: use -20 to 19"),
    ("atomic=1", "atomic=1: no write here is atomic beyond a sector; leave it out"),
    ("filesize=1m-2m", "filesize=1m-2m: fio would draw a size; name one"),
    ("bs=4k kb_base=1000", "kb_base=1000: it holds for all sizes; make it the first option"),
    ("stonewall=yes", "stonewall=yes: use 0 or 1"),
    ("verify=sha384", "verify=sha384: use crc32c, md5, sha256, pattern or another of fio's words"),
    ("sync=2", "sync=2: use none, sync or dsync"),
    ("verify_offset=39", "verify_offset=39: use 40 or more, up to bs=, or leave it out"),
    (
        "verify=crc32c verify_backlog=8 verify_backlog_batch=7",
        "job job1: verify_backlog_batch= below verify_backlog= leaves ever more blocks \
         unchecked; raise it, or leave it out",
    ),
    (
        "verify_only rw=write filename=xvda",
        "job job1: verify_only needs verify=, which says how; add the verify= of the job that \
         wrote",
    ),
    (
        "verify_only verify=md5 rw=randrw filename=xvda",
        "job job1: verify_only needs a job that only writes; use rw=write or rw=randwrite",
    ),
    ("verify_state_load=1", "verify_state_load=1: a guest keeps no files; leave it out"),
    (
        "verify=crc32c verify_interval=80",
        "verify_interval=80: not a multiple of the 512-byte sector; use, for example, 4k",
    ),
    ("verify_pattern=%x", "verify_pattern=%x: the only format is %o, the block's offset"),
    ("grants=none", "grants=none: use persistent, persistent-copy or per-request"),
    (
        "ringmark_poll_us=2000000",
        "ringmark_poll_us=2000000: more than a second; use auto or 0 to 1000000",
    ),
    (
        "name=w rw=randwrite",
        "job w: a job that writes must name its disks; add, for example, filename=/dev/xvda",
    ),
    (
        "numjobs=3 offset=0x7fffffffffffffff offset_increment=0x7fffffffffffffff",
        "job job1: offset_increment= goes too far, or mixes per cent with bytes in offset=",
    ),
    (
        "verify=pattern",
        "job job1: verify=pattern needs verify_pattern=, for example verify_pattern=%o",
    ),
    ("verify_pattern=\"a", "a \" has no closing \"; add it"),
    ("name=\u{1b}[2J", "'\\u{1b}' is not allowed; use printable ASCII only"),
];

#[test]
fn errors_name_the_option_the_value_and_the_fix() {
    for (line, message) in ERRORS {
        assert_eq!(error(line), *message);
    }
}

proptest! {
    #[test]
    fn no_line_panics(line in ".*") {
        let _ = parse(&line);
    }

    #[test]
    fn no_value_panics(option in "[a-z_]{2,14}", value in "[ -~]{0,24}") {
        let _ = parse(&format!("{option}={value}"));
        for name in ["bs", "size", "offset", "runtime", "filename", "verify_pattern", "rw"] {
            let _ = parse(&format!("{name}={value}"));
        }
    }
}
