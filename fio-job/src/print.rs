//! Conversion of a job back to options, for results and repeats.

use crate::affinity::CpuPolicy;
use crate::blocks::BlockMix;
use crate::direction::Direction;
use crate::file_path::FilePath;
use crate::job::Job;
use crate::keyword::{ExitWhat, OnError};
use crate::number::{Amount, Bytes, Time};
use crate::order::Order;
use crate::random_distribution::Distribution;
use crate::steady_state::SteadyState;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

impl Job {
    /// Returns the size of the I/Os of one direction, or the least and the greatest.
    pub fn block_sizes(&self, direction: Direction) -> String {
        let bytes = |bytes: u32| Bytes(bytes.into());
        let range = |mix: &BlockMix| {
            let orders = [false, true].map(|is_random| mix.of(direction, is_random));
            let least = orders.iter().map(|sizes| sizes.min_bytes()).min();
            let most = orders.iter().map(|sizes| sizes.max_bytes()).max();
            (least.unwrap_or(self.bs_bytes), most.unwrap_or(self.bs_bytes))
        };
        match self.bs_mix.as_ref().map_or((self.bs_bytes, self.bs_bytes), range) {
            (least, greatest) if least == greatest => bytes(least).to_string(),
            (least, greatest) => format!("{}-{}", bytes(least), bytes(greatest)),
        }
    }

    /// Returns the options that give this job, in fio's form, for the result and for a repeat.
    pub fn options(&self) -> Vec<(&'static str, String)> {
        let flag = || "1".to_owned();
        let order = self.order.map(|order| order.to_string()).unwrap_or_default();
        let mut options = vec![("rw", format!("{}{order}", self.rw))];
        if let Some(Order::Runs { identical: true, .. }) = self.order {
            options.push(("rw_sequencer", "identical".to_owned()));
        }
        if self.rw.reads() && self.rw.writes() {
            options.push(("rwmixread", self.rwmixread.to_string()));
        }
        options.extend(self.block_options());
        options.push(("iodepth", self.iodepth.to_string()));
        options.extend(self.runtime_ns.map(|ns| ("runtime", Time { ns }.to_string())));
        options.extend(self.time_based.then(|| ("time_based", flag())));
        options.extend(self.steady_state.iter().flat_map(SteadyState::options));
        if self.offset != Amount::Bytes(0) {
            options.push(("offset", self.offset.to_string()));
        }
        options.extend(self.size.map(|size| ("size", size.to_string())));
        let bytes = |bytes: u64| Bytes(bytes).to_string();
        options.extend(self.filesize.map(|size| ("filesize", bytes(size))));
        options.extend(self.offset_align.map(|unit| ("offset_align", bytes(unit))));
        options.extend(self.io_size.map(|size| ("io_size", size.to_string())));
        if self.loops != 1 {
            options.push(("loops", self.loops.to_string()));
        }
        options.extend(self.number_ios.map(|ios| ("number_ios", ios.to_string())));
        options.extend(self.filename().map(|name| ("filename", name)));
        options.extend(self.file_service.options());
        options.extend(self.allow_file_overwrite.then(|| ("allow_file_overwrite", flag())));
        options.extend(self.stonewall.then(|| ("stonewall", flag())));
        options.push(match self.randseed {
            Some(seed) => ("randseed", seed.to_string()),
            None => ("randrepeat", "0".to_owned()),
        });
        options.extend(self.norandommap.then(|| ("norandommap", flag())));
        options.extend(self.lfsr.then(|| ("random_generator", "lfsr".to_owned())));
        if self.distribution != Distribution::Random {
            options.push(("random_distribution", self.distribution.to_string()));
        }
        options.extend(self.ioengine.map(|engine| ("ioengine", engine.to_string())));
        options.extend(self.pace.options());
        options.extend(self.buffers.option());
        if self.on_error != OnError::default() {
            options.push(("continue_on_error", self.on_error.to_string()));
        }
        options.extend(self.exitall_on_error.then(|| ("exitall_on_error", flag())));
        options.extend(self.exitall.then(|| ("exitall", flag())));
        if self.exit_what != ExitWhat::default() {
            options.push(("exit_what", self.exit_what.to_string()));
        }
        options.extend(self.serialize_overlap.then(|| ("serialize_overlap", flag())));
        if let Some(verify) = &self.verify {
            options.extend(verify.options());
        }
        options.extend(self.reporting.options());
        options.extend(self.own_options());
        options.extend(self.secure_discard.then(|| ("ringmark_secure_discard", flag())));
        options.extend(self.cpus.as_ref().map(|cpus| ("cpus_allowed", cpus.to_string())));
        if self.cpu_policy != CpuPolicy::Shared {
            options.push(("cpus_allowed_policy", self.cpu_policy.to_string()));
        }
        options
    }

