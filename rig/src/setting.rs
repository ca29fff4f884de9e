//! Settings of a Linux guest with fio: of fio's engine, the disk's queue, the kernel and its
//! blkfront. What Linux can do best is found by varying them (`./run.sh peers`).

use std::fmt::{self, Display, Formatter};

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value};

use crate::workload::Workload;

/// Owner of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Layer {
    /// fio's options.
    Fio,
    /// The disk's queue, /sys/block/xvda/queue.
    Queue,
    /// The kernel's command line.
    Kernel,
    /// The parameters of xen-blkfront.
    Frontend,
}

impl Layer {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Fio, Self::Queue, Self::Kernel, Self::Frontend];
}

/// Something that can be set.
pub(crate) struct Knob {
    /// Its name: fio's, sysfs's, the kernel's.
    pub(crate) name: &'static str,
    /// Owner of it.
    pub(crate) layer: Layer,
    /// Its values. The first is the default of Debian and fio, but for `ioengine`, where it is what
    /// most job files have.
    pub(crate) values: &'static [&'static str],
}

const fn knob(name: &'static str, layer: Layer, values: &'static [&'static str]) -> Knob {
    Knob { name, layer, values }
}

/// All that is varied, which leaves out:
/// - blkfront's `max_queues`: it makes no more queues than there are vCPUs, and there is one;
/// - `trusted=0`: it adds a copy and the clearing of pages;
/// - `io_poll`: the operations of blkfront, 6.1's and 6.12's, have no `poll`, so that the queue
///   refuses it. `hipri` is kept, to show what becomes of it;
/// - `wbt_lat_usec`: it slows down buffered writes only.
pub(crate) static KNOBS: [Knob; KNOB_COUNT] = [
    knob("ioengine", Layer::Fio, &["libaio", "psync", "pvsync2", "io_uring"]),
    knob("hipri", Layer::Fio, OFF_ON),
    knob("fixedbufs", Layer::Fio, OFF_ON),
    knob("registerfiles", Layer::Fio, OFF_ON),
    knob("nonvectored", Layer::Fio, OFF_ON),
    knob("sqthread_poll", Layer::Fio, OFF_ON),
    knob("iodepth_batch", Layer::Fio, &["1", "8", "16", "32"]),
    knob("iodepth_batch_complete_min", Layer::Fio, &["1", "4", "8", "16", "24", "32"]),
    knob("numjobs", Layer::Fio, &["1", "2", "4"]),
    knob("gtod_reduce", Layer::Fio, OFF_ON),
    knob("scheduler", Layer::Queue, &["mq-deadline", "none", "bfq"]),
    knob("nomerges", Layer::Queue, &["0", "2"]),
    knob("iostats", Layer::Queue, &["1", "0"]),
    knob("add_random", Layer::Queue, &["0", "1"]),
    knob("rq_affinity", Layer::Queue, &["1", "0", "2"]),
    knob("mitigations", Layer::Kernel, &["auto", "off"]),
    knob("hardening", Layer::Kernel, &["on", "off"]),
    knob("preempt", Layer::Kernel, &["voluntary", "none"]),
    knob("idle", Layer::Kernel, &["halt", "poll"]),
    knob("hugepages", Layer::Kernel, &["0", "8"]),
    knob("clocksource", Layer::Kernel, &["xen", "tsc"]),
    knob("xen.fifo_events", Layer::Kernel, &["1", "0"]),
    knob("feature_persistent", Layer::Frontend, &["Y", "N"]),
    knob("max_indirect_segments", Layer::Frontend, &["32", "64", "128", "256"]),
    knob("max_ring_page_order", Layer::Frontend, &["0", "1", "2", "4"]),
];
const KNOB_COUNT: usize = 25;
const OFF_ON: &[&str] = &["0", "1"];

/// Words of the kernel's command line for a value that is no word of it by itself.
const KERNEL_WORDS: [(&str, &str, &str); 2] = [
    // Clearing of allocated memory, random stacks, checks of copies to programs, AppArmor.
    (
        "hardening",
        "off",
        "init_on_alloc=0 randomize_kstack_offset=off hardened_usercopy=off lsm=capability",
    ),
    // Else Xen's clock stays the better one.
    ("clocksource", "tsc", "clocksource=tsc tsc=reliable"),
];

/// A value for each knob.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Setting([u8; KNOB_COUNT]);

impl Setting {
    /// Defaults, as most job files have them, on a guest that nobody tuned.
    pub(crate) fn plain(of: Workload) -> Self {
        Self::default().valid(of)
    }

    /// Beginning of a search: a set that is known to be fast.
    pub(crate) fn fixed(of: Workload) -> Self {
        let depth = of.iodepth();
        let engine = if depth == 1 { "pvsync2" } else { "io_uring" };
        let (batch, half) = (depth.to_string(), (depth / 2).to_string());
        let values = [
            ("ioengine", engine),
            ("fixedbufs", "1"),
            ("registerfiles", "1"),
            ("nonvectored", "1"),
            ("iodepth_batch", &batch),
            ("iodepth_batch_complete_min", &half),
            ("gtod_reduce", "1"),
            ("scheduler", "none"),
            ("nomerges", "2"),
            ("iostats", "0"),
            ("mitigations", "off"),
        ];
        let setting = values.into_iter().fold(Self::default(), |setting, (name, value)| {
            setting.with(name, value).unwrap_or(setting)
        });
        setting.valid(of)
    }

    /// Returns it with another value of a knob, if there are such.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Option<Self> {
        let number = KNOBS.iter().position(|knob| knob.name == name)?;
        let value = KNOBS[number].values.iter().position(|known| *known == value)?;
        self.0[number] = u8::try_from(value).ok()?;
        Some(self)
    }

    /// Returns the value of a knob; none if there is no such.
    fn find(&self, name: &str) -> Option<&'static str> {
        let (knob, value) = KNOBS.iter().zip(self.0).find(|(knob, _)| knob.name == name)?;
        knob.values.get(usize::from(value)).copied()
    }

    /// Returns the value of a knob that there is.
    pub(crate) fn value(&self, name: &str) -> &'static str {
        self.find(name).unwrap_or_default()
    }

    /// Returns fio's `ioengine=`.
    pub(crate) fn engine(&self) -> &'static str {
        self.value("ioengine")
    }

    /// Returns how many knobs are not at their default.
    pub(crate) fn changes(&self) -> usize {
        self.0.iter().filter(|value| **value != 0).count()
    }

    /// Returns the knobs that are not as in `other`.
    pub(crate) fn differences(&self, other: &Self) -> Vec<&'static Knob> {
        let pairs = self.0.iter().zip(other.0);
        KNOBS.iter().zip(pairs).filter(|(_, (a, b))| **a != *b).map(|(knob, _)| knob).collect()
    }

    /// Returns it without what says nothing in a workload.
    pub(crate) fn valid(mut self, of: Workload) -> Self {
        if of.is_sequential() {
            // Linux would merge neighbours, and the measure is an I/O that is a request.
            self = self.with("nomerges", "2").unwrap_or(self);
        }
        // In the order of the table, so that each is judged by those before it.
        for (number, knob) in KNOBS.iter().enumerate() {
            if !self.applies(knob, of) {
                self.0[number] = 0;
            }
        }
        self
    }

    fn applies(&self, knob: &Knob, of: Workload) -> bool {
        let engine = self.engine();
        let number = |name| self.value(name).parse::<u32>().unwrap_or(1);
        let sync = matches!(engine, "psync" | "pvsync2");
        let (one, deep) = (of.iodepth() == 1, !sync && of.iodepth() > 1);
        match knob.name {
            // More jobs would read the same blocks, each from the first on.
            "ioengine" => one || deep || !of.is_sequential(),
            "hipri" => matches!(engine, "pvsync2" | "io_uring"),
            "fixedbufs" | "registerfiles" | "nonvectored" | "sqthread_poll" => engine == "io_uring",
            "iodepth_batch" | "iodepth_batch_complete_min" => {
                deep && number(knob.name) <= of.iodepth()
            }
            // It comes behind the batches: with more jobs they are as large as a job's share.
            "numjobs" => deep && !of.is_sequential(),
            _ => true,
        }
    }

    /// Returns all settings that differ from this one in one knob of these layers.
    pub(crate) fn neighbours(&self, of: Workload, layers: &[Layer]) -> Vec<Self> {
        let mut all = Vec::new();
        for knob in KNOBS.iter().filter(|knob| layers.contains(&knob.layer)) {
            for value in knob.values {
                let other = self.with(knob.name, value).map(|other| other.valid(of));
                all.extend(other.filter(|other| other != self && !all.contains(other)));
            }
        }
        all
    }

    /// Returns fio's options for a job, without those of the workload itself but its depth.
    pub(crate) fn fio(&self, of: Workload) -> String {
        let (engine, depth) = (self.engine(), of.iodepth());
        let sync = matches!(engine, "psync" | "pvsync2");
        // What does one I/O at a time takes as many jobs instead.
        let jobs = if sync { depth } else { self.value("numjobs").parse().unwrap_or(1) };
        let each = depth / jobs;
        let mut text = format!(" --iodepth={each} --ioengine={engine}");
        if jobs > 1 {
            text += &format!(" --numjobs={jobs} --thread --group_reporting");
        }
        for name in ["hipri", "fixedbufs", "registerfiles", "sqthread_poll"] {
            if self.value(name) == "1" {
                text += &format!(" --{name}");
            }
        }
        for name in ["nonvectored", "gtod_reduce"] {
            if self.value(name) == "1" {
                text += &format!(" --{name}=1");
            }
        }
        let least = |name| self.value(name).parse().unwrap_or(1).min(each);
        let (batch, complete) = (least("iodepth_batch"), least("iodepth_batch_complete_min"));
        if batch > 1 {
            text += &format!(" --iodepth_batch={batch}");
        }
        if complete > 1 {
            text += &format!(
                " --iodepth_batch_complete_min={complete} --iodepth_batch_complete_max={each}"
            );
        }
        if self.value("hugepages") != "0" {
            text += " --iomem=mmaphuge";
        }
        text
    }

    /// Returns the most pages that are granted at once for a ring of the disk.
    pub(crate) fn pages(&self, of: Workload) -> u32 {
        let number = |name| self.value(name).parse::<u32>().unwrap_or(1);
        // A page of a ring has 32 requests (Xen, io/ring.h).
        let ring = 32 << number("max_ring_page_order");
        let block = u32::try_from(of.block_bytes() / 4096).unwrap_or(u32::MAX).max(1);
        let segments = block.min(number("max_indirect_segments"));
        let requests = of.iodepth().saturating_mul(block.div_ceil(segments)).min(ring);
        // One more for the segments that do not fit into the request itself.
        requests * (segments + u32::from(segments > 11))
    }

    /// Returns what the guest's init sets: pairs of a file of the queue and its value.
    pub(crate) fn queue(&self) -> String {
        let pairs = self.of(Layer::Queue).map(|(name, value)| format!("{name} {value}"));
        pairs.collect::<Vec<_>>().join(" ")
    }

    /// Returns the words of the kernel's command line, the frontend's among them, with a blank
    /// behind each.
    pub(crate) fn words(&self) -> String {
        let mut text = String::new();
        for (name, value) in self.of(Layer::Kernel).filter(|(name, _)| self.changed(name)) {
            let known = KERNEL_WORDS.iter().find(|it| (it.0, it.1) == (name, value));
            text += &known.map_or(format!("{name}={value}"), |known| known.2.to_owned());
            text += " ";
        }
        let frontend: Vec<String> = self
            .of(Layer::Frontend)
            .filter(|(name, _)| self.changed(name))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if !frontend.is_empty() {
            text += &format!("blkfront=\"{}\" ", frontend.join(" "));
        }
        text
    }

    fn of(&self, layer: Layer) -> impl Iterator<Item = (&'static str, &'static str)> {
        let names = KNOBS.iter().filter(move |knob| knob.layer == layer).map(|knob| knob.name);
        names.map(|name| (name, self.value(name)))
    }

    fn changed(&self, name: &str) -> bool {
        self.value(name) != Self::default().value(name)
    }

    /// Returns what is not at its default, as a file has it.
    pub(crate) fn json(&self) -> Value {
        let changed = KNOBS.iter().filter(|knob| self.changed(knob.name));
        Value::Object(
            changed.map(|knob| (knob.name.into(), self.value(knob.name).into())).collect(),
        )
    }

    /// Reads one for a workload.
    ///
    /// # Errors
    /// When there is no such knob or value, or it says nothing in this workload.
    pub(crate) fn parse(values: &Map<String, Value>, of: Workload) -> Result<Self> {
        let mut setting = Self::default();
        for (name, value) in values {
            let knob = KNOBS.iter().find(|knob| knob.name == name);
            let knob = knob.with_context(|| format!("there is no setting {name:?}"))?;
            let text = value.as_str().unwrap_or_default();
            setting = setting.with(name, text).with_context(|| {
                format!("{name} is one of {}, not {value}", knob.values.join(", "))
            })?;
        }
        let valid = setting.valid(of);
        if let Some(knob) = setting.differences(&valid).first() {
            ensure!(
                false,
                "{} can't be {} with the other settings in {of}",
                knob.name,
                setting.value(knob.name)
            );
        }
        Ok(setting)
    }
}

