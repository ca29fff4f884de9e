//! The search for the best setting: from one that is known, all that differ from it in one knob are
//! measured, all gains are taken together, and so on from there.

use crate::setting::{Layer, Setting};
use crate::workload::Workload;

/// Part of a cost that counts as no difference: the next layout of the same code moves it as much.
const EVEN: f64 = 0.01;

/// A setting and the instructions of an I/O in it; none if it was refused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Measured {
    pub(super) setting: Setting,
    pub(super) cost: Option<f64>,
}

/// Returns the least cost of all.
pub(super) fn least(all: &[Measured]) -> Option<f64> {
    all.iter().filter_map(|one| one.cost).min_by(f64::total_cmp)
}

/// Returns the best of all: of those that cost no more than 1 % above the least, that with the
/// fewest changes to the defaults, and of equals the cheapest. What was `known` before as the least
/// counts, too: many sweeps are not to give away a per cent each.
pub(super) fn choose(all: &[Measured], known: Option<f64>) -> Option<(Setting, f64)> {
    let costs = || all.iter().filter_map(|one| Some((one.setting, one.cost?)));
    let here = least(all)?;
    // Nothing here may be as good as what was known: then the least is the best.
    let least = known.filter(|known| here <= known * (1.0 + EVEN)).map_or(here, |it| it.min(here));
    costs()
        .filter(|(_, cost)| *cost <= least * (1.0 + EVEN))
        .min_by(|(a, x), (b, y)| a.changes().cmp(&b.changes()).then(x.total_cmp(y)).then(a.cmp(b)))
}

/// A search for one workload.
pub(super) struct Search {
    pub(super) workload: Workload,
    layers: Vec<Layer>,
    base: Setting,
    seeds: Vec<Setting>,
    known: Option<f64>,
    pub(super) measured: Vec<Measured>,
}

impl Search {
    /// A search from `base` in these layers of a setting; `seeds` are measured besides, and `known`
    /// is the least cost that was found before.
    pub(super) fn new(
        workload: Workload,
        layers: &[Layer],
        base: Setting,
        seeds: Vec<Setting>,
        known: Option<f64>,
    ) -> Self {
        Self { workload, layers: layers.to_vec(), base, seeds, known, measured: Vec::new() }
    }

    /// Returns the best so far and its cost; none if all was refused.
    pub(super) fn best(&self) -> Option<(Setting, f64)> {
        choose(&self.measured, self.known)
    }

    /// Returns the least cost, also of what was known before.
    pub(super) fn least(&self) -> Option<f64> {
        least(&self.measured).into_iter().chain(self.known).min_by(f64::total_cmp)
    }

    /// Returns what is to be measured next; nothing if the search is over.
    pub(super) fn pending(&self) -> Vec<Setting> {
        let neighbours = self.base.neighbours(self.workload, &self.layers);
        let mut pending = vec![self.base];
        for setting in self.seeds.iter().copied().chain(neighbours) {
            if !pending.contains(&setting) {
                pending.push(setting);
            }
        }
        pending.retain(|setting| self.cost(setting).is_none());
        pending
    }

    /// Takes note of what a setting costs; of one that was refused, nothing.
    pub(super) fn learn(&mut self, setting: Setting, cost: Option<f64>) {
        self.measured.push(Measured { setting, cost });
    }

    /// Returns what a setting costs: none if it was not measured, `Some(None)` if it was refused.
    pub(super) fn cost(&self, setting: &Setting) -> Option<Option<f64>> {
        self.measured.iter().find(|one| one.setting == *setting).map(|one| one.cost)
    }

    /// Goes on to the next setting to look around: with all knobs turned that gain by themselves,
    /// or else the best.
    pub(super) fn advance(&mut self) {
        let Some((best, _)) = self.best() else { return };
        let together = self.together();
        // What was tried was no gain; and another engine has other knobs.
        let over = self.cost(&together).is_some() || best.engine() != self.base.engine();
        self.base = if over { best } else { together };
    }

