//! Options about what an I/O is and where it goes.

use super::row::{BLOCK, COUNT, PERCENT, Row, row, words};
use crate::blocks::BlockMix;
use crate::job::Job;
use crate::keyword::Rw;
use crate::option_doc::Initial::{Nothing, Value as Same, Words};
use crate::option_doc::Values::{Flag, OneOf, Text};
use crate::random_distribution::Distribution;

/// Options of this topic.
#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row(&["name"], "NAME", "the job's name; begins a new job on a command line",
        |d, v| v.name().map(|name| d.job.name = name),
        Words("jobN"), Text { form: "printable ASCII without \"; within \" if it has blanks", example: "\"my job\"" }, ""),
    row(&["rw", "readwrite"], "WORD", "kind of I/O",
        |d, v| v.rw().map(|rw| d.job.rw = rw),
        Same("read"), OneOf(&words(&Rw::NAMES)), "no trimwrite, and no :N after the word"),
    row(&["rwmixread"], "PERCENT", "share of reads in a mixed job",
        |d, v| v.percent().map(|reads| d.job.rwmixread = reads),
        Same("50"), PERCENT, ""),
    row(&["rwmixwrite"], "PERCENT", "share of writes in a mixed job",
        |d, v| v.percent().map(|writes| d.job.rwmixread = 100 - writes),
        Same("50"), PERCENT, ""),
    row(&["bs", "blocksize"], "BYTES", "size of an I/O, or of reads,writes,trims",
        |d, v| BlockMix::read_bs(v, Job::default().bs_bytes).map(|blocks| d.set_blocks(blocks)),
        Same("4k"), BLOCK, "fio takes any size; a random job with several sizes needs norandommap"),
    row(&["bssplit"], "LIST", "several block sizes and their shares, or lists of reads,writes",
        |d, v| BlockMix::read_bssplit(v).map(|blocks| d.set_blocks(blocks)),
        Nothing, Text { form: "SIZE/PERCENT:.., up to 64 sizes as in bs=", example: "4k/30:8k/70" },
        "a random job needs norandommap; trims need a single size"),
    row(&["norandommap"], "0|1", "draws random blocks independently, not each once per pass",
        |d, v| v.flag().map(|on| d.job.norandommap = on),
        Same("0"), Flag, "without it a permutation orders the blocks, which takes no memory"),
    row(&["random_distribution"], "LAW", "random, zipf:1.2, pareto:0.2, normal:10 or zoned:60/10:40/90",
        |d, v| Distribution::read(v).map(|law| d.job.distribution = law),
        Same("random"), Text {
            form: "random, zipf:T (T more than 0, up to 100, not 1), pareto:H (between 0 and 1), \
                   normal:D (0 to 100), zoned:IOS/SIZE:.. (up to 64 zones)",
            example: "zipf:1.2",
        }, "no zoned_abs, no centre as in zipf:1.2:0.5, one law for reads and writes"),
    row(&["randseed"], "N", "seed of the random sequence",
        |d, v| v.count().map(|seed| d.randseed = Some(seed)),
        Same("8244241983374193259"), COUNT, "the same for all jobs, as their numbers are not mixed in; fio's default is 0x89"),
    row(&["randrepeat"], "0|1", "the same random sequence on every run",
        |d, v| v.flag().map(|repeat| d.new_seed = !repeat),
        Same("1"), Flag, ""),
];
