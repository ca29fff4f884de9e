//! Options about what an I/O is and where it goes.

use super::row::{BLOCK, COUNT, PERCENT, Row, numbers, row, words};
use crate::keyword::Rw;
use crate::option_doc::Initial::{Nothing, Value as Same, Words};
use crate::option_doc::Unit;
use crate::option_doc::Values::{Bool, Flag, OneOf, Text};
use crate::order::Order;
use crate::random_distribution::Distribution;

/// Warning of an alignment that is less than a sector.
const BELOW_SECTOR: &str = "less than a sector means a sector of 512 bytes; fio's I/Os fail there";

/// Options of this topic.
#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row(&["name"], "NAME", "the job's name; begins a new job on a command line",
        |d, v| v.name().map(|name| d.job.name = name),
        Words("jobN"), Text { form: "printable ASCII without \"; within \" if it has blanks", example: "\"my job\"" }, ""),
    row(&["rw", "readwrite"], "WORD", "kind of I/O",
        |d, v| Order::read(v).map(|(rw, number)| (d.job.rw, d.rw_number) = (rw, number)),
        Same("read"), OneOf(&words(&Rw::NAMES)),
        "a number may follow as in fio, read:8k (a hole), read:-8k (back), randread:8 (I/Os of a run); with offset= going back begins at the region's start; no trimwrite and randtrimwrite, whose trims and writes take turns"),
    row(&["rw_sequencer"], "WORD", "where I/Os between random ones go: behind the last, or there",
        |d, v| v.sequencer().map(|identical| d.identical = identical),
        Same("sequential"), OneOf(&["sequential", "identical"]), ""),
    row(&["rwmixread"], "PERCENT", "share of reads in a mixed job",
        |d, v| v.percent().map(|reads| d.job.rwmixread = reads),
        Same("50"), PERCENT, ""),
    row(&["rwmixwrite"], "PERCENT", "share of writes in a mixed job",
        |d, v| v.percent().map(|writes| d.job.rwmixread = 100 - writes),
        Same("50"), PERCENT, ""),
    row(&["bs", "blocksize"], "BYTES", "size of an I/O, or of reads,writes,trims",
        |d, v| d.blocks.read_bs(v),
        Same("4k"), BLOCK, "fio takes any size; more than 16m goes in parts, and not with verify=; what the job never does has no size"),
    row(&["bsrange", "blocksize_range"], "RANGE", "least and greatest size, or of reads,writes,trims",
        |d, v| d.blocks.read_range(v),
        Nothing, Text { form: "SIZE-SIZE, with sizes as in bs=", example: "4k-64k" }, "not with bssplit="),
    row(&["bssplit"], "LIST", "block sizes and their shares, or lists of reads,writes,trims",
        |d, v| d.blocks.read_split(v),
        Nothing, Text { form: "SIZE/PERCENT:.., up to 64 sizes as in bs=", example: "4k/30:8k/70" },
        "not with bsrange="),
    row(&["bs_unaligned", "blocksize_unaligned"], "0|1", "bssplit= with sizes that are no multiples of the smallest",
        |d, v| v.flag().map(|on| d.blocks.unaligned = on),
        Same("0"), Flag, "not with bsrange=, whose blocks would be no whole sectors"),
    row(&["bs_is_seq_rand"], "0|1", "the first size is of sequential I/Os, the second of random ones",
        |d, v| v.boolean().map(|on| d.blocks.by_order = on),
        Same("0"), Bool, "a random job needs norandommap; no I/O crosses the region's end, where fio's job ends"),
    row(&["ba", "blockalign"], "BYTES", "multiples at which random I/Os begin, or reads,writes,trims",
        |d, v| d.blocks.read_align(v).map(|is_kept| if !is_kept { d.warn("ba", BELOW_SECTOR) }),
        Words("the smallest size"), numbers(Unit::Bytes, 1, u64::MAX - 511),
        "less than 512 means 512, as a disk's I/Os begin at sectors; fio's fail there"),
    row(&["percentage_random"], "PERCENT", "share of I/Os at random, or of reads,writes,trims",
        |d, v| d.blocks.read_random(v),
        Same("100,100,100"), Text { form: "0 to 100, up to three with commas", example: "25" },
        "what reaches the region's end goes on at random, or at its start if time_based"),
    row(&["norandommap"], "0|1", "draws random blocks independently, not each once per pass",
        |d, v| v.flag().map(|on| d.job.norandommap = on),
        Same("0"), Flag, "without it a permutation orders the blocks, which takes no memory; with several sizes a map, a bit for each of the smallest"),
    row(&["random_generator"], "WORD", "with lfsr places come once each even with norandommap",
        |d, v| v.generator().map(|lfsr| d.lfsr = lfsr),
        Same("tausworthe"), OneOf(&["tausworthe", "tausworthe64", "lfsr"]), "one generator of random numbers for all"),
    row(&["random_distribution"], "LAW", "random, zipf:1.2, pareto:0.2, normal:10, zoned:60/10:40/90",
        |d, v| Distribution::read(v).map(|law| d.job.distribution = law),
        Same("random"), Text {
            form: "random, zipf:T (T more than 0, up to 100, not 1), pareto:H (between 0 and 1), \
                   normal:D (0 to 100), each perhaps with a centre as in zipf:1.2:0.5, \
                   zoned:IOS/PERCENT:.. or zoned_abs:IOS/BYTES:.. (up to 64 zones)",
            example: "zipf:1.2",
        }, "no two ranks share a block; one law for reads and writes, as in fio 3.33"),
    row(&["randseed"], "N", "seed of the random sequence",
        |d, v| v.seed().map(|seed| d.randseed = Some(seed)),
        Same("8244241983374193259"), COUNT, "the same for all jobs, as their numbers are not mixed in; fio's default is 0x89"),
    row(&["randrepeat"], "0|1", "the same random sequence on every run",
        |d, v| v.boolean().map(|repeat| d.new_seed = !repeat),
        Same("1"), Bool, ""),
];