    /// Returns the base with each knob at the value that is cheapest, where that gains.
    fn together(&self) -> Setting {
        let Some(cost) = self.cost(&self.base).flatten() else { return self.base };
        let mut gains: Vec<(f64, &'static str, &'static str)> = Vec::new();
        for one in &self.measured {
            let Some(other) = one.cost.filter(|other| *other < cost * (1.0 - EVEN)) else {
                continue;
            };
            if let [knob] = one.setting.differences(&self.base)[..] {
                gains.push((other, knob.name, one.setting.value(knob.name)));
            }
        }
        // The cheapest value of a knob comes last, and stays.
        gains.sort_by(|a, b| b.0.total_cmp(&a.0));
        let turned = gains.into_iter().fold(self.base, |setting, (_, name, value)| {
            setting.with(name, value).unwrap_or(setting)
        });
        turned.valid(self.workload)
    }
}

/// Settings far from each other from which something better may be near: each engine with all that
/// goes with it.
pub(super) fn seeds(of: Workload, base: &Setting) -> Vec<Setting> {
    const WITH_ALL: [&[(&str, &str)]; 4] = [
        &[("ioengine", "libaio")],
        &[("ioengine", "psync")],
        &[("ioengine", "pvsync2")],
        &[
            ("ioengine", "io_uring"),
            ("fixedbufs", "1"),
            ("registerfiles", "1"),
            ("nonvectored", "1"),
        ],
    ];
    let turn = |setting: Setting, (name, value): &(&str, &str)| {
        setting.with(name, value).unwrap_or(setting)
    };
    let seeds = WITH_ALL.iter().map(|all| all.iter().fold(*base, turn).valid(of));
    seeds.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const READS: Workload = Workload::MAIN[0];

    fn changed(values: &[(&str, &str)]) -> Setting {
        let turn =
            |setting: Setting, &(name, value): &(&str, &str)| setting.with(name, value).unwrap();
        values.iter().fold(Setting::default(), turn)
    }

    fn measured(setting: Setting, cost: f64) -> Measured {
        Measured { setting, cost: Some(cost) }
    }

    #[test]
    fn of_equals_the_simplest_is_the_best() {
        let plain = changed(&[]);
        let one = changed(&[("iostats", "0")]);
        let two = changed(&[("iostats", "0"), ("gtod_reduce", "1")]);
        let best = |costs: [f64; 3]| {
            let all = [measured(two, costs[2]), measured(plain, costs[0]), measured(one, costs[1])];
            choose(&all, None)
        };
        assert_eq!(best([1010.0, 1005.0, 1000.0]), Some((plain, 1010.0)));
        assert_eq!(best([1010.1, 1005.0, 1000.0]), Some((one, 1005.0)));
        assert_eq!(best([1500.0, 1011.0, 1000.0]), Some((two, 1000.0)));
    }

    #[test]
    fn of_as_many_changes_the_cheapest_is_the_best() {
        let [one, other] = ["iostats", "rq_affinity"].map(|name| changed(&[(name, "0")]));
        let all = [measured(one, 1005.0), measured(other, 1001.0)];
        assert_eq!(choose(&all, None), Some((other, 1001.0)));
        // And if that is the same, the one that comes first in the table, whatever the order here.
        let same = [measured(other, 1000.0), measured(one, 1000.0)];
        assert_eq!(choose(&same, None), choose(&[same[1], same[0]], None));
    }

    #[test]
    fn sweeps_do_not_give_away_a_per_cent_each() {
        let (plain, one) = (changed(&[]), changed(&[("iostats", "0")]));
        let all = [measured(plain, 1015.0), measured(one, 1008.0)];
        assert_eq!(choose(&all, None), Some((plain, 1015.0)));
        assert_eq!(choose(&all, Some(1000.0)), Some((one, 1008.0)));
        // Nothing here is as good as what was known.
        assert_eq!(choose(&all, Some(500.0)), Some((plain, 1015.0)));
        assert_eq!(choose(&all, Some(2000.0)), Some((plain, 1015.0)));
    }

    #[test]
    fn what_was_refused_is_never_the_best() {
        let refused = Measured { setting: changed(&[]), cost: None };
        assert_eq!(choose(&[refused], None), None);
        let one = measured(changed(&[("hugepages", "8")]), 7.0);
        assert_eq!(choose(&[refused, one], None), Some((one.setting, 7.0)));
    }

    /// Runs a search whose costs are computed, and returns what it finds and how much it measured.
    fn find(
        base: Setting,
        layers: &[Layer],
        cost: impl Fn(&Setting) -> Option<f64>,
    ) -> (Setting, usize) {
        let mut search = Search::new(READS, layers, base, seeds(READS, &base), None);
        for _ in 0..20 {
            let pending = search.pending();
            if pending.is_empty() {
                return (search.best().unwrap().0, search.measured.len());
            }
            for setting in pending {
                search.learn(setting, cost(&setting));
            }
            search.advance();
        }
        panic!("the search does not end");
    }

    #[test]
    fn a_search_takes_all_gains_together_and_ends() {
        let on = |setting: &Setting, name| setting.value(name) == "1";
        let cost = |setting: &Setting| {
            let engine = if setting.engine() == "io_uring" { 10_000.0 } else { 20_000.0 };
            let fixed = if on(setting, "fixedbufs") { 900.0 } else { 0.0 };
            let files = if on(setting, "registerfiles") { 20.0 } else { 0.0 };
            let none = if setting.value("scheduler") == "none" { 700.0 } else { 0.0 };
            Some(engine - fixed - files - none)
        };
        let (found, _) = find(Setting::plain(READS), &Layer::ALL, cost);
        // What gains less than a per cent is left out.
        let wanted =
            changed(&[("ioengine", "io_uring"), ("fixedbufs", "1"), ("scheduler", "none")]);
        assert_eq!(found.to_string(), wanted.to_string());
        let (found, _) = find(Setting::fixed(READS), &[Layer::Queue], cost);
        assert_eq!(found.engine(), "io_uring");
        assert_eq!(found.value("iostats"), "1", "{found}");
    }

    #[test]
    fn gains_that_spoil_each_other_are_not_taken_together() {
        let turned =
            |setting: &Setting, name: &str| setting.value(name) != Setting::default().value(name);
        let cost = |setting: &Setting| {
            let both = (turned(setting, "iostats"), turned(setting, "scheduler"));
            Some(match both {
                (false, false) => 1000.0,
                // Only here another knob gains.
                (true, false) if turned(setting, "add_random") => 800.0,
                (true, false) => 900.0,
                (false, true) => 950.0,
                (true, true) => 2000.0,
            })
        };
        let (found, _) = find(Setting::plain(READS), &Layer::ALL, cost);
        assert_eq!(found, changed(&[("iostats", "0"), ("add_random", "1")]));
    }

    #[test]
    fn a_search_goes_around_what_is_refused() {
        let base = Setting::fixed(READS);
        let cost = |setting: &Setting| {
            (setting.engine() != "io_uring").then(|| 1000.0 + setting.changes() as f64)
        };
        let (found, _) = find(base, &Layer::ALL, cost);
        assert_ne!(found.engine(), "io_uring");
    }

    #[test]
    fn an_engine_that_is_good_only_with_all_that_it_can_is_found() {
        let cost = |setting: &Setting| {
            let names = ["fixedbufs", "registerfiles", "nonvectored"];
            let has_all = names.iter().all(|name| setting.value(name) == "1");
            Some(match setting.engine() {
                "io_uring" if has_all => 500.0,
                "io_uring" => 2000.0,
                _ => 1000.0,
            })
        };
        let (found, _) = find(Setting::plain(READS), &Layer::ALL, cost);
        assert_eq!(found.engine(), "io_uring");
    }

    #[test]
    fn all_engines_are_tried_with_what_they_can() {
        let all = seeds(READS, &Setting::fixed(READS));
        let engines: Vec<&str> = all.iter().map(Setting::engine).collect();
        assert_eq!(engines, ["libaio", "psync", "pvsync2", "io_uring"]);
        assert_eq!(all[0].value("fixedbufs"), "0");
        assert_eq!(all[3].value("fixedbufs"), "1");
    }
}