impl Display for Setting {
    /// Writes the engine, and what else is not at its default.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.engine())?;
        for knob in KNOBS.iter().skip(1).filter(|knob| self.changed(knob.name)) {
            match self.value(knob.name) {
                "1" if knob.values == OFF_ON => write!(f, " {}", knob.name)?,
                value => write!(f, " {}={value}", knob.name)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const READS: Workload = Workload::MAIN[0];
    const ONE: Workload = Workload::MAIN[1];

    fn parse(value: &Value, of: Workload) -> Result<Setting> {
        Setting::parse(value.as_object().unwrap(), of)
    }

    #[test]
    fn the_fixed_set_is_spelled_for_each_of_its_owners() {
        let fixed = Setting::fixed(READS);
        assert_eq!(
            fixed.fio(READS),
            " --iodepth=32 --ioengine=io_uring --fixedbufs --registerfiles --nonvectored=1 \
             --gtod_reduce=1 --iodepth_batch=32 --iodepth_batch_complete_min=16 \
             --iodepth_batch_complete_max=32"
        );
        let queue = "scheduler none nomerges 2 iostats 0 add_random 0 rq_affinity 1";
        assert_eq!(fixed.queue(), queue);
        assert_eq!(fixed.words(), "mitigations=off ");
        let one = Setting::fixed(ONE);
        assert_eq!(one.fio(ONE), " --iodepth=1 --ioengine=pvsync2 --gtod_reduce=1");
    }

    #[test]
    fn tuning_changes_how_and_not_what() {
        const HOW: [&str; 8] = [
            "--ioengine=",
            "--gtod_reduce=",
            "--fixedbufs",
            "--registerfiles",
            "--nonvectored",
            "--iodepth_batch=",
            "--iodepth_batch_complete_min=",
            "--iodepth_batch_complete_max=",
        ];
        for workload in Workload::ALL {
            let what = |setting: fn(Workload) -> Setting| -> Vec<String> {
                let text = Workload::options(&[workload], 3, |of| setting(of).fio(of));
                let words = text.split(' ').map(str::to_owned);
                words.filter(|word| !HOW.iter().any(|how| word.starts_with(how))).collect()
            };
            assert_eq!(what(Setting::plain), what(Setting::fixed));
            let tuned = Setting::fixed(workload).fio(workload) + " ";
            let engine = if workload.iodepth() == 1 { "pvsync2" } else { "io_uring" };
            assert!(tuned.contains(&format!("--ioengine={engine} ")), "{tuned}");
        }
    }

    #[test]
    fn words_of_the_kernel_are_only_for_what_is_changed() {
        let with = |setting: Setting, name, value| setting.with(name, value).unwrap();
        assert_eq!(Setting::default().words(), "");
        let poll = with(Setting::default(), "idle", "poll");
        let both = with(poll, "hardening", "off");
        assert!(both.words().starts_with("init_on_alloc=0 "), "{}", both.words());
        assert!(both.words().ends_with(" idle=poll "), "{}", both.words());
        let ring = with(with(poll, "max_ring_page_order", "1"), "feature_persistent", "N");
        let frontend = "idle=poll blkfront=\"feature_persistent=N max_ring_page_order=1\" ";
        assert_eq!(ring.words(), frontend);
    }

    #[test]
    fn more_jobs_share_the_depth() {
        let of = |setting: Setting| setting.valid(READS).fio(READS);
        let four = Setting::fixed(READS).with("numjobs", "4").unwrap();
        let text = of(four);
        for word in ["--iodepth=8 ", "--numjobs=4 ", "--iodepth_batch=8 ", "complete_min=8 "] {
            assert!(text.contains(word), "{text}");
        }
        let sync = of(four.with("ioengine", "psync").unwrap());
        assert!(sync.starts_with(" --iodepth=1 --ioengine=psync --numjobs=32 "), "{sync}");
    }

    #[test]
    fn what_says_nothing_in_a_workload_is_dropped() {
        let sequential = Workload::ALL[4];
        let setting = Setting::fixed(READS).with("numjobs", "4").unwrap();
        assert_eq!(setting.valid(sequential).value("numjobs"), "1");
        let sync = setting.with("ioengine", "psync").unwrap().valid(sequential);
        assert_eq!(sync.engine(), "libaio", "several jobs would read the same blocks");
        assert_eq!(Setting::plain(sequential).value("nomerges"), "2");
        assert_eq!(Setting::plain(READS).value("nomerges"), "0");
        let one = Setting::fixed(READS).valid(ONE);
        assert_eq!(one.value("iodepth_batch"), "1");
        for workload in Workload::ALL {
            for setting in Setting::fixed(workload).neighbours(workload, &Layer::ALL) {
                assert_eq!(setting, setting.valid(workload));
                let text = setting.fio(workload);
                assert!(setting.engine() == "io_uring" || !text.contains("fixedbufs"), "{text}");
            }
        }
    }

    #[test]
    fn neighbours_differ_in_the_layers_asked_for() {
        let base = Setting::fixed(READS);
        for layer in Layer::ALL {
            let all = base.neighbours(READS, &[layer]);
            assert!(all.iter().all(|other| base.differences(other)[0].layer == layer));
            let mut known = all.clone();
            known.sort();
            known.dedup();
            assert_eq!(known.len(), all.len());
        }
        assert!(base.neighbours(READS, &[]).is_empty());
    }

    #[test]
    fn a_setting_is_read_as_it_was_written() {
        for workload in Workload::ALL {
            let fixed = Setting::fixed(workload);
            assert_eq!(parse(&fixed.json(), workload).unwrap(), fixed);
        }
        assert_eq!(parse(&json!({}), READS).unwrap(), Setting::default());
    }

    #[test]
    fn what_there_is_not_is_refused() {
        for (wrong, of, words) in [
            (json!({"fixedbuf": "1"}), READS, "no setting \"fixedbuf\""),
            (json!({"ioengine": "mmap"}), READS, "one of libaio, psync, pvsync2, io_uring"),
            (json!({"iostats": 0}), READS, "iostats is one of 1, 0, not 0"),
            (json!({"fixedbufs": "1"}), READS, "fixedbufs can't be 1"),
            (json!({"iodepth_batch": "8"}), ONE, "can't be 8"),
            (json!({}), Workload::ALL[4], "nomerges can't be 0"),
        ] {
            let error = parse(&wrong, of).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn a_setting_tells_its_engine_and_what_is_changed() {
        let setting = Setting::default().with("ioengine", "io_uring").unwrap();
        let setting = setting.with("fixedbufs", "1").unwrap().with("iodepth_batch", "8").unwrap();
        let setting = setting.with("scheduler", "none").unwrap();
        assert_eq!(setting.to_string(), "io_uring fixedbufs iodepth_batch=8 scheduler=none");
        assert_eq!(setting.changes(), 4);
    }

    #[test]
    fn pages_are_those_of_the_requests_that_fit_into_the_ring() {
        let pages = |name: &str, values: &[(&str, &str)]| {
            let turn =
                |setting: Setting, (name, value): &(&str, &str)| setting.with(name, value).unwrap();
            values.iter().fold(Setting::default(), turn).pages(name.parse().unwrap())
        };
        assert_eq!(pages("randread-4k-1", &[]), 1);
        assert_eq!(pages("randread-4k-4096", &[]), 32);
        assert_eq!(pages("read-44k-2", &[]), 22);
        assert_eq!(pages("read-128k-16", &[]), 16 * 33);
        assert_eq!(pages("read-1024k-8", &[]), 32 * 33);
        let long = ("max_indirect_segments", "256");
        assert_eq!(pages("read-1024k-8", &[long]), 8 * 257);
        assert_eq!(pages("read-128k-4096", &[("max_ring_page_order", "4")]), 512 * 33);
    }
}