    /// Returns the names of its disks, with that of its file.
    fn filename(&self) -> Option<String> {
        let disks = self.disks.iter().map(|disk| format!("/dev/{disk}"));
        let disks = disks.collect::<Vec<String>>().join(":");
        let name = match &self.file {
            None => disks,
            Some(file @ FilePath { partition: Some(_), .. }) => format!("{disks}@{file}"),
            Some(file) => format!("{disks}:{file}"),
        };
        (!name.is_empty()).then_some(name)
    }

    /// Returns the options of its blocks and of where they begin.
    fn block_options(&self) -> Vec<(&'static str, String)> {
        let mut options = match &self.bs_mix {
            Some(mix) => mix.options().collect(),
            None => vec![("bs", Bytes(self.bs_bytes.into()).to_string())],
        };
        let sides = |[read, write, trim]: [u64; 3]| match (read == write, write == trim) {
            (true, true) => read.to_string(),
            (false, true) => format!("{read},{write}"),
            _ => format!("{read},{write},{trim}"),
        };
        options.extend(self.aligns.map(|aligns| ("ba", sides(aligns))));
        if self.random_percent != [100; 3] {
            options.push(("percentage_random", sides(self.random_percent.map(u64::from))));
        }
        options
    }

    /// Returns the options that fio does not have and every job has.
    fn own_options(&self) -> [(&'static str, String); 6] {
        let or_auto = |number: Option<u32>| number.map_or("auto".to_owned(), |n| n.to_string());
        [
            ("grants", self.grants.to_string()),
            ("ringmark_poll_us", self.poll.to_string()),
            ("ringmark_event_after", self.event_after.to_string()),
            ("ringmark_queues", or_auto(self.queues)),
            ("ringmark_indirect", or_auto(self.indirect)),
            ("ringmark_bind", u8::from(self.bind).to_string()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    fn print(options: &[(&'static str, String)]) -> String {
        options.iter().map(|(name, value)| format!("--{name}={value} ")).collect()
    }

    #[test]
    fn a_direction_has_a_size_or_a_range_of_them() {
        for (line, read, write) in [
            ("bs=16k", "16k", "16k"),
            ("rw=rw filename=xvda bs=4k,8k", "4k", "8k"),
            ("rw=rw filename=xvda bssplit=4k/50:8k/50,1m/40:512/60", "4k-8k", "512-1m"),
        ] {
            let job = &parse(line).expect(line)[0];
            let sizes = [Direction::Read, Direction::Write].map(|side| job.block_sizes(side));
            assert_eq!(sizes, [read, write], "{line}");
        }
    }

    #[test]
    fn options_make_the_same_job_again() {
        for line in [
            "name=a",
            "name=a rw=randrw rwmixread=70 bs=512 iodepth=7 runtime=1500ms time_based offset=1m \
             size=50% io_size=3m loops=2 number_ios=77 ioengine=libaio filename=xvda:xvdb \
             stonewall randseed=9 grants=per-request ringmark_poll_us=20 \
             ringmark_queues=4 ringmark_indirect=32 ringmark_event_after=8 ringmark_bind=0",
            "name=a runtime=600 time_based steadystate=auto",
            "name=a runtime=600 steadystate=bw_slope:0.5% ss_dur=60 ss_ramp=5 ss_interval=2",
            "name=a rw=randtrim filename=xvda ringmark_secure_discard",
            "name=a cpus_allowed=0-3,6 cpus_allowed_policy=split",
            "name=a rw=randrw bssplit=4k/30:8k/70,512/100 norandommap filename=xvda",
            "name=a rw=rw filename=xvda rate=1m,500k thinktime=5 thinktime_blocks=2 fsync=32 \
             startdelay=5 ramp_time=500ms buffer_pattern=0xab continue_on_error=io \
             exitall_on_error iodepth=8 iodepth_batch=4 iodepth_batch_complete_max=6 iodepth_low=2",
            "name=a rw=randread rate_iops=100 rate_process=poisson",
            "name=a rw=randread rate=1m latency_from=submit",
            "name=a rw=write filename=xvda rate_iops=,7 refill_buffers continue_on_error=read",
            "name=a rw=write filename=xvda buffer_compress_percentage=50 thinktime=5s",
            "name=a rw=write filename=xvda zero_buffers continue_on_error=all",
            "name=a rw=read bs=4k,8k random_distribution=zoned:60/10:40/90",
            "name=a rw=randread random_distribution=zipf:1.25",
            "name=a rw=randread random_distribution=normal:10:0.5",
            "name=a rw=randread random_distribution=zoned_abs:60/1m:40/2m",
            "name=a rw=randrw bsrange=4k-64k,8k-8k filename=xvda randseed=7",
            "name=a rw=randrw bssplit=4k/30:8k,, filename=xvda",
            "name=a rw=randrw bssplit=4k/30:6k,8k bs_unaligned norandommap filename=xvda",
            "name=a rw=randrw bs=4k,16k ba=512,8k filename=xvda",
            "name=a rw=randtrim bssplit=4k/30:8k/70 filename=xvda",
            "name=a rw=randread bs=4k,16k bs_is_seq_rand=1 percentage_random=30 norandommap",
            "name=a rw=randrw bs=4k,16k bs_is_seq_rand=1 norandommap filename=xvda",
            "name=a rw=randrw percentage_random=30,70 filename=xvda",
            "name=a rw=read:-1k bs=512",
            "name=a rw=randread:8 rw_sequencer=identical",
            "name=a rw=randread bsrange=4k-8k random_generator=lfsr",
            "name=a rw=randread norandommap random_generator=lfsr",
            "name=a rw=write filename=xvda randrepeat=0 verify=pattern \
             verify_pattern=0xff%o\"a; b\"-12 do_verify=0 grants=persistent-copy",
            "name=a rw=randwrite bs=16k filename=xvda verify=crc32c verify_interval=4k \
             verify_fatal=1",
            "name=a rw=write bs=16k filename=xvda verify=sha3-224 verify_interval=4k \
             verify_offset=1000 verify_pattern=%o verify_backlog=8 verify_backlog_batch=9",
            "name=a rw=write filename=xvda verify=null sync=dsync end_fsync=1",
            "name=a rw=write filename=xvda verify=md5 verify_only fsync_on_close=1",
        ] {
            let jobs = parse(line).expect(line);
            let job = jobs.first().expect("a job");
            let again = format!("name={} {}", job.name, print(&job.options()));
            assert_eq!(parse(&again), Ok(vec![job.clone()]), "{again}");
        }
    }

    #[test]
    fn the_default_plan_is_a_job_that_only_reads() {
        for job in Job::defaults_for("xvdb") {
            assert!(!job.rw.writes());
            assert_eq!(parse(&format!("name=xvdb {}", print(&job.options()))), Ok(vec![job]));
        }
    }
}
